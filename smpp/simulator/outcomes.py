"""Owns the fate of each message: refused, or accepted and then delivered, failed or forgotten.

Must not schedule or send. A seeded generator decides, unless the destination does: with
``scripted_destinations`` the last four digits choose, so that a rehearsal can be written down.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from smpp import vocabulary
from smpp.simulator.fates import Fate, fate_of
from smpp.simulator.profile import Outcome, Profile, span_seconds

# The last four digits of a destination that decide its fate; all others follow the weights.
SCRIPT: Final[Mapping[bytes, Fate]] = MappingProxyType(
    {
        b"0001": fate_of(Outcome("UNDELIV", "001")),  # unknown subscriber
        b"0027": fate_of(Outcome("UNDELIV", "027")),  # absent subscriber
        b"0003": fate_of(Outcome("EXPIRED", "027")),
        b"0004": fate_of(Outcome("REJECTD", "013")),  # call barred
        b"0005": fate_of(Outcome("none")),  # accepted, and never heard of again
        b"0006": Fate(command_status=vocabulary.ESME_RINVDSTADR),
    }
)


class RateCeiling:
    """The carrier's contract: so many submits a second, a tenth of a second's worth at once."""

    __slots__ = ("_allowance", "_burst", "_refilled_at", "per_second")

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._burst = max(1.0, per_second / 10)
        self._allowance = self._burst
        self._refilled_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether one more submit is within the contract at ``now`` (seconds)."""
        if self.per_second == 0:
            return True
        if self._refilled_at is not None:
            gained = (now - self._refilled_at) * self.per_second
            self._allowance = min(self._burst, self._allowance + gained)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


class Chance:
    """Draws from a profile's spans, weights and shares, with its seed."""

    def __init__(self, profile: Profile) -> None:
        self._random = random.Random(profile.seed)
        self._fates = [fate_of(outcome) for outcome in profile.outcomes]
        weights = list(accumulate(outcome.weight for outcome in profile.outcomes))
        self._fate_bounds = [weight / weights[-1] for weight in weights]
        errors = profile.error_shares()
        self._refusals = [Fate(command_status=status) for status, _ in errors]
        self._refusal_bounds = list(accumulate(share for _, share in errors))
        self._script = SCRIPT if profile.scripted_destinations else {}
        self._oddities = list(profile.receipt_oddities)
        self._oddity_bounds = list(accumulate(profile.receipt_oddities.values()))
        self._latency = span_seconds(profile.answer_latency_ms)
        self._delay = span_seconds(profile.receipt_delay_ms)

    def fate(self, destination_addr: bytes) -> Fate:
        """What becomes of a message to this destination."""
        scripted = self._script.get(destination_addr[-4:])
        if scripted is not None:
            return scripted
        if self._refusals:
            index = bisect(self._refusal_bounds, self._random.random())
            if index < len(self._refusals):
                return self._refusals[index]
        if len(self._fates) == 1:
            return self._fates[0]
        index = bisect(self._fate_bounds, self._random.random())
        return self._fates[min(index, len(self._fates) - 1)]

    def oddity(self) -> str | None:
        """What is wrong with the next receipt's text, if anything."""
        if not self._oddities:
            return None
        index = bisect(self._oddity_bounds, self._random.random())
        return self._oddities[index] if index < len(self._oddities) else None

    def happens(self, share: float) -> bool:
        """True for this share of the calls."""
        return share > 0 and self._random.random() < share

    def latency(self) -> float:
        """Seconds from a submit to its answer."""
        return self._between(self._latency)

    def receipt_delay(self) -> float:
        """Seconds from the answer to the receipt."""
        return self._between(self._delay)

    @property
    def latency_max(self) -> float:
        """Seconds that the slowest answer takes."""
        return self._latency[1]

    @property
    def latency_is_fixed(self) -> bool:
        """Every answer takes equally long, so a batch of submits is answered as one."""
        return self._latency[0] == self._latency[1]

    def _between(self, span: tuple[float, float]) -> float:
        low, high = span
        return low if low == high else low + (high - low) * self._random.random()
