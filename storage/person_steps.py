"""What this package's tables hold of one person: suppressions, timelines, the audit.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from storage import sql
from storage.persons import Erased, Person, PersonStep, erased, exported
from storage.pool import Connection

_SQL = sql.load("storage")
_audit = erased(_SQL["person_audit_erase"], "indexes", "accounts", "before")


async def _linked(connection: Connection, whom: Person, place: int) -> Erased:
    """A row that is not in the chain yet has to get its commitments first."""
    done = await _audit(connection, whom, place)
    if done.place is None and await connection.fetchval(
        _SQL["person_audit_unlinked"], whom.indexes, whom.accounts, whom.before
    ):
        return Erased(done.rows, 0, waits=True)
    return done


STEPS = (
    PersonStep("event", exported(_SQL["person_events"], "indexes", "accounts"), None),
    PersonStep(
        "suppression",
        exported(_SQL["person_suppressions"], "indexes", "accounts"),
        erased(_SQL["person_suppressions_erase"], "indexes", "accounts"),
    ),
)
AUDIT = PersonStep("audit", exported(_SQL["person_audit"], "indexes", "accounts"), _linked)
