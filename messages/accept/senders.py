"""What may stand in the sender field.

Owns the form of a sender: what smpp/addresses.py can carry, less what telephones cannot show. Must
not know which account may use which: validation.py asks the account's policy.
"""

from __future__ import annotations

from functools import lru_cache

from smpp.addresses import AddressError, address

# ASCII that GSM 03.38 has only behind an escape, or not at all.
_NOT_BASIC = frozenset("[]{}\\^~|`")

SENDER_FORM = (
    "a sender is + and 2 to 15 digits, 1 to 20 digits, or 1 to 11 ASCII letters, digits, spaces "
    "and signs other than [ ] { } \\ ^ ~ | `"
)


@lru_cache(maxsize=1024)  # few senders send most messages
def sender_fault(sender: str) -> str | None:
    """Why this is no sender, in a sentence without the sender itself; None if it is one."""
    try:
        address(sender)
    except AddressError:
        return SENDER_FORM
    return None if _NOT_BASIC.isdisjoint(sender) else SENDER_FORM
