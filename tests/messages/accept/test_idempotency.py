"""The table behind Idempotency-Key: claims of several processes, answers, and take-overs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from dlr.reasons import Reason
from messages.accept import idempotency, retraction
from messages.accept.idempotency import (
    Claimed,
    Idempotency,
    InProgress,
    KeptAnswer,
    OtherBody,
    RequestKey,
)
from messages.models import GivenIds, Verdict
from storage.faults import StorageDown
from storage.ids import IdSource, id_at
from storage.suppression import Suppression, add
from storage.terms import fence
from tests.integration.database_proxy import database_proxy
from tests.messages.accept.world import VAULT, World, accepting, prepared, wall_ms

KEY = RequestKey(1, "POST /v1/messages", "k-1")
BODY, OTHER = b"b" * 32, b"o" * 32
ANSWER = KeptAnswer(202, "application/json", "/v1/messages/msg_1", b'{"id":"msg_1"}')
COUNT = 4


def keeper(world: World, node: int = 1) -> Idempotency:
    return Idempotency(
        world.database.dedicated("idempotency"),
        vault=VAULT,
        ids=IdSource(node, wall_ms),
        term=world.term,
    )


@asynccontextmanager
async def process(database_url: str, through: str | None = None) -> AsyncIterator[World]:
    """One process: an accepter and, made by `keeper`, its requests."""
    async with accepting(database_url, through=through) as world:
        yield world


async def answered(store: Idempotency, key: RequestKey = KEY) -> Claimed:
    """A whole request that nothing interferes with."""
    with store.running(key):
        claimed = await store.claim(key, BODY, COUNT)
        assert isinstance(claimed, Claimed)
        await store.keep(key, ANSWER)
    return claimed


async def asked(store: Idempotency, fingerprint: bytes = BODY) -> Claimed | KeptAnswer:
    with store.running(KEY):
        return await store.claim(KEY, fingerprint, COUNT)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with process(database_url) as world:
        yield world


async def test_an_answer_is_replayed_and_another_body_refused(world: World) -> None:
    store = keeper(world)
    claimed = await answered(store)
    assert len(set(claimed.ids)) == COUNT
    assert await asked(store) == ANSWER
    with pytest.raises(OtherBody):
        await asked(store, OTHER)
    assert (store.replayed, await world.count("idempotency")) == (1, 1)


async def test_h2_an_answer_that_was_a_refusal_is_no_answer(world: World) -> None:
    """The release before this one kept them."""
    store = keeper(world)
    with store.running(KEY):
        await store.claim(KEY, BODY, COUNT)
        await store.keep(KEY, KeptAnswer(422, "application/problem+json", None, b"{}"))
    assert isinstance(await asked(store, OTHER), Claimed)


async def test_what_this_process_is_at_is_in_progress(world: World) -> None:
    store = keeper(world)
    with store.running(KEY), pytest.raises(InProgress), store.running(KEY):
        pass


async def test_a_request_that_breaks_off_frees_its_key(world: World) -> None:
    store = keeper(world)
    first = await asked(store)
    second = await asked(store)
    assert isinstance(first, Claimed)
    assert isinstance(second, Claimed)
    assert not second.again
    assert set(first.ids).isdisjoint(second.ids)


async def test_e91_two_processes_that_race_answer_one_request(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first, then replays; if it takes too long it says so."""
    async with process(database_url) as one, process(database_url) as two:
        first, second = keeper(one), keeper(two, 2)
        with first.running(KEY):
            await first.claim(KEY, BODY, COUNT)
            waiting = asyncio.create_task(asked(second))
            await until_asked(second, 2)
            assert not waiting.done()
            with pytest.raises(OtherBody):
                await asked(keeper(two, 3), OTHER)
            await first.keep(KEY, ANSWER)
        assert await waiting == ANSWER
        key = RequestKey(1, "POST /v1/messages", "slow")
        monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
        with first.running(key):
            await first.claim(key, BODY, COUNT)
            with pytest.raises(InProgress), second.running(key):
                await second.claim(key, BODY, COUNT)
            await first.keep(key, ANSWER)
        monkeypatch.undo()
        with second.running(key):  # its own attempt has left nothing behind
            assert await second.claim(key, BODY, COUNT) == ANSWER


async def until_asked(store: Idempotency, flushes: int) -> None:
    async with asyncio.timeout(40):
        while store.commits.flushes < flushes:
            await asyncio.sleep(0.005)


async def test_keys_in_opposite_orders_do_not_deadlock(database_url: str) -> None:
    async with process(database_url) as one, process(database_url) as two:
        first, second = keeper(one), keeper(two, 2)
        keys = [RequestKey(1, "POST /v1/messages", f"k{n}") for n in range(80)]

        async def run(store: Idempotency, key: RequestKey) -> bool:
            with store.running(key):
                told = await store.claim(key, BODY, 1)
                if isinstance(told, KeptAnswer):
                    return False
                await store.keep(key, ANSWER)
                return True

        done = await asyncio.gather(
            *(run(first, key) for key in keys), *(run(second, key) for key in reversed(keys))
        )
        assert sum(done) == len(keys)


async def test_what_a_dead_process_stored_is_found_and_the_rest_stored_once(
    database_url: str,
) -> None:
    async with process(database_url) as alive:
        suppressed = prepared(3)
        await add(
            alive.connection, [Suppression(VAULT.index(suppressed.to), Reason.OPTED_OUT, "api")]
        )
        items = [prepared(1), prepared(2, client_ref="r"), suppressed, prepared(4, client_ref="x")]
        async with process(database_url) as dying:
            store = keeper(dying, 2)
            with store.running(KEY):
                claimed = await store.claim(KEY, BODY, COUNT)
                assert isinstance(claimed, Claimed)
                first = await accept(dying, items[:3], claimed.ids[:3])
                await fence(alive.connection, dying.term)  # dead, before its answer
                store._claimed.clear()
        await alive.connection.execute("DELETE FROM outbox WHERE id = $1", first[0].id)
        survivor = keeper(alive)
        with survivor.running(KEY):
            taken = await survivor.claim(KEY, BODY, COUNT)
            assert isinstance(taken, Claimed)
            assert (list(taken.ids), taken.again) == (list(claimed.ids), True)
            assert set(taken.stored) == set(claimed.ids[:3])
            whole = await accept(alive, items, taken.ids, again=True)
            await survivor.keep(KEY, ANSWER)
        assert [each.id for each in whole] == list(claimed.ids)
        assert [each.status for each in whole] == ["accepted", "accepted", "suppressed", "accepted"]
        assert whole[2].reason == "opted_out"
        assert not any(each.deduplicated for each in whole)
        assert set(await alive.messages()) == set(claimed.ids)
        assert [message.text for message in alive.room.pushed] == ["m4"]
        assert alive.accepter.deduplicated == 0
        assert await asked(survivor) == ANSWER


async def test_a_take_over_that_fails_can_be_taken_over_again(database_url: str) -> None:
    async with process(database_url) as alive:
        async with process(database_url) as dying:
            store = keeper(dying, 2)
            with store.running(KEY):
                claimed = await store.claim(KEY, BODY, COUNT)
                assert isinstance(claimed, Claimed)
                await accept(dying, [prepared(1)], claimed.ids[:1])
                await fence(alive.connection, dying.term)
                store._claimed.clear()
        survivor = keeper(alive)
        for _ in range(2):
            told = await asked(survivor)  # and breaks off
            assert isinstance(told, Claimed)
            assert (list(told.ids), len(told.stored)) == (list(claimed.ids), 1)


async def accept(
    world: World, items: Sequence[object], ids: Sequence[int], again: bool = False
) -> list[Verdict]:
    answers = await world.accepter.accept(
        items,  # type: ignore[arg-type]
        batch_id=None,
        ids=GivenIds(ids, again),
    )
    assert all(isinstance(answer, Verdict) for answer in answers)
    return answers  # type: ignore[return-value]


@pytest.mark.parametrize("moment", ["claim", "answer"])
async def test_a_commit_whose_answer_was_lost_leaves_no_key_stuck(
    database_url: str, moment: str
) -> None:
    async with (
        database_proxy(database_url) as proxy,
        process(database_url, proxy.url) as world,
    ):
        store = keeper(world)
        await answered(store, RequestKey(1, "POST /v1/messages", "warm"))
        if moment == "claim":
            cut = proxy.arm("idempotency", asked=rb"COMMIT")
            with pytest.raises(StorageDown):
                await asked(store)
            await proxy.fired(cut)
            again = await asked(store)
            assert isinstance(again, Claimed)
            assert not again.again
        else:
            with store.running(KEY):
                claimed = await store.claim(KEY, BODY, COUNT)
                assert isinstance(claimed, Claimed)
                sealed = VAULT.seal_octets(ANSWER.body, claimed.ids[0])
                cut = proxy.arm("idempotency", asked=re.escape(sealed))
                await store.keep(KEY, ANSWER)
                await proxy.fired(cut)
            assert await asked(store) == ANSWER


async def test_after_24_hours_a_key_is_free_and_forgotten(world: World) -> None:
    store = keeper(world)
    await answered(store)
    await answered(store, RequestKey(1, "POST /v1/messages", "purged"))
    over = id_at(datetime.now(UTC) - idempotency.REMEMBERED - timedelta(seconds=1))
    await world.connection.execute("UPDATE idempotency SET first_id = $1", over)
    assert isinstance(await asked(store, OTHER), Claimed)
    await idempotency.forget(world.connection, datetime.now(UTC))
    rows = await world.connection.fetch("SELECT key FROM idempotency WHERE first_id <= $1", over)
    assert rows == []


async def test_ids_in_doubt_are_not_found_before_the_lane_has_settled_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 was answered and the COMMIT had landed: the repeat stores them, and they stay."""
    monkeypatch.setattr(retraction, "RESOLVE_SECONDS", 0.0)
    async with (
        database_proxy(database_url) as proxy,
        process(database_url, proxy.url) as world,
    ):
        await accept(world, [prepared(0)], IdSource(8, wall_ms).take(1))
        ids = IdSource(9, wall_ms).take(2)
        cut = proxy.arm("accept", asked=rb'"text":"m1"')
        with pytest.raises(StorageDown):
            await accept(world, [prepared(1), prepared(2)], ids)
        await proxy.fired(cut)
        async with asyncio.timeout(40):
            while True:
                try:
                    await accept(world, [prepared(1), prepared(2)], ids, again=True)
                    break
                except StorageDown:
                    await asyncio.sleep(0.01)
        assert set(ids) < set(await world.messages())
        assert set(ids) < set(await world.outbox())


async def test_a_database_that_says_nothing_is_no_request_in_progress(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """409 would send the client to wait for an answer that nobody is preparing."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.05)
    store = keeper(world)

    async def silent(items: Sequence[object]) -> Sequence[object]:
        await asyncio.Event().wait()
        return items

    monkeypatch.setattr(store.commits, "submit", silent)
    with store.running(KEY), pytest.raises(StorageDown):
        await store.claim(KEY, BODY, COUNT)
    monkeypatch.undo()
    await store.close()


async def test_the_answer_to_one_message_is_not_in_clear_and_comes_back_whole(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(database_url) as world:
        store = keeper(world)
        await answered(store)
        row = await world.connection.fetchrow("SELECT answer, answer_enc FROM idempotency")
        assert row is not None
        assert row["answer"] is None
        assert ANSWER.body not in row["answer_enc"]
        assert await asked(store) == ANSWER
        await world.connection.execute("UPDATE idempotency SET answer_enc = '\\x00'")
        monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
        with pytest.raises(InProgress):  # nothing may be sent again
            await asked(store)


async def test_the_answer_to_many_and_one_of_the_release_before_are_told(
    database_url: str,
) -> None:
    async with process(database_url) as world:
        store = keeper(world)
        many = KeptAnswer(202, "application/json", None, b"{}")
        with store.running(KEY):
            await store.claim(KEY, BODY, COUNT)
            await store.keep(KEY, many)
        assert await asked(store) == many
        await world.connection.execute(
            "UPDATE idempotency SET location = '/v1/messages/msg_1', answer = $1", ANSWER.body
        )
        assert await asked(store) == ANSWER
