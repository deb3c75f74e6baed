"""Words for states that one carrier uses and that have no known meaning.

Owns their counts, and which of them are new. Must not show one that could be a text or a number.
Pure; bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

WORDS_MAX: Final = 100  # of one connector; the words beyond count together
OTHERS: Final = "(others)"
NONE: Final = "(none)"
UNPRINTABLE: Final = "(no word)"
# Capitals and few digits, as carriers write states: no sentence, no name, no number.
_WORD = re.compile(r"(?=(?:\D*\d){0,6}\D*\Z)[A-Z0-9][A-Z0-9:_.-]{0,15}", re.ASCII)


class UnknownWords:
    """The unknown words of one connector, since this process started."""

    def __init__(self) -> None:
        self.total = 0
        self._counts: dict[str, int] = {}

    def count(self, word: str) -> str | None:
        """Count one more receipt with this word. Returns how to show it if it is new, else None."""
        self.total += 1
        shown = shown_word(word)
        if shown not in self._counts and len(self._counts) >= WORDS_MAX:
            shown = OTHERS
        before = self._counts.get(shown, 0)
        self._counts[shown] = before + 1
        return None if before else shown

    def counts(self) -> Mapping[str, int]:
        """Receipts by word: at most WORDS_MAX words, and OTHERS."""
        return MappingProxyType(self._counts)


def shown_word(word: str) -> str:
    """The word as logs and lists may show it."""
    if not word:
        return NONE
    capitals = word.upper()
    return capitals if _WORD.fullmatch(capitals) else UNPRINTABLE
