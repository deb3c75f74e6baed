"""What a rate is, and how it is written: `500/s`, `10/s,burst=5`, `3000/m`.

Owns the notation and the default burst. Must not know about time passing (`token_bucket.py`).
"""

from __future__ import annotations

import re

import msgspec

# The default burst is a tenth of a second's worth: an SMSC never sees a whole second at once (E41).
BURST_PER_SECOND = 10
AMOUNT_MAX = 10_000_000
BURST_MAX = 10_000_000

_PERIOD_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPEC = re.compile(
    r"\s*(?P<whole>[0-9]{1,8})(?:\.(?P<decimals>[0-9]{1,3}))?\s*/\s*(?P<period>[smhd])"
    r"\s*(?:,\s*burst\s*=\s*(?P<burst>[0-9]{1,8})\s*)?"
)


class RateSpecError(ValueError):
    """The rate is not written as `AMOUNT/s`, `/m`, `/h` or `/d`, optionally with `,burst=N`."""


class RateSpec(msgspec.Struct, frozen=True):
    """`numerator / denominator` tokens per second, and how many may go at once (`burst`).

    The ratio is exact: 100 an hour is 100/3600, not 0.02777…, so a limit does not drift. Numerator
    0 means paused, never unlimited (E40). A limit that is not wanted is not configured.
    """

    numerator: int
    denominator: int
    burst: int

    @property
    def per_second(self) -> float:
        """Tokens per second, for display and metrics only."""
        return self.numerator / self.denominator

    @property
    def paused(self) -> bool:
        """Whether nothing may pass."""
        return self.numerator == 0


def rate(numerator: int, denominator: int = 1, burst: int | None = None) -> RateSpec:
    """A spec of `numerator / denominator` per second. The burst defaults to 100 ms worth, at least
    1.
    """
    if numerator < 0 or denominator < 1 or (burst is not None and burst < 1):
        raise RateSpecError(f"rate {numerator}/{denominator} with burst {burst} is out of range")
    if burst is None:
        burst = max(1, numerator // (denominator * BURST_PER_SECOND))
    return RateSpec(numerator, denominator, burst)


def parse_rate(text: str) -> RateSpec:
    """Read a rate, with up to three decimals (`0.5/s`). Raises RateSpecError, a ValueError of one
    line.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise RateSpecError(
            f"rate {text[:60]!r}: expected AMOUNT/s, /m, /h or /d and optionally ,burst=N, "
            "for example 500/s"
        )
    decimals = match["decimals"] or ""
    numerator = int(match["whole"] + decimals)
    scale = 10 ** len(decimals)
    if numerator > AMOUNT_MAX * scale:
        raise RateSpecError(f"rate {text[:60]!r}: more than {AMOUNT_MAX} is not a limit")
    burst = int(match["burst"]) if match["burst"] else None
    if burst is not None and not 1 <= burst <= BURST_MAX:
        raise RateSpecError(f"rate {text[:60]!r}: burst must be 1 to {BURST_MAX}")
    return rate(numerator, _PERIOD_SECONDS[match["period"]] * scale, burst)
