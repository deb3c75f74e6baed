"""Reasons why a delivery from a carrier was not understood as it stood.

Owns their names, which are stored and shown, and by which raw octets are kept. Must not decide
which one holds.
"""

from __future__ import annotations

from enum import StrEnum


class Unclear(StrEnum):
    """A delivery has one reason: the first of these that holds."""

    UNREADABLE = "unreadable"  # it says that it is a receipt, and names no message
    RECEIPT_LIKE = "receipt_like"  # a handset's message by its marks, a receipt by its text
    UNKNOWN_WORD = "unknown_word"  # a receipt whose state nobody knows
    GUESSED = "guessed"  # read otherwise than it says: a header or field without its mark, a text
    PARKED = "parked"  # a receipt that fits no submit yet; known only once it is stored
