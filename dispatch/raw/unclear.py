"""Why something that a carrier sent was not understood as it stood.

Owns the names, which are stored and shown. Whoever keeps raw octets asks by them. Decides nothing.
"""

from __future__ import annotations

from enum import StrEnum


class Unclear(StrEnum):
    """One delivery has one: the first of these that holds."""

    UNREADABLE = "unreadable"  # it says that it is a receipt, and names no message
    RECEIPT_LIKE = "receipt_like"  # a handset's message by its marks, a receipt by its text
    UNKNOWN_WORD = "unknown_word"  # a receipt whose state nobody knows
    GUESSED = "guessed"  # read otherwise than it says: a header or field without its mark, a text
    PARKED = "parked"  # a receipt that fits no submit yet; known only once it is stored
