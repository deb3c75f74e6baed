"""Rates that say what they are a rate of.

Owns the formulas over outcome counts, and their confidence bounds. Must not count anything
(`dlr/report.py`), nor say what is bad (`dlr/thresholds.py`). Pure.

Every rate carries its numerator, denominator and bounds. 2 of 30 is "6.7 %, between 1.9 and 21.3".
That keeps people from steering by noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType

import msgspec
from msgspec import UNSET, UnsetType

from dlr.thresholds import Threshold, Verdict, verdict

Z_95 = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


class Rate(msgspec.Struct, frozen=True):
    """`value`, `low` and `high` are None while the denominator is 0: no rate is not a rate of 0.
    `low` and `high` enclose it with 95 % certainty. `verdict` is what that shows about the rate's
    threshold, if it has one.
    """

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None
    verdict: Verdict | UnsetType = UNSET


class Formula(msgspec.Struct, frozen=True):
    """A rate as sums of counts: numerator / (denominator - less)."""

    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    less: tuple[str, ...] = ()


NO_THRESHOLDS: Mapping[str, Threshold] = MappingProxyType({})
_FAILURES = ("undelivered", "expired", "rejected")

FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        # Of everything that went on the wire.
        "delivery_rate": Formula(("delivered",), ("sent",)),
        # Of what has a verdict: receipts lag, so this is the early estimate of delivery_rate.
        "confirmed_rate": Formula(("delivered",), ("delivered", *_FAILURES)),
        # Of everything that was meant to go out, whoever failed. Unknown and pending count as
        # neither.
        "failure_rate": Formula(
            (*_FAILURES, "failed"), ("accepted",), less=("suppressed", "capped", "canceled")
        ),
        "unknown_rate": Formula(("unknown",), ("sent",)),
        "unconfirmed_rate": Formula(("unconfirmed",), ("accepted",)),
        "suppressed_rate": Formula(("suppressed",), ("accepted",)),
    }
)


def wilson(numerator: int, denominator: int) -> tuple[float, float]:
    """The 95 % score interval of numerator / denominator (Wilson, 1927), within 0 and 1.

    Raises ValueError unless 0 <= numerator <= denominator and denominator > 0.
    """
    if not 0 <= numerator <= denominator or denominator == 0:
        raise ValueError(f"{numerator} of {denominator} is not a share")
    share = numerator / denominator
    square = Z_95 * Z_95
    scale = 1 + square / denominator
    centre = (share + square / (2 * denominator)) / scale
    reach = (
        Z_95
        * sqrt(share * (1 - share) / denominator + square / (4 * denominator * denominator))
        / scale
    )
    low = 0.0 if numerator == 0 else max(0.0, centre - reach)
    high = 1.0 if numerator == denominator else min(1.0, centre + reach)
    return low, high


def rate_of(numerator: int, denominator: int, threshold: Threshold | None = None) -> Rate:
    """The rate of two counts. Raises ValueError for a numerator above its denominator: a wrong
    formula.
    """
    if denominator == 0 and numerator == 0:
        few = UNSET if threshold is None else Verdict.TOO_FEW
        return Rate(0, 0, None, None, None, few)
    low, high = wilson(numerator, denominator)
    shown = UNSET if threshold is None else verdict(threshold, denominator, low, high)
    return Rate(numerator, denominator, numerator / denominator, low, high, shown)


def delivery_rates(
    counts: Mapping[str, int], thresholds: Mapping[str, Threshold] = NO_THRESHOLDS
) -> dict[str, Rate]:
    """Every rate of FORMULAS from outcome counts (dlr/report.py names them). A missing count
    is 0.
    """
    return rates_of(FORMULAS, counts, thresholds)


def rates_of(
    formulas: Mapping[str, Formula],
    counts: Mapping[str, int],
    thresholds: Mapping[str, Threshold] = NO_THRESHOLDS,
) -> dict[str, Rate]:
    """The rate of every formula. A count that is missing is 0."""
    return {
        name: rate_of(
            _total(formula.numerator, counts),
            _total(formula.denominator, counts) - _total(formula.less, counts),
            thresholds.get(name),
        )
        for name, formula in formulas.items()
    }


def reason_rate(failures: Mapping[str, int], all_reasons: Mapping[str, int]) -> Rate:
    """The failure_rate of one reason: the failures that have it, of what was meant to go out,
    whatever became of it.
    """
    formula = FORMULAS["failure_rate"]
    meant = _total(formula.denominator, all_reasons) - _total(formula.less, all_reasons)
    return rate_of(_total(formula.numerator, failures), meant)


def _total(names: tuple[str, ...], counts: Mapping[str, int]) -> int:
    return sum(counts.get(name, 0) for name in names)
