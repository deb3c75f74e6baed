"""The field `retention` of a message: how long its text is kept.

Owns its form and its limits. Must not empty a text (messages/control/text_ends.py). Pure.
"""

from __future__ import annotations

from messages.models import AccountPolicy, FieldError
from messages.requests import RetentionRequest

DAYS_MAX = 3_650
UNTIL_FINAL = 0


def text_days(
    request: RetentionRequest | None, account: AccountPolicy, faults: list[FieldError]
) -> int | None:
    """As column `message.text_days` has it. What is wrong is added to `faults`."""
    if request is None:
        return account.text_days
    wanted = request.text
    if isinstance(wanted, str):
        return UNTIL_FINAL if wanted == "discard" else None
    if not 1 <= wanted.days <= DAYS_MAX:
        detail = f"days are 1 to {DAYS_MAX}"
        faults.append(FieldError("out_of_range", detail, "/retention/text/days"))
    return wanted.days
