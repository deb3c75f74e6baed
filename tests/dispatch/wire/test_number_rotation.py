"""While the number key changes, what already waits in memory is looked up under both keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispatch.wire.intents import IntentWriter
from dlr.reasons import Reason
from storage.categories import Category
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.pool import Connection
from storage.suppression import Suppression, add
from tests.dispatch.world import running
from tests.messages.accept.world import VAULT, accepting, prepared

TWO = NumberKeys(bytes(range(64, 128)))


@pytest.fixture
def both() -> Iterator[None]:
    VAULT.learn(TWO)
    yield
    if VAULT.fingerprint == TWO.fingerprint:
        VAULT.turn_over()
    VAULT.forget()


async def opted_out(connection: Connection, indexes: list[bytes]) -> None:
    await add(connection, [Suppression(each, Reason.OPTED_OUT, "api") for each in indexes])


@pytest.mark.parametrize("writes_next", [False, True])
async def test_g37_a_message_that_waited_in_memory_is_stopped_by_an_opt_out_of_either_key(
    database_url: str, both: None, writes_next: bool
) -> None:
    """It was claimed before the change: its index is the first key's, and it has no other."""
    one, two = VAULT.index, NumberVault(TWO).index
    async with running(database_url) as world:
        stopped = [world.message(Category.MARKETING, to=f"+861380000000{n}") for n in (1, 2)]
        goes = world.message(Category.MARKETING, to="+8613800000003")
        assert not any(each.old_idx for each in stopped)
        entries = [one(stopped[0].to), two(stopped[1].to)]
        await add(
            world.connection, [Suppression(each, Reason.OPTED_OUT, "api") for each in entries]
        )
        if writes_next:
            VAULT.turn_over()
        intents = IntentWriter(
            world.database.dedicated("rotating"), term=world.term.term, vault=VAULT
        )
        [verdicts] = await intents.commit(world.intent([*stopped, goes]))
        assert isinstance(verdicts, dict)
        assert verdicts.keys() == {each.id for each in stopped}
        await intents.close()


async def test_g37_a_message_that_is_accepted_meanwhile_is_looked_up_under_both(
    database_url: str, both: None
) -> None:
    numbers = [f"+861380000000{n}" for n in (1, 2, 3)]
    entries = [VAULT.index(numbers[0]), NumberVault(TWO).index(numbers[1])]
    async with accepting(database_url) as world:
        await add(
            world.connection, [Suppression(each, Reason.OPTED_OUT, "api") for each in entries]
        )
        for _ in range(2):
            answers = await world.accepter.accept(
                [prepared(n, to=number) for n, number in enumerate(numbers)], batch_id=None
            )
            statuses = [getattr(answer, "status", None) for answer in answers]
            assert statuses == ["suppressed", "suppressed", "accepted"]
            VAULT.turn_over()


async def test_what_waited_for_its_flush_is_sealed_with_the_key_that_writes_now(
    database_url: str, both: None
) -> None:
    async with accepting(database_url) as world:
        items = await world.accepter._seal([prepared(1)], None, None)
        VAULT.turn_over()
        world.accepter._seal_again(items)
        assert items[0].to_idx == NumberVault(TWO).index(items[0].prepared.to)
        assert NumberVault(TWO).is_current(items[0].to_enc)
