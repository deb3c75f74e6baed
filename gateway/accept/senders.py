"""What may stand in the sender field.

Owns the form of a sender. Must not know which account may use which (validation.py asks the
account's policy).
"""

from __future__ import annotations

import re

# Digits: at most 15, as E.164; with + an international number, without it also a short code.
_DIGITS = re.compile(r"\+?[0-9]{1,15}", re.ASCII)
# At most 11 characters of 7 bits fit an address field (3GPP TS 23.040, 9.1.2.5). SMPP carries it as
# ASCII, so only what ASCII and GSM 03.38 share: no [ ] { } \ ^ ~ | or backquote.
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 !\"#$%&'()*+,\-./:;<=>?@_]{1,11}", re.ASCII)

SENDER_FORM = (
    "a sender is 1 to 15 digits (with + if international), or 1 to 11 letters, digits, spaces and "
    "signs of the GSM alphabet that are ASCII"
)


def sender_fault(sender: str) -> str | None:
    """Why this is no sender, in a sentence without the sender itself; None if it is one."""
    if _DIGITS.fullmatch(sender):
        return None
    if _ALPHANUMERIC.fullmatch(sender) and not sender.isspace():
        if sender.strip("+").isdecimal():
            return SENDER_FORM
        return None
    return SENDER_FORM
