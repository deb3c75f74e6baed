"""One person as the tables know them, and what a table's step of an export or erasure is.

Owns these shapes. Must not know a table: each package has the steps of those that it writes
(person_steps.py in it), and the catalogue person_tables.py names them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import asyncpg
import msgspec

from storage.crypto import NumberVault
from storage.pool import Connection
from storage.subscribers import canonical, other_form

ROWS_PER_BATCH = 1_000
ROWS_PER_SLICE = 5_000  # of a table that is walked through, since nothing finds the person in it


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom rows are about.

    `indexes` and `sealed` are all that the columns may hold of their number; `digits` is each of
    its forms without the plus. `accounts`: whose rows; None: everybody's, and those of nobody.
    `before`: only what has a lower id.
    """

    indexes: Sequence[bytes]
    sealed: Sequence[bytes]
    digits: Sequence[bytes]
    accounts: Sequence[int] | None
    before: int


def person(vault: NumberVault, number: str, account: int | None, before: int) -> Person:
    """The person with this E.164 number, whichever valid form of it is given."""
    forms = [number, canonical(number)]
    other = other_form(number)
    if other is not None:
        forms.append(other)
    unique = list(dict.fromkeys(forms))
    return Person(
        indexes=vault.indexes_ever(number),
        sealed=vault.seal_many(unique),
        digits=[form[1:].encode() for form in unique],
        accounts=None if account is None else (account,),
        before=before,
    )


class Erased(NamedTuple):
    """What one batch has done: how many rows, and where the next one begins.

    `place` None: nothing is left. `waits`: something of the person is still on its way.
    """

    rows: int
    place: int | None
    waits: bool = False


Need = Literal["indexes", "sealed", "accounts", "before", "place"]
Export = Callable[[Connection, Person], AsyncIterator[asyncpg.Record]]
Erase = Callable[[Connection, Person, int], Awaitable[Erased]]


class PersonStep(NamedTuple):
    """What is done about one table. `export` None: its rows say nothing that another's do not.

    `erase` None: its rows have nothing of the person once the others are erased. A batch is called
    inside a transaction, again and again until nothing is left, and may be repeated.
    """

    table: str
    export: Export | None
    erase: Erase | None


def exported(statement: str, *needs: Need) -> Export:
    """The rows of a statement with these parameters, in its order."""

    async def rows(connection: Connection, whom: Person) -> AsyncIterator[asyncpg.Record]:
        arguments = [getattr(whom, need) for need in needs]
        async for row in connection.cursor(statement, *arguments, prefetch=ROWS_PER_BATCH):
            yield row

    return rows


def erased(statement: str, *needs: Need) -> Erase:
    """Batches of a statement with these parameters and, last, how many rows it may change.

    It answers with how many it changed.
    """

    async def batch(connection: Connection, whom: Person, _place: int) -> Erased:
        arguments = [getattr(whom, need) for need in needs]
        rows = await connection.fetchval(statement, *arguments, ROWS_PER_BATCH)
        return Erased(rows, None if rows < ROWS_PER_BATCH else 0)

    return batch


def walked(statement: str, *needs: Need) -> Erase:
    """Slices of a table. The statement is given, last, an id and how many rows behind it to look
    at. It answers with `rows` changed and the `place` of the last one looked at, NULL at the end.
    """

    async def slice_of(connection: Connection, whom: Person, place: int) -> Erased:
        arguments = [getattr(whom, need) for need in needs]
        row = await connection.fetchrow(statement, *arguments, place, ROWS_PER_SLICE)
        assert row is not None  # an aggregate
        return Erased(row["rows"], row["place"])

    return slice_of


def steps_of(packages: Mapping[str, Sequence[PersonStep]]) -> Mapping[str, PersonStep]:
    """All steps by their table."""
    return {step.table: step for steps in packages.values() for step in steps}
