"""What this room's tables hold of one person: the contact and its numbers.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py). The
contact is the person: with one of its numbers it goes as a whole, with those merged into it.
"""

from __future__ import annotations

from storage import sql
from storage.persons import PersonStep, erased, exported

_SQL = sql.load("campaigns")

# Contacts are found through their numbers, which go last.
STEPS = (
    PersonStep(
        "contact",
        exported(_SQL["person_contacts"], "indexes", "accounts"),
        erased(_SQL["person_contacts_erase"], "indexes", "accounts", "before"),
    ),
    PersonStep(
        "contact_number",
        exported(_SQL["person_contact_numbers"], "indexes", "accounts"),
        erased(_SQL["person_contact_numbers_erase"], "indexes", "accounts", "before"),
    ),
)
