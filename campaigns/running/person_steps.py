"""What a plan holds of one person: the index of their number, and the place they have.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from storage import sql
from storage.persons import PersonStep, erased, exported

_SQL = sql.load("campaigns")

STEPS = (
    PersonStep(
        "campaign_recipient",
        exported(_SQL["person_recipients"], "indexes", "accounts"),
        erased(_SQL["person_recipients_erase"], "indexes", "accounts", "before"),
    ),
)
