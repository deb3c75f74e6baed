"""What each statement of sending does to the tables, in Python.

Owns one function for each named statement that the parts of a world use, under its name. Must not
decide what PostgreSQL does not: tests compare these with the statements themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

from benchmarks.simulated.outbox_statements import OutboxStatements
from benchmarks.simulated.store import Named, Noted, Parked, Record, Submitted
from dlr.status import Status
from storage import sql

Statement = Callable[..., Sequence[Record] | str | bool | None]
APPLIED: Final = (
    "id", "message_id", "part", "parts", "account", "category", "status", "changed", "done_at",
    "way", "replaced",
)  # fmt: skip
PARKED: Final = (
    "connector", "carrier_id", "status", "reason", "error", "done_at", "received_at", "to_idx",
    "sender", "unknown_state", "reference_id", "other_idx",
)  # fmt: skip


def numbers(text: str) -> list[int]:
    """The text of an array, as array_text writes it."""
    return msgspec.json.decode(f"[{text[1:-1]}]", type=list[int])


class Statements(OutboxStatements):
    """All of them over one store."""

    def run(self, text: str, *arguments: Any) -> Sequence[Record] | str | bool | None:
        """What the statement answers. Raises LookupError for one that no world needs."""
        name = _NAMES.get(text)
        if name is None:
            self.unknown.append(text[:200])
            raise LookupError(f"no such statement here: {text[:200]}")
        statement: Statement | None = getattr(self, name, None)
        return None if statement is None else statement(*arguments)

    # --- intents and results ---------------------------------------------------------------------

    def intents_open_if_clear(
        self, term: int, ids: list[int], connectors: list[int], sizes: list[int], messages: str,
        *_: object,
    ) -> bool:  # fmt: skip
        named = iter(numbers(messages))
        for each, connector, size in zip(ids, connectors, sizes, strict=True):
            mine = tuple(next(named) for _ in range(size))
            self.store.intent.put(Named(each, term, connector, mine))
        return True

    def intent_close(self, ids: list[int]) -> None:
        for each in ids:
            self.store.intent.delete(each)

    def results_close(self, done: str, intents: list[int]) -> None:
        for each in numbers(done):
            self.store.outbox.delete(each)
        self.intent_close(intents)

    def results_close_again(
        self, done: str, intents: list[int], ways: list[int], term: int
    ) -> None:
        for each, way in zip(numbers(done), ways, strict=True):
            row = self.store.outbox.rows.get(each)
            if row is not None and (row.way, row.owner) == (way, term):
                self.store.outbox.delete(each)
        self.intent_close(intents)

    def submission_copy(self, records: Iterable[Sequence[Any]]) -> None:
        for values in records:
            if values[0] in self.store.submission.rows:
                raise ValueError(f"submission {values[0]} stands already")
            self.store.submission.put(Submitted(*values))

    def submission_insert_again(self, *columns: Sequence[Any]) -> Sequence[Record]:
        new = [
            values
            for values in zip(*columns, strict=True)
            if values[0] not in self.store.submission.rows
        ]
        self.submission_copy(new)
        return [Record(("id",), values[:1]) for values in new]

    def in_doubt_answered(
        self, ids: list[int], statuses: list[int], carrier_ids: list[str | None],
        moments: list[datetime], _first: int, _last: int,
    ) -> Sequence[Record]:  # fmt: skip
        found: list[Record] = []
        for each, status, carrier_id, moment in zip(
            ids, statuses, carrier_ids, moments, strict=True
        ):
            row = self.store.submission.rows.get(each)
            if row is not None:
                self.store.submission.change(
                    row, status=max(row.status, status), responded_at=moment,
                    carrier_id=row.carrier_id or carrier_id,
                    error=None if row.status < status else row.error,
                )  # fmt: skip
                found.append(Record(("id",), (each,)))
        return found

    def event_append(
        self, ids: list[int], messages: list[int], kinds: list[str], details: list[str]
    ) -> None:
        for values in zip(ids, messages, kinds, details, strict=True):
            if values[0] not in self.store.event.rows:
                self.store.event.put(Noted(*values))

    # --- receipts --------------------------------------------------------------------------------

    def submission_match(
        self, connectors: list[int], carrier_ids: list[str], horizon: int, limit: int, most: int
    ) -> Sequence[Record]:
        names = ("position", "id", "message_id", "connector", "parts", "status")
        found: list[Record] = []
        for position, key in enumerate(zip(connectors, carrier_ids, strict=True), 1):
            rows = [
                row
                for row in self.store.submission.rows.values()
                if (row.connector, row.carrier_id) == key and row.id >= horizon
            ]
            rows.sort(key=lambda row: (row.status < limit, row.id), reverse=True)
            found += [
                Record(
                    names, (position, row.id, row.message_id, row.connector, row.parts, row.status)
                )
                for row in rows[:most]
            ]
        return found

    def messages_matched(self, ids: list[int]) -> Sequence[Record]:
        return [
            Record(
                ("id", "to_idx", "parts_known"),
                (
                    row.id,
                    self.vault.index(row.to),
                    len({each.part for each in self.store.results(row.id) if each.part > 0}),
                ),
            )
            for row in self._messages(ids)
        ]

    def submission_apply(
        self, ids: str, statuses: str, reasons: str, errors: list[str | None],
        done: list[datetime | None], received: list[datetime], _first: int, _last: int, below: str,
        before: timedelta, after: timedelta,
    ) -> Sequence[Record]:  # fmt: skip
        answers: list[Record] = []
        for each, status, reason, error, done_at, received_at, limit in zip(
            numbers(ids), numbers(statuses), numbers(reasons), errors, done, received,
            numbers(below), strict=True,
        ):  # fmt: skip
            row = self.store.submission.rows.get(each)
            if row is None:
                continue
            changed = row.status < min(status, limit)
            moment = None
            if changed:
                submitted = row.submitted_at
                early = (
                    isinstance(submitted, datetime)
                    and done_at is not None
                    and done_at < submitted - before
                )
                late = done_at is not None and done_at > received_at + after
                moment = received_at if early or late else done_at
                self.store.submission.change(
                    row, status=status, reason=reason, error=error, done_at=moment,
                    receipt_at=received_at,
                )  # fmt: skip
            answers.append(
                Record(
                    APPLIED,
                    (
                        row.id, row.message_id, row.part, row.parts, row.account, row.category,
                        row.status, changed, moment, row.way, row.replaced,
                    ),
                )
            )  # fmt: skip
        return answers

    def unmatched_park(self, *columns: Sequence[Any]) -> None:
        for values in zip(*columns, strict=True):
            if values[0] not in self.store.parked.rows:
                self.store.parked.put(Parked(*values))

    def unmatched_join(
        self, connectors: list[int], carrier_ids: list[str], now: datetime | None, within: timedelta
    ) -> Sequence[Record]:
        wanted = set(zip(connectors, carrier_ids, strict=True))
        oldest = (now or self.now) - within
        found = [
            row
            for row in self.store.parked.rows.values()
            if (row.connector, row.carrier_id) in wanted
            and isinstance(row.received_at, datetime)
            and row.received_at >= oldest
        ]
        for row in found:
            self.store.parked.delete(row.id)
        return [Record(PARKED, [getattr(row, name) for name in PARKED]) for row in found]

    def unmatched_sweep(
        self, first: int, last: int, horizon: int, most: int, *_: object
    ) -> Sequence[Record]:
        found = [
            row
            for row in sorted(self.store.parked.rows.values(), key=lambda each: each.id)
            if first <= row.id < last
            and any(
                (other.connector, other.carrier_id) == (row.connector, row.carrier_id)
                and other.id >= horizon
                and other.status < max(row.status, Status.UNKNOWN)
                for other in self.store.submission.rows.values()
            )
        ][:most]
        for row in found:
            self.store.parked.delete(row.id)
        return [Record(PARKED, [getattr(row, name) for name in PARKED]) for row in found]

    def unmatched_by_recipient(self, *_: object) -> Sequence[Record]:
        return [Record(("looked_at", "cursor", "submission"), (0, None, None))]

    def unmatched_purge(self, *_: object) -> str:
        return "DELETE 0"


# What is counted, told and looked up of numbers beside sending: no world looks at it.
_LEFT_OUT: Final = (
    "rollup_change_put", "recovery_lock", "end_session", "recipients_of_messages",
    "webhook_change_put", "webhook_change_put_if_wanted", "raw_keep", "terms_not_beyond",
)  # fmt: skip


def _names() -> Mapping[str, str]:
    known = {name for name in dir(Statements) if not name.startswith("_")} | set(_LEFT_OUT)
    texts = {
        text: name
        for package in ("dispatch", "dlr", "storage")
        for name, text in sql.load(package).items()
    }
    return MappingProxyType({text: name for text, name in texts.items() if name in known})


_NAMES: Final = _names()
