"""What this package's tables hold of one person: consent, complaints, how often they were texted.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from storage import sql
from storage.persons import PersonStep, erased, exported

_SQL = sql.load("recipients")

STEPS = (
    PersonStep(
        "frequency",
        exported(_SQL["person_frequencies"], "indexes", "accounts"),
        erased(_SQL["person_frequencies_erase"], "indexes", "accounts"),
    ),
    PersonStep(
        "consent",
        exported(_SQL["person_consents"], "indexes", "accounts"),
        erased(_SQL["person_consents_erase"], "indexes", "accounts", "before"),
    ),
    PersonStep(
        "preference",
        exported(_SQL["person_preferences"], "indexes", "accounts"),
        erased(_SQL["person_preferences_erase"], "indexes", "accounts"),
    ),
    PersonStep(
        "complaint",
        exported(_SQL["person_complaints"], "indexes", "accounts"),
        erased(_SQL["person_complaints_erase"], "indexes", "accounts", "before"),
    ),
)
