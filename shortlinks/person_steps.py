"""What this package's tables hold of one person: clicks on their links, what these led to,
and addresses with values of theirs.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from storage import sql
from storage.persons import PersonStep, erased, exported

_SQL = sql.load("shortlinks")

STEPS = (
    PersonStep("conversion", exported(_SQL["person_conversions"], "indexes", "accounts"), None),
    PersonStep(
        "click",
        exported(_SQL["person_clicks"], "indexes", "accounts"),
        erased(_SQL["person_clicks_erase"], "indexes", "accounts", "before"),
    ),
    PersonStep(
        "link_range",
        exported(_SQL["person_links"], "indexes", "accounts"),
        erased(_SQL["person_links_erase"], "indexes", "accounts", "before"),
    ),
)
