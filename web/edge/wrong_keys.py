"""Keys that do not exist: how many one address, or one prefix of keys, may try.

Owns the bound and what is counted. Must not look a key up (auth.py). Pure: the time is an argument.

A key of 256 random bits cannot be guessed. The bound keeps those who try from crowding the
database, and tells the operator of them. A good key is let in above it, too: it may share an
address with them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator

import structlog

from web.samples import Sample

WRONG_PER_MINUTE = 30
NAMES_MAX = 10_000  # addresses and prefixes remembered; the one longest without a wrong key goes
PREFIX_CHARACTERS = 8  # of a key: `sk_` and 30 of its 256 bits
REASONS = ("unknown", "ended", "address", "prefix")

_ADDRESS, _PREFIX = "address", "prefix"
_MINUTE = 60.0
_log = structlog.get_logger("smsgate.web")


class WrongKeys:
    """So many wrong keys at once, and one more whenever a part of a minute has gone by."""

    def __init__(self, per_minute: int = WRONG_PER_MINUTE) -> None:
        self._step = _MINUTE / per_minute  # seconds until one wrong key is forgotten
        self._forgotten: OrderedDict[tuple[str, str], float] = OrderedDict()  # when all are
        self._counts: Counter[str] = Counter()

    def wait(self, address: str, key: str, now: float) -> float:
        """Seconds until this address may try a key with this beginning; 0.0: it may."""
        return self._over(address, key, now)[1]

    def note_refused(self, address: str, key: str, now: float) -> None:
        """It was told to wait."""
        self._counts[self._over(address, key, now)[0]] += 1

    def _over(self, address: str, key: str, now: float) -> tuple[str, float]:
        """The bound that is reached, and for how many seconds."""
        for name in _names(address, key):
            over = self._forgotten.get(name, 0.0) - now - (_MINUTE - self._step)
            if over > self._step / 1000:  # sums of steps are not exact
                return name[0], over
        return _ADDRESS, 0.0

    def note(self, address: str, key: str, now: float) -> None:
        """It tried a key that does not exist."""
        self._counts["unknown"] += 1
        for name in _names(address, key):
            forgotten = max(now, self._forgotten.pop(name, 0.0)) + self._step
            if len(self._forgotten) >= NAMES_MAX:
                self._forgotten.popitem(last=False)
            self._forgotten[name] = forgotten
            if name[0] == _ADDRESS and forgotten - now > _MINUTE - self._step / 2:
                _log.warning("wrong_keys", address=address)

    def note_ended(self) -> None:
        """Somebody sent a key that was good once. That is no guess."""
        self._counts["ended"] += 1

    def samples(self) -> Iterator[Sample]:
        """The metric of refused keys."""
        for reason in REASONS:
            yield Sample("sms_http_keys_refused_total", self._counts[reason], (reason,))


def _names(address: str, key: str) -> tuple[tuple[str, str], ...]:
    return ((_ADDRESS, address), (_PREFIX, key[:PREFIX_CHARACTERS]))
