"""Log lines that repeat: a few are written, the others are counted.

Owns how many of one kind pass. Must not know what a line means. Pure: the moment is handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

BURST: Final = 5
STRETCH_SECONDS: Final = 10.0
KINDS_MAX: Final = 1_000  # remembered; beyond it the kind that began longest ago is forgotten


class Repeats:
    """All kinds of lines. At most BURST of a kind pass within STRETCH_SECONDS."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kinds)

    def held_back(self, kind: Hashable, now: float) -> int | None:
        """How many before this line were held back. None: this line is, too."""
        began, lines = self._kinds.get(kind, (now, 0))
        if now - began >= STRETCH_SECONDS:
            del self._kinds[kind]
            began, lines, before = now, 0, max(0, lines - BURST)
        else:
            before = 0
        self._kinds[kind] = began, lines + 1
        if len(self._kinds) > KINDS_MAX:
            self._kinds.popitem(last=False)
        return before if lines < BURST else None
