"""The tables that sending needs, in memory, with transactions.

Owns the rows, and their undoing. Must not know a statement (statements.py), nor fail by itself
(connections.py). What is committed outlives every life, as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

import msgspec

from dlr.ledger import SubmissionRow

T = TypeVar("T", bound=msgspec.Struct)
Undo = list[Callable[[], None]]  # what takes each change back, the latest at the end


class Record:
    """A row of an answer, by name and by place, as asyncpg has it."""

    __slots__ = ("_values", "names")

    def __init__(self, names: Sequence[str], values: Sequence[object]) -> None:
        self.names = names
        self._values = values

    def __getitem__(self, key: int | str) -> object:
        return self._values[key if isinstance(key, int) else self.names.index(key)]

    def __iter__(self) -> Iterator[object]:
        return iter(self._values)


class Waiting(msgspec.Struct, frozen=True):
    """A row of `outbox`. `not_before` in virtual seconds."""

    id: int
    connector: int
    category: int
    account: int
    parts: int
    owner: int = 0
    attempt: int = 0
    not_before: object = None  # an aware datetime
    hold: int = 0
    in_doubt: bool = False
    way: int = 0


class Stored(msgspec.Struct, frozen=True):
    """A row of `message`."""

    id: int
    number: int
    category: int
    account: int
    parts: int
    to: str
    text: str


class Named(msgspec.Struct, frozen=True):
    """A row of `submit_intent`."""

    id: int
    owner: int
    connector: int
    message_ids: tuple[int, ...]


class Parked(msgspec.Struct, frozen=True):
    """A row of `unmatched_receipt`, column for column."""

    id: int
    connector: int
    carrier_id: str
    status: int
    reason: int
    error: str | None
    done_at: object
    received_at: object
    to_idx: bytes | None
    sender: str
    unknown_state: str | None
    reference_id: int | None
    other_idx: bytes | None


class Noted(msgspec.Struct, frozen=True):
    """A row of `event`."""

    id: int
    message_id: int
    kind: str
    detail: str


class Table(Generic[T]):
    """Rows by id. A row is never changed, but replaced."""

    def __init__(self, undo: Undo) -> None:
        self.rows: dict[int, T] = {}
        self._undo = undo

    def put(self, row: T) -> None:
        """Insert or replace."""
        key: int = row.id  # type: ignore[attr-defined]
        self._undo.append(partial(self._back, key, self.rows.get(key)))
        self.rows[key] = row

    def change(self, row: T, **columns: object) -> T:
        """Replace with these columns changed."""
        changed = msgspec.structs.replace(row, **columns)
        self.put(changed)
        return changed

    def delete(self, key: int) -> T | None:
        """Take a row out, if it is there."""
        row = self.rows.pop(key, None)
        if row is not None:
            self._undo.append(partial(self._back, key, row))
        return row

    def _back(self, key: int, row: T | None) -> None:
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row


class Submitted(SubmissionRow, gc=False):
    """A row of `submission`, column for column."""

    replaced: bool = False


class Store:
    """The database of one world."""

    def __init__(self) -> None:
        self._undo: Undo = []
        self.message: Table[Stored] = Table(self._undo)
        self.outbox: Table[Waiting] = Table(self._undo)
        self.intent: Table[Named] = Table(self._undo)
        self.submission: Table[Submitted] = Table(self._undo)
        self.parked: Table[Parked] = Table(self._undo)
        self.event: Table[Noted] = Table(self._undo)
        self.ended_terms: set[int] = set()
        self.commits = 0

    def commit(self) -> None:
        """What was written stands."""
        self.commits += bool(self._undo)
        self._undo.clear()

    def rollback(self) -> None:
        """What was written since the last commit never was."""
        while self._undo:
            self._undo.pop()()

    def named(self) -> Mapping[int, Named]:
        """The open intent of each message."""
        return {
            message: intent
            for intent in self.intent.rows.values()
            for message in intent.message_ids
        }

    def results(self, message_id: int) -> list[Submitted]:
        """The submissions of a message."""
        return [row for row in self.submission.rows.values() if row.message_id == message_id]
