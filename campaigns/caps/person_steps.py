"""What this room's tables hold of one person: which capped segments they are in.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py). It goes
before the contact, through which it is found.
"""

from __future__ import annotations

from storage import sql
from storage.persons import PersonStep, erased, exported

_SQL = sql.load("campaigns")

STEPS = (
    PersonStep(
        "group_cap_member",
        exported(_SQL["person_group_caps"], "indexes", "accounts"),
        erased(_SQL["person_group_caps_erase"], "indexes", "accounts", "before"),
    ),
)
