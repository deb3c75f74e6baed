"""What became of a row of a file, or of an upsert: verdicts, and codes that say more.

Owns both lists and the numbers that stand for verdicts in tables. Must not decide which one is due.
"""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """Column `import_row.verdict`. UNDONE and KEPT come from an undo."""

    CREATED = 1
    UPDATED = 2
    UNCHANGED = 3
    MERGED = 4  # a number that was known gets the external id
    DUPLICATE_IN_FILE = 5
    INVALID = 6
    UNDONE = 7
    KEPT = 8  # it was changed since, or somebody did something

    @property
    def label(self) -> str:
        """As the API has it."""
        return self.name.lower()


TOO_MANY_NUMBERS = "numbers_max"  # beyond those that a contact may have
# With these the row is taken, without the value that is wrong.
LEFT_OUT = (
    "date_ambiguous", "attr_type", "attr_unknown", "tz_unknown", "too_long", "consent_missing",
    TOO_MANY_NUMBERS,
)  # fmt: skip
# With these the row is invalid.
REFUSED = (
    "number_empty", "number_format", "number_landline", "number_scientific", "number_truncated",
    "number_of_another", "row_malformed",
)  # fmt: skip
TOLD = ("suppressed",)  # the row is taken as any other; the person is not texted
CODES = (*REFUSED, *LEFT_OUT, *TOLD)
