"""Suppressions of the last minutes, for messages that already passed the check in the database.

Owns that short memory. Must not replace the check: it knows only what this process was told.

The check comes with the intent, and a window is prepared ahead of the wire. Without this memory a
person who opted out could be texted once more, seconds later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Key, Suppression

KEEP_MS = 15 * 60_000  # longer than a prepared window waits at any pace
NUMBERS_MAX = 100_000


class JustStopped:
    """Suppressions of the last minutes. Add before the transaction that stores them commits."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[bytes, dict[tuple[int, int], tuple[int, int]]] = OrderedDict()

    def add(self, entries: Iterable[Suppression], now_ms: int) -> None:
        """Nothing that these forbid is written from now on. The oldest numbers go beyond
        NUMBERS_MAX.
        """
        for entry in entries:
            known = self._numbers.pop(entry.to_idx, {})
            until_ms = now_ms + KEEP_MS
            if entry.expires_at is not None:
                until_ms = min(until_ms, int(entry.expires_at.timestamp() * 1000))
            known[entry.account, entry.category] = (entry.reason, until_ms)
            self._numbers[entry.to_idx] = known  # newest last
        for _ in range(len(self._numbers) - NUMBERS_MAX):
            self._numbers.popitem(last=False)

    def remove(self, keys: Iterable[Key]) -> None:
        """These suppressions were taken back."""
        for to_idx, account, category in keys:
            self._numbers.get(to_idx, {}).pop((account, category), None)

    def reason(self, to_idx: bytes, account: int, category: int, now_ms: int) -> int | None:
        """Why nothing of this account and category may be written to this number; None if it
        may.
        """
        if not self._numbers:
            return None
        for (of_account, of_category), (reason, until_ms) in self._numbers.get(to_idx, {}).items():
            if (
                of_account in (EVERY_ACCOUNT, account)
                and of_category in (EVERY_CATEGORY, category)
                and now_ms < until_ms
            ):
                return reason
        return None
