"""From verdicts to evidence to suppressions, in one transaction; the guard; what ends both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
from structlog.testing import capture_logs

from dispatch.answers.pruning import Pruning
from dlr.codes import Codes, CodesOfConnectors
from dlr.hygiene import evidence, prune, waiting
from dlr.hygiene.evidence import CONFIRMED, COUNTS, UNDONE, WAITS
from dlr.hygiene.lifting import Lifting
from dlr.ledger import AppliedReceipt, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import suppression
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from storage.pool import Connection

MAP = Codes("map")
DEAD, DOUBTFUL, ABSENT = "001", "MI:0054", "006"
ONE, TWO = NumberKeys(bytes(range(64))), NumberKeys(bytes(range(64, 128)))
ALIVE = "+8613812345678"
CERTAIN = 1.1  # no number is as valid as that


class Carrier:
    """Says of numbers what became of messages to them, through the step under test."""

    def __init__(self, connection: Connection, *, connector: int = CONNECTOR) -> None:
        self.world = World()
        self.connection = connection
        self.pruning = Pruning(CodesOfConnectors([(connector, MAP)]), ids=self.world.ids)
        self.connector = connector

    async def says(self, number: int, code: str, *, days_ago: float = 0, account: int = 1) -> int:
        return await self.says_of([number], code, days_ago=days_ago, account=account)

    async def says_of(
        self, numbers: Sequence[int], code: str, *, days_ago: float = 0, account: int = 1
    ) -> int:
        told = [await self.told(number, code, days_ago, account) for number in numbers]
        async with self.connection.transaction():
            return await self.pruning.learn(self.connection, told)

    async def told(self, number: int, code: str, days_ago: float, account: int) -> AppliedReceipt:
        status = Status.UNDELIVERED
        row = self.world.receipt("1", status, reason=MAP.reason(status, code), error=code)
        row.connector = self.connector
        row.received_at = self.world.now - timedelta(days=days_ago)
        message_id = await self.world.message(self.connection, recipient=number, account=account)
        return AppliedReceipt(
            row, message_id=message_id, account=account, matched=True, changed=True
        )

    async def delivers(self, number: int, *, days_ago: float = 0) -> None:
        """A handset takes a message: the recorder writes its row and nothing else."""
        message_id = await self.world.message(self.connection, recipient=number)
        row = self.world.part(message_id=message_id, status=Status.DELIVERED)
        row.receipt_at = self.world.now - timedelta(days=days_ago)
        await insert_submissions(self.connection, [row])

    async def states(self, kind: str = "p") -> list[int]:
        rows = await self.connection.fetch(
            "SELECT state FROM number_evidence WHERE kind = $1 ORDER BY to_idx, day", kind
        )
        return [row["state"] for row in rows]

    async def suppressed(self) -> dict[int, asyncpg.Record]:
        rows = await self.connection.fetch("SELECT * FROM suppression ORDER BY to_idx")
        return {int.from_bytes(row["to_idx"], "big"): row for row in rows}


@pytest.fixture
def carrier(connection: Connection) -> Carrier:
    return Carrier(connection)


async def test_a_proof_suppresses_at_once_and_for_half_a_year(carrier: Carrier) -> None:
    assert await carrier.says(1, DEAD) == 1
    assert await carrier.says(1, DEAD) == 0
    entry = (await carrier.suppressed())[1]
    assert (entry["account"], entry["category"]) == (EVERY_ACCOUNT, EVERY_CATEGORY)
    assert (entry["source"], entry["reason"]) == ("receipt", Reason.NUMBER_UNKNOWN)
    assert entry["expires_at"] == carrier.world.now + timedelta(days=180)
    assert await carrier.states() == [COUNTS]


async def test_nothing_is_learned_of_a_person_that_was_erased(carrier: Carrier) -> None:
    """Else their rows would be left by a change of the number key, which then never ends."""
    told = await carrier.told(1, DEAD, 0, 1)
    await carrier.connection.execute(
        "UPDATE message SET to_idx = uuid_send(gen_random_uuid()), to_enc = ''"
    )
    async with carrier.connection.transaction():
        assert await carrier.pruning.learn(carrier.connection, [told]) == 0
    assert (await carrier.states(), await carrier.suppressed()) == ([], {})


async def test_one_row_a_day_kind_and_account(carrier: Carrier) -> None:
    for days_ago in (1, 0, 0):
        await carrier.says(1, ABSENT, days_ago=days_ago)
    await carrier.says(1, DOUBTFUL)
    await carrier.says(1, ABSENT, account=2)
    assert await carrier.suppressed() == {}
    rows = await carrier.connection.fetch("SELECT account, kind FROM number_evidence")
    assert sorted(map(tuple, rows)) == [(1, "s"), (1, "t"), (1, "t"), (2, "t")]


async def test_what_is_temporary_never_suppresses(carrier: Carrier) -> None:
    for days_ago in range(40, -1, -1):
        assert await carrier.says(1, ABSENT, days_ago=days_ago) == 0
    assert await carrier.suppressed() == {}


async def test_ambiguous_evidence_suppresses_when_it_comes_back(carrier: Carrier) -> None:
    assert await carrier.says(1, DOUBTFUL, days_ago=14) == 0
    assert await carrier.says(1, DOUBTFUL, days_ago=7, account=2) == 0
    assert await carrier.says(1, DOUBTFUL, days_ago=1) == 0
    assert await carrier.says(1, DOUBTFUL) == 1
    entry = (await carrier.suppressed())[1]
    assert entry["expires_at"] == carrier.world.now + timedelta(days=60)


@pytest.mark.parametrize("delivered_days_ago", [14, 10, 0.01])
async def test_g26_a_delivery_between_makes_ambiguous_evidence_begin_anew(
    carrier: Carrier, delivered_days_ago: float
) -> None:
    await carrier.delivers(1, days_ago=delivered_days_ago)
    for days_ago in (14, 7, 0):
        assert await carrier.says(1, DOUBTFUL, days_ago=days_ago) == 0
    assert await carrier.suppressed() == {}


async def test_g26_a_delivery_under_the_first_number_key_counts_while_it_changes(
    carrier: Carrier,
) -> None:
    """Messages stand under the first key's index, and evidence is written under the second's."""
    first, vault = NumberVault(ONE), NumberVault(ONE)
    vault.learn(TWO)
    vault.turn_over()
    carrier.pruning = Pruning(
        CodesOfConnectors([(CONNECTOR, MAP)]), vault=vault, ids=carrier.world.ids
    )
    await carrier.delivers(1, days_ago=10)
    for days_ago in (14, 7, 0):
        told = await carrier.told(1, DOUBTFUL, days_ago, 1)
        await carrier.connection.execute(
            "UPDATE message SET to_idx = $1, to_enc = $2", first.index(ALIVE), first.seal(ALIVE)
        )
        async with carrier.connection.transaction():
            assert await carrier.pruning.learn(carrier.connection, [told]) == 0
    page = await prune.page(carrier.connection, b"", carrier.world.now, vault=vault, below=CERTAIN)
    assert page.given == []


async def test_a_delivery_before_does_not(carrier: Carrier) -> None:
    await carrier.delivers(1, days_ago=16)
    for days_ago in (14, 7):
        assert await carrier.says(1, DOUBTFUL, days_ago=days_ago) == 0
    assert await carrier.says(1, DOUBTFUL) == 1


async def test_a_proof_lasts_longer_than_what_was_ambiguous(carrier: Carrier) -> None:
    for days_ago in (14, 7, 0):
        await carrier.says(1, DOUBTFUL, days_ago=days_ago)
    await carrier.says(1, DEAD)
    entry = (await carrier.suppressed())[1]
    assert entry["expires_at"] == carrier.world.now + timedelta(days=180)


async def test_g26_a_delivery_lifts_what_hygiene_suppressed(carrier: Carrier) -> None:
    lifting = Lifting()
    await carrier.says_of([1, 2], DEAD)
    await carrier.delivers(2, days_ago=1)  # before the proof
    await lifting.turn(carrier.connection, datetime.now(UTC))
    assert set(await carrier.suppressed()) == {1, 2}
    await carrier.connection.execute(
        "UPDATE suppression SET created_at = created_at - interval '1 hour'"
    )
    await carrier.delivers(1)
    await lifting.turn(carrier.connection, datetime.now(UTC))
    assert set(await carrier.suppressed()) == {2}
    assert lifting.lifted == 1


async def test_entries_are_looked_at_in_turns(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlr.hygiene.lifting.ENTRIES_PER_TURN", 2)
    lifting = Lifting()
    await carrier.says_of(range(1, 6), DEAD)
    await carrier.connection.execute(
        "UPDATE suppression SET created_at = created_at - interval '1 hour'"
    )
    for number in range(1, 6):
        await carrier.delivers(number)
    for _ in range(3):
        await lifting.turn(carrier.connection, datetime.now(UTC))
    assert await carrier.suppressed() == {}


async def test_g29_neither_a_proof_nor_a_delivery_touches_an_opt_out(carrier: Carrier) -> None:
    opt_out = Suppression(
        to_idx=(1).to_bytes(16, "big"), reason=Reason.OPTED_OUT, source="keyword", message_id=4
    )
    await suppression.add(carrier.connection, [opt_out])
    assert await carrier.says(1, DEAD) == 0
    await carrier.delivers(1)
    await Lifting().turn(carrier.connection, datetime.now(UTC))
    entry = (await carrier.suppressed())[1]
    assert (entry["source"], entry["expires_at"]) == ("keyword", None)


async def test_an_opt_out_stands_where_hygiene_stood_and_outlives_it(carrier: Carrier) -> None:
    await carrier.says(1, DEAD)
    opt_out = Suppression(
        to_idx=(1).to_bytes(16, "big"), reason=Reason.OPTED_OUT, source="keyword", message_id=4
    )
    assert await suppression.add(carrier.connection, [opt_out]) == 1
    entry = (await carrier.suppressed())[1]
    assert (entry["source"], entry["reason"]) == ("keyword", Reason.OPTED_OUT)
    assert entry["expires_at"] is None


async def test_what_a_person_undid_suppresses_no_more(carrier: Carrier) -> None:
    for days_ago in (14, 7):
        await carrier.says(1, DOUBTFUL, days_ago=days_ago)
    await carrier.says(1, DEAD)
    indexes = [(1).to_bytes(16, "big")]
    await suppression.lift(carrier.connection, indexes)
    await evidence.undo(carrier.connection, indexes)
    assert await carrier.states() == [UNDONE]
    assert await carrier.says(1, DOUBTFUL) == 0
    assert await carrier.says(1, DEAD, account=2) == 0  # on the very day
    assert await carrier.suppressed() == {}
    carrier.world.now += timedelta(days=1)
    assert await carrier.says(1, DEAD, account=3, days_ago=-1) == 1


async def test_g28_an_outage_is_no_proof_of_hundreds_of_dead_numbers(carrier: Carrier) -> None:
    with capture_logs() as logs:
        for number in range(1, 80):
            await carrier.says(number, DEAD)
    assert await carrier.suppressed() == {}
    assert await carrier.states() == [WAITS] * 79
    first = next(line for line in logs if line["event"] == "proofs_wait")
    assert (first["connector"], first["proofs"], first["numbers"]) == (CONNECTOR, 50, 50)
    assert carrier.pruning.guard.closed == 1


async def test_g28_what_waits_is_released_or_discarded(carrier: Carrier) -> None:
    await carrier.says_of(range(1, 61), DEAD)
    [found] = await waiting.waiting(carrier.connection)
    assert (found.connector, found.proofs) == (CONNECTOR, 60)
    await carrier.delivers(7, days_ago=-0.01)
    assert await waiting.release(carrier.connection, CONNECTOR) == (60, 59)
    assert set(await carrier.suppressed()) == {*range(1, 61)} - {7}
    assert await carrier.states() == [CONFIRMED] * 60
    await carrier.says_of(range(101, 161), DEAD)
    assert await waiting.discard(carrier.connection, CONNECTOR) == 60
    assert len(await carrier.suppressed()) == 59
    assert await waiting.waiting(carrier.connection) == []


async def test_a_usual_share_of_proofs_needs_nobody(carrier: Carrier) -> None:
    await carrier.says_of(range(100, 200), ABSENT)
    await carrier.says_of(range(1, 6), DEAD)
    assert len(await carrier.suppressed()) == 5
    assert await carrier.states() == [COUNTS] * 5


async def test_all_or_nothing(carrier: Carrier) -> None:
    """A transaction that ends otherwise than by its commit leaves neither of the two."""
    told = await carrier.told(1, DEAD, 0, 1)
    transaction = carrier.connection.transaction()
    await transaction.start()
    assert await carrier.pruning.learn(carrier.connection, [told]) == 1
    await transaction.rollback()
    assert (await carrier.states(), await carrier.suppressed()) == ([], {})
    assert await carrier.says(1, DEAD) == 1


async def test_a_verdict_about_a_message_that_is_gone_is_left_out(carrier: Carrier) -> None:
    told = await carrier.told(1, DEAD, 0, 1)
    await carrier.connection.execute("DELETE FROM message")
    assert await carrier.pruning.learn(carrier.connection, [told]) == 0
    assert await carrier.states() == []
