"""Lines that would be written again and again are written a few times and then counted.

Owns how many of one kind go through. Pure: the moment is handed in. Must not know what a line
means.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

BURST: Final = 5
STRETCH_SECONDS: Final = 10.0
KINDS_MAX: Final = 1_000  # remembered; beyond it the kind that began longest ago is forgotten


class Repeats:
    """All kinds of lines. At most BURST of a kind go through in a stretch of STRETCH_SECONDS."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kinds)

    def held_back(self, kind: Hashable, now: float) -> int | None:
        """None: this line is one too many. Otherwise it goes through, and so many before it did
        not.
        """
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
