"""What the tables of contacts hold of one person: contact, numbers, what they did, rows of files.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py). The
contact is the person: with one of its numbers it goes as a whole, with those merged into it.
"""

from __future__ import annotations

from storage import persons, sql
from storage.persons import Erased, Person, PersonStep, erased, exported
from storage.pool import Connection

_SQL = sql.load("campaigns")


async def _files(connection: Connection, whom: Person, _place: int) -> Erased:
    """A file that is not read yet may bring the person back, so it is waited for."""
    waits = await connection.fetchval(_SQL["person_imports_open"], whom.accounts, whom.before)
    return Erased(0, 0, waits=True) if waits else Erased(0, None)


async def _contacts(connection: Connection, whom: Person, _place: int) -> Erased:
    """With what was told of them since the steps before: nobody tells more meanwhile."""
    await connection.execute(_SQL["engagement_hold"])
    most = persons.ROWS_PER_BATCH
    asked = whom.indexes, whom.accounts, whom.before, most
    rows = await connection.fetch(_SQL["person_contacts_lock"], *asked)
    ids = [row["id"] for row in rows]
    if ids:
        await connection.execute(_SQL["person_contacts_erase"], ids)
    return Erased(len(ids), None if len(ids) < most else 0)


def _step(table: str, statement: str) -> PersonStep:
    return PersonStep(
        table,
        exported(_SQL[statement], "indexes", "accounts"),
        erased(_SQL[f"{statement}_erase"], "indexes", "accounts", "before"),
    )


# Contacts are found through their numbers, which go last; references through events.
STEPS = (
    PersonStep("import_piece", None, _files),
    _step("import_row", "person_import_rows"),
    _step("contact_event_ref", "person_event_refs"),
    _step("contact_event", "person_contact_events"),
    _step("engagement", "person_engagements"),
    _step("hour_profile", "person_hours"),
    PersonStep("contact", exported(_SQL["person_contacts"], "indexes", "accounts"), _contacts),
    _step("contact_number", "person_contact_numbers"),
)
