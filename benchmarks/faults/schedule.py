"""Which fault comes when: the seed alone decides.

Owns the list of faults, how long each is held, and their order. Must not start, break or ask
anything. Pure: the same seed gives the same faults in the same order, however long a run takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from types import MappingProxyType
from typing import NamedTuple

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """`after_seconds` of load go before it, and it is held for `seconds`.

    `amount` means what its kind says: seconds of a delay or of a clock's step, times of a storm.
    """

    kind: str
    target: str
    after_seconds: float
    seconds: float
    amount: float = 0.0

    @property
    def name(self) -> str:
        """As tables call it."""
        return f"{self.kind}: {self.target}"


class Bounds(NamedTuple):
    """The shortest and the longest hold in seconds, and the least and the largest amount."""

    shortest: float
    longest: float
    least: float = 0.0
    largest: float = 0.0


# What is killed stays dead for its hold. A webhook endpoint is back before the second attempt: that
# comes after four seconds at the earliest, and the third five minutes later.
FAULTS: Mapping[tuple[str, str], Bounds] = MappingProxyType(
    {
        ("kill -9", "gateway"): Bounds(0.1, 2.0),
        ("kill -9", "link server"): Bounds(0.1, 2.0),
        ("kill -9", "PostgreSQL"): Bounds(0.1, 2.0),
        ("kill -9", "carrier"): Bounds(0.1, 2.0),
        ("kill -9", "webhook endpoint"): Bounds(0.1, 1.5),
        ("SIGSTOP", "gateway"): Bounds(1.0, 4.0),
        ("SIGSTOP", "link server"): Bounds(1.0, 4.0),
        ("SIGSTOP", "PostgreSQL"): Bounds(1.0, 4.0),
        ("SIGSTOP", "carrier"): Bounds(1.0, 4.0),
        ("SIGSTOP", "webhook endpoint"): Bounds(1.0, 3.0),
        ("restart", "gateway"): Bounds(0.1, 1.0),
        ("restart", "link server"): Bounds(0.1, 1.0),
        ("restart", "PostgreSQL"): Bounds(0.1, 1.0),
        ("restart", "carrier"): Bounds(0.1, 1.0),
        ("full disk", "PostgreSQL"): Bounds(1.5, 3.0),
        ("full disk", "link server"): Bounds(1.5, 3.0),
        ("slow fsync", "PostgreSQL"): Bounds(2.0, 4.0, 0.05, 0.4),
        ("cut", "carrier"): Bounds(0.5, 2.0, 2, 6),
        ("cut", "PostgreSQL"): Bounds(0.5, 2.0, 2, 6),
        ("cut in a COPY", "PostgreSQL"): Bounds(1.0, 2.0, 1, 4),
        ("delay", "carrier"): Bounds(2.0, 4.0, 0.05, 0.5),
        ("delay", "PostgreSQL"): Bounds(2.0, 4.0, 0.02, 0.1),
        ("half-open", "carrier"): Bounds(2.0, 4.0),
        ("half-open", "PostgreSQL"): Bounds(2.0, 4.0),
        ("clock step", "gateway"): Bounds(1.0, 3.0, -90, 90),
        ("clock step", "link server"): Bounds(1.0, 3.0, -90, 90),
        ("no handles", "gateway"): Bounds(1.0, 3.0),
        ("no handles", "link server"): Bounds(1.0, 3.0),
        ("reload storm", "gateway"): Bounds(1.0, 2.0, 20, 60),
    }
)
LOAD_SECONDS_MIN, LOAD_SECONDS_MAX = 0.3, 1.5


def plan(seed: int) -> Iterator[Fault]:
    """Without end: every fault once in an order of its own, then all of them again."""
    chance = Random(seed)
    while True:
        deck = list(FAULTS)
        chance.shuffle(deck)
        for kind, target in deck:
            bounds = FAULTS[kind, target]
            yield Fault(
                kind,
                target,
                after_seconds=round(chance.uniform(LOAD_SECONDS_MIN, LOAD_SECONDS_MAX), 2),
                seconds=round(chance.uniform(bounds.shortest, bounds.longest), 2),
                amount=round(chance.uniform(bounds.least, bounds.largest), 2),
            )
