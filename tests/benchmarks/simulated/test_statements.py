"""What the statements do in memory is what they do in PostgreSQL, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import pytest

from benchmarks.simulated.statements import Statements
from benchmarks.simulated.store import Record, Store, Stored, Table, Waiting
from dispatch.message import ReadyMessage
from dispatch.outbox.backlog_cursor import BacklogCursor
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.receipt_times import AFTER_ARRIVAL_MAX, BEFORE_SUBMIT_MAX
from dlr.status import Status
from storage import sql
from storage.codecs import array_text
from tests.dispatch.world import CONNECTOR, VAULT, World, running

TEXTS: Mapping[str, str] = {**sql.load("dlr"), **sql.load("dispatch")}
TABLES = {
    "outbox": "id, owner, connector, attempt, not_before, hold, in_doubt",
    "submit_intent": "id, owner, connector, message_ids",
    "submission": "id, message_id, part, status, error, carrier_id, done_at, receipt_at",
    "unmatched_receipt": "id, connector, carrier_id, status",
}
NOW = datetime.now(UTC).replace(microsecond=0)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
OTHER_TERM = 9_999


class Both:
    """A store and a database that begin alike and are told the same."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = Store()
        self.statements = Statements(self.store, VAULT)
        self.statements.now = datetime.now(UTC)
        self.term = world.term.term

    async def accept(
        self, messages: Sequence[ReadyMessage], owner: int = 0, not_before: datetime | None = None
    ) -> list[int]:
        await self.world.store(messages, owner=owner, not_before=not_before)
        for each in messages:
            self.store.message.put(
                Stored(each.id, 0, each.category, each.account, each.parts, each.to, each.text)
            )
            self.store.outbox.put(
                Waiting(each.id, CONNECTOR, each.category, each.account, each.parts, owner,
                        not_before=not_before)
            )  # fmt: skip
        return [each.id for each in messages]

    async def result(
        self, message: int, part: int, status: Status, carrier_id: str, error: str | None = None
    ) -> int:
        row = SubmissionRow(
            self.world.ids.next(), message, part, 2, 1, 1, CONNECTOR, status,
            carrier_id=carrier_id, error=error, submitted_at=PAST,
        )  # fmt: skip
        await insert_submissions(self.world.connection, [row])
        self.statements.submission_copy([[getattr(row, name) for name in row.__struct_fields__]])
        return row.id

    async def ask(self, name: str, *arguments: Any) -> None:
        """The statement answers alike, and leaves the tables alike."""
        theirs = await self.world.connection.fetch(TEXTS[name], *arguments)
        ours = self.statements.run(TEXTS[name], *arguments)
        if isinstance(ours, bool):
            assert [row[0] for row in theirs] == [ours], name
        elif not isinstance(ours, str):
            assert sorted(map(str, _shown(ours or (), theirs))) == sorted(
                str({key: _plain(row[key]) for key in _names(ours or ())}) for row in theirs
            ), name
        for table, columns in TABLES.items():
            rows = await self.world.connection.fetch(f"SELECT {columns} FROM {table}")
            assert sorted(self._rows(table, columns)) == sorted(
                str([_plain(each) for each in row]) for row in rows
            ), (name, table)

    def _rows(self, table: str, columns: str) -> list[str]:
        tables: dict[str, Table[Any]] = {
            "outbox": self.store.outbox, "submit_intent": self.store.intent,
            "submission": self.store.submission, "unmatched_receipt": self.store.parked,
        }  # fmt: skip
        found = tables[table].rows.values()
        names = columns.split(", ")
        return [str([_plain(getattr(row, name)) for name in names]) for row in found]


def _names(rows: Sequence[Record]) -> tuple[str, ...]:
    # Encrypted anew each time, and no column of a world.
    return tuple(name for name in rows[0].names if name not in ("to_enc",)) if rows else ()


def _shown(ours: Sequence[Record], theirs: Sequence[Any]) -> list[dict[str, object]]:
    assert len(ours) == len(theirs)
    return [{name: _plain(row[name]) for name in _names(ours)} for row in ours]


def _plain(value: object) -> object:
    if isinstance(value, IntEnum):
        return int(value)
    return list(value) if isinstance(value, tuple | list) else value


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[Both]:
    async with running(database_url) as world:
        yield Both(world)


async def test_claims_and_retries(both: Both) -> None:
    term = both.term
    free = await both.accept(both.world.messages(3))
    due = await both.accept(both.world.messages(2), not_before=PAST)
    mine = await both.accept([both.world.message(parts=2) for _ in range(4)], owner=term)
    await both.accept(both.world.messages(1), not_before=FUTURE)
    await both.ask("outbox_free", CONNECTOR, 1, *BacklogCursor().spans(), 2)
    await both.ask("outbox_due", CONNECTOR, [0, 1], [5, 1])
    await both.ask("outbox_claim", free[:2], term)
    await both.ask("messages_claimed", mine, [0, 1, 2, 3], [True, False, True, False])
    await both.result(mine[0], 1, Status.SENT, "a")
    await both.result(mine[1], 1, Status.UNCONFIRMED, "b", "resent")
    await both.result(mine[1], 2, Status.UNCONFIRMED, "c")
    await both.ask("parts_done", mine, min(mine))
    retry = [*mine, *due[:1]], [FUTURE, PAST, FUTURE, PAST, FUTURE], [1, 2, 3, 1, 1], [1] * 5
    await both.ask("outbox_retry", *retry, term, [0, 8, 0, 0, 0], [True, True, False, True, True])
    await both.ask("outbox_retry", *retry, OTHER_TERM, [0] * 5, [False] * 5)
    await both.result(mine[0], 2, Status.SENT, "d")
    await both.ask("outbox_answered_late", mine, [2, 2, 2, 2])
    await both.ask("outbox_unclaim_messages", free[:1], OTHER_TERM)
    await both.ask("outbox_unclaim_messages", free[:1], term)
    await both.ask("outbox_whole", free, term)
    await both.ask("outbox_whole", due, OTHER_TERM)
    await both.ask("outbox_claim", due, term)
    await both.ask("outbox_unclaim", term)


async def test_intents_results_and_what_the_dead_leave(both: Both) -> None:
    term = both.term
    mine = await both.accept(both.world.messages(6), owner=term)
    intents = both.world.ids.take(3)
    await both.ask(
        "intents_open_if_clear", term, intents, [CONNECTOR] * 3, [2, 1, 1], array_text(mine[:4]),
        b"".join(VAULT.index("+8613800000000") for _ in mine[:4]), array_text([1] * 4),
        array_text([1] * 4), [],
    )  # fmt: skip
    await both.ask("results_close", array_text(mine[:1]), intents[1:2])
    await both.ask("results_close_again", array_text(mine[4:]), [], [0, 1], term)
    await both.ask("results_close_again", array_text(mine[4:]), [], [0, 0], OTHER_TERM)
    await both.ask("intents_of_terms", [term])
    await both.ask("in_doubt", mine, [term])
    await both.ask("outbox_unclaim", term)
    await both.ask("outbox_claim", mine[1:4], term)
    await both.ask("outbox_resend", mine[1:2])
    await both.ask("outbox_take_over", [term])
    await both.ask("intent_close", intents)


async def test_receipts(both: Both) -> None:
    (one, other) = await both.accept(both.world.messages(2), owner=both.term)
    sent = await both.result(one, 1, Status.SENT, "a")
    doubt = await both.result(one, 2, Status.UNCONFIRMED, "b", "resent")
    done = await both.result(other, 1, Status.DELIVERED, "a")
    ids = [sent, doubt, done, both.world.ids.next()]
    moments = [NOW] * 4
    await both.ask(
        "in_doubt_answered", ids, [10] * 4, ["x", "y", None, "z"], moments, min(ids), max(ids)
    )
    await both.ask("submission_match", [CONNECTOR, 8, CONNECTOR], ["a", "a", "y"], 0, 20, 5)
    await both.ask("submission_match", [CONNECTOR], ["a"], 0, 20, 1)
    await both.ask(
        "submission_apply", array_text(ids), array_text([60, 50, 40, 60]), array_text([0] * 4),
        ["000", None, "1", "2"], [NOW, PAST - timedelta(days=9), FUTURE, None], moments, min(ids),
        max(ids), array_text([32_767, 20, 32_767, 20]), BEFORE_SUBMIT_MAX, AFTER_ARRIVAL_MAX,
    )  # fmt: skip
    parked = both.world.ids.take(3)
    await both.ask(
        "unmatched_park", parked, [CONNECTOR] * 3, ["b", "a", "new"], [60, 20, 60], [0] * 3,
        ["000"] * 3, moments[:3], moments[:3], [None] * 3, [""] * 3, *[[None] * 3] * 3,
    )  # fmt: skip
    await both.ask("unmatched_sweep", 0, parked[-1] + 1, 0, 10, [], [], Status.UNKNOWN)
    await both.ask("unmatched_join", [CONNECTOR, 8], ["new", "a"], None, timedelta(minutes=60))
    await both.ask("messages_matched", [one])
    rest: list[list[object]] = [
        [one, one], [1, 3], [2, 2], [1, 1], [1, 1], [CONNECTOR] * 2, [10, 10], [0, 0],
        [None] * 2, ["q", "r"], [PAST] * 2, [PAST] * 2, [None] * 2, [None] * 2, [1, 1], [0, 0],
    ]  # fmt: skip
    await both.ask("submission_insert_again", [sent, both.world.ids.next()], *rest)
