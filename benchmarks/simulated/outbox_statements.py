"""What the statements about waiting messages do to the tables, in Python.

Owns those of `outbox`: claims, retries, and what a dead process has left. Must not decide what
PostgreSQL does not. The others stand in statements.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from benchmarks.simulated.store import Record, Store, Stored, Waiting
from dlr.status import Status
from storage.crypto import NumberVault

PRIORITY_BAND: Final = 1  # of the default priority
SENDER: Final = "SHOP"

FREE: Final = ("id", "attempt", "in_doubt", "way", "unit", "hold", "band")
DUE: Final = (
    "id", "attempt", "in_doubt", "way", "account", "category", "parts", "hold", "batch_id",
)  # fmt: skip
CLAIMED: Final = (
    "id", "attempt", "account", "category", "parts", "sender", "to_enc", "to_idx", "text",
    "expires_at", "batch_id", "priority", "options", "tags", "in_doubt",
)  # fmt: skip
BEGUN: Final = ("message_id", "part", "parts", "segments")


class OutboxStatements:
    """Those over one store. `now`: the moment of the transaction."""

    def __init__(self, store: Store, vault: NumberVault) -> None:
        self.store = store
        self.vault = vault
        self.now: datetime
        self.unknown: list[str] = []  # statements that no world has

    # --- outbox ----------------------------------------------------------------------------------

    def _free(self, connector: int, category: int) -> Iterable[Waiting]:
        for row in sorted(self.store.outbox.rows.values(), key=lambda each: each.id):
            if (row.owner, row.connector, row.category) == (0, connector, category):
                yield row

    def outbox_free(
        self, connector: int, category: int, bands: list[int], units: list[int], ids: list[int],
        until: list[int], room: int,
    ) -> Sequence[Record]:  # fmt: skip
        found = [
            Record(FREE, (row.id, row.attempt, row.in_doubt, row.way, row.id, row.hold, band))
            for band, unit, after, end in zip(bands, units, ids, until, strict=True)
            if band == PRIORITY_BAND
            for row in self._free(connector, category)
            if row.not_before is None and (row.id, row.id) > (unit, after) and row.id < end
        ]
        return found[:room]

    def outbox_due(
        self, connector: int, categories: list[int], rooms: list[int]
    ) -> Sequence[Record]:
        found: list[Record] = []
        for category, room in zip(categories, rooms, strict=True):
            due = [
                row
                for row in self._free(connector, category)
                if isinstance(row.not_before, datetime) and row.not_before <= self.now
            ]
            due.sort(key=lambda row: str(row.not_before))
            found += [
                Record(
                    DUE,
                    (
                        row.id, row.attempt, row.in_doubt, row.way, row.account, row.category,
                        row.parts, row.hold, None,
                    ),
                )
                for row in due[:room]
            ]  # fmt: skip
        return found

    def outbox_claim(self, ids: list[int], term: int) -> None:
        self._own(ids, term)

    def outbox_unclaim_messages(self, ids: list[int], term: int) -> None:
        self._own(ids, 0, of=term)

    def outbox_whole(self, ids: list[int], term: int) -> None:
        for each in ids:
            row = self.store.outbox.rows.get(each)
            if row is not None and row.owner == term:
                self.store.outbox.delete(each)

    def outbox_unclaim(self, term: int) -> None:
        named = {message for row in self.store.intent.rows.values() if row.owner == term
                 for message in row.message_ids}  # fmt: skip
        mine = [each for each in self.store.outbox.rows if each not in named]
        self._own(mine, 0, of=term)

    def _own(self, ids: Iterable[int], owner: int, of: int | None = None) -> int:
        changed = 0
        for each in ids:
            row = self.store.outbox.rows.get(each)
            if row is not None and (of is None or row.owner == of):
                self.store.outbox.change(row, owner=owner)
                changed += 1
        return changed

    def outbox_retry(
        self, ids: list[int], moments: list[datetime], attempts: list[int], holds: list[int],
        term: int, connectors: list[int], doubts: list[bool],
    ) -> None:  # fmt: skip
        for each, moment, attempt, hold, connector, doubt in zip(
            ids, moments, attempts, holds, connectors, doubts, strict=True
        ):
            row = self.store.outbox.rows.get(each)
            if row is None or row.owner != term or row.not_before == moment:
                continue
            self.store.outbox.change(
                row, owner=0, not_before=moment, attempt=attempt, hold=hold,
                connector=connector or row.connector, in_doubt=row.in_doubt or doubt,
            )  # fmt: skip

    def outbox_answered_late(self, ids: list[int], parts: list[int]) -> None:
        for each, wanted in zip(ids, parts, strict=True):
            row = self.store.outbox.rows.get(each)
            if row is not None and row.owner == 0 and row.in_doubt:
                taken = {
                    result.part
                    for result in self.store.results(each)
                    if result.part > 0 and result.status > Status.UNCONFIRMED
                }
                if wanted <= len(taken):
                    self.store.outbox.delete(each)

    def messages_claimed(
        self, ids: list[int], attempts: list[int], doubts: list[bool]
    ) -> Sequence[Record]:
        return [
            Record(
                CLAIMED,
                (
                    row.id, attempt, row.account, row.category, row.parts, SENDER,
                    self.vault.seal(row.to), self.vault.index(row.to), row.text, None, None, 5,
                    None, None, doubt,
                ),
            )
            for row, attempt, doubt in zip(self._messages(ids), attempts, doubts, strict=True)
        ]  # fmt: skip

    def _messages(self, ids: Iterable[int]) -> Iterable[Stored]:
        return (self.store.message.rows[each] for each in ids)

    def parts_done(self, ids: list[int], _first: int) -> Sequence[Record]:
        return [
            Record(BEGUN, (row.message_id, row.part, row.parts, row.segments))
            for each in ids
            for row in self.store.results(each)
            if row.part > 0 and (row.status > Status.UNCONFIRMED or row.error != "resent")
        ]

    # --- what the dead have left -----------------------------------------------------------------

    def open_terms(self) -> Sequence[Record]:
        return ()

    def ended_terms_with_work(self) -> Sequence[Record]:
        held = {row.owner for row in self.store.intent.rows.values()}
        held |= {row.owner for row in self.store.outbox.rows.values()}
        return [Record(("term",), (term,)) for term in sorted(held & self.store.ended_terms)]

    def intents_of_terms(self, terms: list[int]) -> Sequence[Record]:
        rows = [row for row in self.store.intent.rows.values() if row.owner in terms]
        return [
            Record(("id", "connector", "message_ids"), (row.id, row.connector, row.message_ids))
            for row in sorted(rows, key=lambda each: each.id)
        ]

    def in_doubt(self, ids: list[int], terms: list[int]) -> Sequence[Record]:
        names = ("id", "category", "account", "parts", "attempt", "connector", "way")
        rows = (self.store.outbox.rows.get(each) for each in ids)
        return [
            Record(names, [getattr(row, name) for name in names])
            for row in rows
            if row is not None and row.owner in terms
        ]

    def outbox_resend(self, ids: list[int]) -> None:
        for each in ids:
            row = self.store.outbox.rows[each]
            self.store.outbox.change(row, owner=0, attempt=row.attempt + 1, in_doubt=True)

    def outbox_take_over(self, terms: list[int]) -> str:
        mine = [row.id for row in self.store.outbox.rows.values() if row.owner in terms]
        return f"UPDATE {self._own(mine, 0)}"
