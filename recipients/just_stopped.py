"""Suppressions of the last minutes, for messages that already passed the check in the database.

Owns that short memory. Must not replace the check: it knows only what this process was told.

The check comes with the intent, and a window is prepared ahead of the wire. Without this memory a
person who opted out could be texted once more, seconds later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from recipients.scopes import WHOLE
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Covers, Key, Suppression

KEEP_MS = 15 * 60_000  # longer than a prepared window waits at any pace
NUMBERS_MAX = 100_000


class _Stopped(NamedTuple):
    """`senders` None: all of the account."""

    reason: int
    until_ms: int
    senders: frozenset[str] | None


_NOBODY: Mapping[tuple[int, int], _Stopped] = MappingProxyType({})
_Numbers = OrderedDict[bytes, dict[tuple[int, int], _Stopped]]


class JustStopped:
    """Suppressions of the last minutes. Add one before the transaction that stores it commits.

    `covers` says whether an entry of some senders is about a message from one.
    """

    def __init__(self, covers: Covers = WHOLE.covers) -> None:
        self._numbers: _Numbers = OrderedDict()
        self._many: _Numbers = OrderedDict()
        self.covers = covers

    def add(self, entries: Iterable[Suppression], now_ms: int) -> None:
        """Nothing that these forbid is written from now on. The oldest numbers go beyond
        NUMBERS_MAX.
        """
        self._add(self._numbers, entries, now_ms)

    def add_many(self, entries: Iterable[Suppression], now_ms: int) -> None:
        """As add(), of a whole list. The numbers of lists go beyond NUMBERS_MAX by themselves, so
        that none of those who have just written does.
        """
        self._add(self._many, entries, now_ms)

    def _add(self, numbers: _Numbers, entries: Iterable[Suppression], now_ms: int) -> None:
        for entry in entries:
            known = numbers.pop(entry.to_idx, {})
            until_ms = now_ms + KEEP_MS
            if entry.expires_at is not None:
                until_ms = min(until_ms, int(entry.expires_at.timestamp() * 1000))
            senders = None if entry.senders is None else frozenset(entry.senders)
            before = known.get((entry.account, entry.category))
            if before is not None and now_ms < before.until_ms and senders is not None:
                senders = None if before.senders is None else senders | before.senders
            known[entry.account, entry.category] = _Stopped(entry.reason, until_ms, senders)
            numbers[entry.to_idx] = known  # newest last
        for _ in range(len(numbers) - NUMBERS_MAX):
            numbers.popitem(last=False)

    def remove(self, keys: Iterable[Key]) -> None:
        """These suppressions were taken back."""
        for to_idx, account, category in keys:
            for numbers in (self._numbers, self._many):
                numbers.get(to_idx, {}).pop((account, category), None)

    def narrow(self, key: Key, senders: Collection[str]) -> None:
        """This suppression was taken back for some senders."""
        to_idx, account, category = key
        for numbers in (self._numbers, self._many):
            known = numbers.get(to_idx, {})
            stopped = known.get((account, category))
            if stopped is not None and stopped.senders is not None:
                left = stopped.senders - frozenset(senders)
                known[account, category] = _Stopped(stopped.reason, stopped.until_ms, left)

    def reason(
        self, to_idx: bytes, account: int, category: int, now_ms: int, sender: str = ""
    ) -> int | None:
        """Why nothing of this account and category may be written to this number; None if it
        may.
        """
        if not (self._numbers or self._many):
            return None
        for numbers in (self._numbers, self._many):
            for (of_account, of_category), stopped in numbers.get(to_idx, _NOBODY).items():
                if (
                    of_account in (EVERY_ACCOUNT, account)
                    and of_category in (EVERY_CATEGORY, category)
                    and now_ms < stopped.until_ms
                    and (stopped.senders is None or self._covered(account, stopped.senders, sender))
                ):
                    return stopped.reason
        return None

    def _covered(self, account: int, senders: frozenset[str], sender: str) -> bool:
        return bool(senders) and self.covers(account, sorted(senders), sender)
