"""What this package's tables hold of one person: what they wrote, and what carriers delivered.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).

Which account a part or a kept delivery belongs to is not known. So only an export or erasure for
all accounts has them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from storage import sql
from storage.crypto import NumberVault
from storage.persons import Erased, Person, PersonStep, erased, exported
from storage.pool import Connection

_SQL = sql.load("dispatch")
DELIVERIES_PER_SLICE = 500  # each is decrypted: 5 us


def steps(vault: NumberVault) -> tuple[PersonStep, ...]:
    """`vault` opens what carriers delivered: the number stands in its octets alone."""
    raw = _RawDeliveries(vault)
    parts = erased(_SQL["person_inbound_parts_erase"], "sealed", "accounts", "before")

    async def whole_parts(connection: Connection, whom: Person, place: int) -> Erased:
        done = await parts(connection, whom, place)
        if done.place is None and await connection.fetchval(
            _SQL["person_parts_wait"], whom.sealed, whom.accounts, whom.before
        ):
            return Erased(done.rows, 0, waits=True)
        return done

    return (
        PersonStep(
            "inbound_part",
            exported(_SQL["person_inbound_parts"], "sealed", "accounts"),
            whole_parts,
        ),
        PersonStep(
            "inbound_message",
            exported(_SQL["person_inbound"], "indexes", "accounts"),
            erased(_SQL["person_inbound_erase"], "indexes", "accounts", "before"),
        ),
        PersonStep("raw_delivery", raw.export, raw.erase),
    )


class _RawDeliveries:
    """Found by walking through all of them. They are kept for days."""

    def __init__(self, vault: NumberVault) -> None:
        self._vault = vault

    async def export(self, connection: Connection, whom: Person) -> AsyncIterator[asyncpg.Record]:
        place: int | None = 0
        while place is not None and whom.accounts is None:
            rows, place = await self._slice(connection, whom, place)
            for row in rows:
                yield row

    async def erase(self, connection: Connection, whom: Person, place: int) -> Erased:
        if whom.accounts is not None:
            return Erased(0, None)
        rows, after = await self._slice(connection, whom, place)
        await connection.execute(_SQL["person_raw_erase"], [row["id"] for row in rows])
        return Erased(len(rows), after)

    async def _slice(
        self, connection: Connection, whom: Person, place: int
    ) -> tuple[list[asyncpg.Record], int | None]:
        """The person's among the next deliveries, and the place behind them; None: no more."""
        rows = await connection.fetch(_SQL["person_raw"], place, whom.before, DELIVERIES_PER_SLICE)
        found = []
        for row in rows:
            octets = self._vault.open_octets(row["body_enc"], row["id"])
            if octets is not None and any(digits in octets for digits in whom.digits):
                found.append(row)
        return found, rows[-1]["id"] if rows else None
