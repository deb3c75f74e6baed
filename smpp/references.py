"""Owns the concatenation references: which number the next long message to somebody gets (E78).

Must not do I/O. A phone joins parts by sender, reference and total, so two long messages to one
number must not share a reference while parts of the first may still be under way. A counter per
destination gives each 256 (or 65 536) messages different ones; a counter for all would not.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

DESTINATIONS_MAX: Final = 100_000  # about 15 MB


class ConcatenationReferences:
    """One connector's counters. ``seed`` should differ from process to process, so that a restart
    does not begin with the references that were used just before it.
    """

    def __init__(
        self, *, seed: int = 0, bits: int = 8, destinations_max: int = DESTINATIONS_MAX
    ) -> None:
        self._seed = seed
        self._mask = (1 << bits) - 1
        self._destinations_max = destinations_max
        self._last: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Destinations that are remembered."""
        return len(self._last)

    def take(self, destination: bytes) -> int:
        """The reference of the next long message to ``destination``.

        Keep it with the message: an attempt that sends missing parts must use it again (E79). Of
        the destinations the longest unused are forgotten and begin anew where their hash says.
        """
        last = self._last.pop(destination, None)
        reference = (crc32(destination, self._seed) if last is None else last + 1) & self._mask
        self._last[destination] = reference
        if len(self._last) > self._destinations_max:
            del self._last[next(iter(self._last))]
        return reference
