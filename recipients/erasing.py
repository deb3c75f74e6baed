"""Erasures under way: one bounded batch after another, table by table.

Owns the order of batches and what is stored of them. Must not know a table: steps are handed in.

A batch and how far it came are one transaction. So a process that dies leaves the erasure where it
was, and any process goes on with it. A table is done when a batch finds nothing more of the person.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from recipients.persons import Waits
from storage import audit, sql
from storage.audit import JOB, AuditEntry
from storage.crypto import NumberVault
from storage.ids import IdSource, format_id
from storage.persons import Erase, PersonStep, person
from storage.pool import Connection

_SQL = sql.load("recipients")
ERASED = "persons.erased"
BATCHES_PER_TURN_MAX = 40  # more than there are tables with something of a person


class Erasing:
    """Takes turns. Several processes may; each is at another erasure."""

    def __init__(
        self, vault: NumberVault, ids: IdSource, steps: Sequence[PersonStep], waits: Waits
    ) -> None:
        self._vault = vault
        self._ids = ids
        self._steps: list[tuple[str, Erase]] = [
            (step.table, step.erase) for step in steps if step.erase is not None
        ]
        self._waits = waits
        self.finished = 0

    async def turn(self, connection: Connection) -> int:
        """Do up to BATCHES_PER_TURN_MAX batches of the oldest erasures. Returns how many.

        None while the number key changes: a row may be sealed with either, and would be missed.
        """
        if self._vault.moving:
            return 0
        after, batches = 0, 0
        while batches < BATCHES_PER_TURN_MAX:
            async with connection.transaction():
                row = await connection.fetchrow(_SQL["person_erasure_next"], after)
                if row is None:
                    break
                if not await self._batch(connection, row):
                    after = row["id"]  # it waits, and others need not
            batches += 1
        return batches

    async def _batch(self, connection: Connection, row: asyncpg.Record) -> bool:
        """One batch of this erasure. Returns whether another may follow at once."""
        identifier, counts = row["id"], dict(row["counts"])
        names = [table for table, _ in self._steps]
        # A table that this release does not know: each step may be done again.
        at = names.index(row["step"]) if row["step"] in names else 0
        table, erase = self._steps[at]
        number = self._vault.open(row["number_enc"])
        whom = person(self._vault, number, row["account"], identifier)
        done = await erase(connection, whom, row["place"])
        if done.rows:
            counts[table] = counts.get(table, 0) + done.rows
        place, waits = done.place, done.waits
        if place is None:
            at, place = at + 1, 0
        if at == len(self._steps):
            messages, _ = await self._waits(connection, whom)
            if not messages:
                await self._finish(connection, row, counts)
                return False
            at, waits = 0, True  # accepted before the request, and committed after it
        await connection.execute(
            _SQL["person_erasure_moved"], identifier, names[at], place, waits, counts
        )
        return not waits

    async def _finish(
        self, connection: Connection, row: asyncpg.Record, counts: dict[str, int]
    ) -> None:
        await connection.execute(_SQL["person_erasure_done"], row["id"], self._steps[-1][0], counts)
        detail: dict[str, object] = {
            "erasure": format_id("era", row["id"]),
            "rows": sum(counts.values()),
        }
        entry = AuditEntry(self._ids.next(), row["account"] or 0, JOB, ERASED, None, detail)
        await audit.append(connection, [entry])
        self.finished += 1
