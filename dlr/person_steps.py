"""What this package's tables hold of one person: receipts, and what webhooks told of them.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from storage import sql
from storage.persons import (
    ROWS_PER_SLICE,
    Erased,
    Person,
    PersonStep,
    erased,
    exported,
    walked,
)
from storage.pool import Connection

_SQL = sql.load("dlr")


async def _told(connection: Connection, whom: Person, _place: int) -> Erased:
    """Changes of before become events first, and are erased as such. That takes a moment."""
    if await connection.fetchval(_SQL["person_webhook_changes"], whom.before):
        return Erased(0, 0, waits=True)
    return Erased(0, None)


async def _events(connection: Connection, whom: Person) -> AsyncIterator[asyncpg.Record]:
    """Nothing finds a person among the events, so all are walked through."""
    place = 0
    while True:
        end = await connection.fetchval(_SQL["person_webhook_stretch"], place, ROWS_PER_SLICE)
        if end is None:
            return
        found = await connection.fetch(
            _SQL["person_webhook_events"], whom.sealed, whom.accounts, place, end
        )
        for row in found:
            yield row
        place = end


STEPS = (
    PersonStep("webhook_change", None, _told),
    PersonStep(
        "webhook_attempt",
        None,
        walked(_SQL["person_webhook_attempts_erase"], "sealed", "accounts", "before"),
    ),
    PersonStep(
        "webhook_event",
        _events,
        walked(_SQL["person_webhook_events_erase"], "sealed", "accounts", "before"),
    ),
    PersonStep(
        "unmatched_receipt",
        exported(_SQL["person_receipts"], "indexes", "accounts"),
        erased(_SQL["person_receipts_erase"], "indexes", "accounts", "before"),
    ),
    PersonStep(
        "number_evidence",
        exported(_SQL["person_evidence"], "indexes", "accounts"),
        erased(_SQL["person_evidence_erase"], "indexes", "accounts"),
    ),
    PersonStep("submission", exported(_SQL["person_submissions"], "indexes", "accounts"), None),
)
