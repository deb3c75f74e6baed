"""How likely a number still has its subscriber, and the word for it.

Owns the formula of `validity` and the verdicts made of it. Must not read tables or clocks. Pure.

validity = (3 + Σ delivered) / (4 + Σ all). Each day of evidence adds the weight of its kind, halved
every 90 days. So a number that nobody ever texted has .75.

Evidence that a number is dead counts nothing once a message was delivered on that day or later. The
code was wrong, or the number has a new subscriber, or it went to another operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Literal

import msgspec

from dlr.hygiene.proof import Kind

HALVED_AFTER_DAYS = 90
DEAD_BELOW = 0.35
RISKY_BELOW = 0.70

Likely = Literal["dead", "risky", "unknown", "good"]

_WEIGHTS: Mapping[Kind, float] = MappingProxyType(
    {Kind.DELIVERED: 1.0, Kind.TEMPORARY: 0.1, Kind.AMBIGUOUS: 0.5, Kind.PRUNE: 6.0}
)
_OVERTAKEN = (Kind.AMBIGUOUS, Kind.PRUNE)  # by a later delivery


class Day(msgspec.Struct, frozen=True, gc=False):
    """One day's evidence of one kind. That of several accounts on one day counts once."""

    day: date
    kind: Kind


class Score(msgspec.Struct, frozen=True):
    """`validity`: from 0 to 1. `proven`: evidence counts by which nobody has the number.

    `recycled`: the number was delivered to after such evidence. `known`: there is evidence at all.
    """

    validity: float
    proven: bool
    recycled: bool
    known: bool

    @property
    def verdict(self) -> Likely:
        """The first that fits of dead, risky, unknown, good."""
        if self.proven and self.validity < DEAD_BELOW:
            return "dead"
        if self.validity < RISKY_BELOW:
            return "risky"
        return "good" if self.known else "unknown"


def score(days: Iterable[Day], today: date) -> Score:
    """The score of a number with this evidence, as of `today`. Evidence of later days counts as of
    today.
    """
    evidence = set(days)
    delivered = [each.day for each in evidence if each.kind is Kind.DELIVERED]
    last = max(delivered, default=None)
    good = total = 0.0
    proven = recycled = False
    for each in evidence:
        if each.kind in _OVERTAKEN and last is not None and each.day <= last:
            recycled = recycled or each.kind is Kind.PRUNE
            continue
        age = max(0, (today - each.day).days)
        weight = _WEIGHTS[each.kind] * 0.5 ** (age / HALVED_AFTER_DAYS)
        total += weight
        if each.kind is Kind.DELIVERED:
            good += weight
        proven = proven or each.kind is Kind.PRUNE
    return Score((3.0 + good) / (4.0 + total), proven, recycled, bool(evidence))
