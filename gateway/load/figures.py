"""What a load has met: answers, times, last statuses, and whether the thresholds hold.

Owns the counts and the comparison with the thresholds. Must not send, nor read a clock.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator

import msgspec

from gateway.load.profile import Thresholds

# Waiting for a last status. What comes beyond is counted, and not waited for.
OPEN_MAX = 1_000_000
# Last statuses of messages whose answer is not here yet.
EARLY_MAX = 100_000
_STEP = math.log(1.01)  # a time is known to a hundredth of itself
DELIVERED = "delivered"


class Times:
    """Times to a hundredth of themselves, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.longest = 0.0

    def note(self, seconds: float) -> None:
        """One more; under a microsecond counts as one."""
        self._counts[math.floor(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float | None:
        """Seconds that this share does not exceed, within a hundredth. None: nothing noted."""
        wanted, seen = math.ceil(self.count * share), 0
        for step, count in sorted(self._counts.items()):
            seen += count
            if seen >= max(wanted, 1):
                return min(math.exp((step + 1) * _STEP), self.longest)
        return None


class Outcome(msgspec.Struct):
    """What became of the messages so far. `late`: requests that this machine sent too late."""

    planned: int = 0
    accepted: int = 0
    suppressed: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)  # messages, by status or code
    requests: int = 0
    retries: int = 0
    late: int = 0
    accept: Times = msgspec.field(default_factory=Times)
    final: Times = msgspec.field(default_factory=Times)
    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    repeated: int = 0  # last statuses told twice
    beyond: int = 0  # not waited for: OPEN_MAX were open

    @property
    def failed(self) -> int:
        """Messages that were not accepted."""
        return sum(self.refused.values())


class Waiting:
    """Messages that have no last status yet, and those whose status came before their answer."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._due: dict[str, float] = {}
        self._early: dict[str, tuple[str, float]] = {}
        self._told: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._due)

    def accepted(self, message_id: str, due: float) -> None:
        """It was due then, and has an id now."""
        early = self._early.pop(message_id, None)
        if early is not None:
            self._end(message_id, early[0], early[1] - due)
        elif len(self._due) < OPEN_MAX:
            self._due[message_id] = due
        else:
            self._outcome.beyond += 1

    def told(self, message_id: str, status: str, now: float) -> None:
        """Its last status was told."""
        due = self._due.pop(message_id, None)
        if due is not None:
            self._end(message_id, status, now - due)
        elif message_id in self._told:
            self._outcome.repeated += 1
        elif len(self._early) < EARLY_MAX:
            self._early[message_id] = (status, now)

    def _end(self, message_id: str, status: str, seconds: float) -> None:
        self._outcome.final.note(seconds)
        self._outcome.statuses[status] += 1
        if len(self._told) >= OPEN_MAX:
            self._told.popitem(last=False)
        self._told[message_id] = None


class Kept(msgspec.Struct, frozen=True):
    """A threshold, what was met, and whether it holds. No figure keeps to no threshold."""

    name: str
    asked: float
    found: float | None
    met: bool


def kept(outcome: Outcome, thresholds: Thresholds) -> Iterator[Kept]:
    """Each threshold that was asked for."""
    accept, final = outcome.accept.quantile(0.99), outcome.final.quantile(0.99)
    found = {
        "accept_p99_ms": None if accept is None else accept * 1000,
        "final_p99_ms": None if final is None else final * 1000,
        "failed_share_max": _share(outcome.failed, outcome.planned),
        "late_share_max": _share(outcome.late, outcome.requests),
        "delivered_share_min": _share(outcome.statuses[DELIVERED], outcome.accepted),
    }
    for name, figure in found.items():
        asked = getattr(thresholds, name)
        if asked is not None:
            at_least = name.endswith("_min")
            met = figure is not None and (figure >= asked if at_least else figure <= asked)
            yield Kept(name, asked, figure, met)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
