"""The guard against an outage that looks like dead numbers.

Owns the counts of a connector's last hour, and the share of proofs at which they are no longer
believed. Must not store anything nor read a clock. Pure.

A carrier whose subscriber register is down says of living numbers that nobody has them. So when
more than a twentieth of an hour's verdicts are proofs, a person decides about them.

The counts are those of this process since its start. A restart forgets them. What has been
suppressed in the hour before waits, too, when the guard closes.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

import msgspec

SHARE_MAX = 0.05
VERDICTS_MIN = 50
SPAN = timedelta(hours=1)
QUARTER_SECONDS = 900
_QUARTERS = int(SPAN.total_seconds()) // QUARTER_SECONDS


class _Quarter(msgspec.Struct):
    number: int
    verdicts: int = 0
    proofs: int = 0


class Guard:
    """The last hour of every connector, by quarters: four numbers and the one that runs."""

    def __init__(self) -> None:
        self._quarters: dict[int, deque[_Quarter]] = {}
        self.closed = 0  # how often proofs began to wait, since start
        self._waits: set[int] = set()

    def count(self, connector: int, verdicts: int, proofs: int, now: datetime) -> None:
        """So many more verdicts of this connector, of them so many proofs."""
        quarters = self._quarters.setdefault(connector, deque(maxlen=_QUARTERS + 1))
        number = _number(now)
        if not quarters or quarters[-1].number < number:
            quarters.append(_Quarter(number))
        quarters[-1].verdicts += verdicts
        quarters[-1].proofs += proofs

    def waits(self, connector: int, now: datetime) -> bool:
        """Whether this connector's proofs wait for a person now."""
        proofs, verdicts = self.share(connector, now)
        waits = verdicts >= VERDICTS_MIN and proofs > SHARE_MAX * verdicts
        if waits and connector not in self._waits:
            self.closed += 1
            self._waits.add(connector)
        elif not waits:
            self._waits.discard(connector)
        return waits

    def share(self, connector: int, now: datetime) -> tuple[int, int]:
        """(proofs, verdicts) of this connector in the last hour."""
        oldest = _number(now) - _QUARTERS
        recent = [each for each in self._quarters.get(connector, ()) if each.number >= oldest]
        return sum(each.proofs for each in recent), sum(each.verdicts for each in recent)


def _number(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp()) // QUARTER_SECONDS
