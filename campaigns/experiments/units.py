"""What an experiment counts: recipients whose time to react is over.

Owns that arithmetic. Must not know what an outcome is: a click of a person, or a conversion. Pure.

A recipient who was reached an hour ago cannot be compared with one of yesterday. A slow arm would
lose to a quick one of the same final rate.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dlr.anomalies.significance import Share


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One recipient, in Unix milliseconds; `outcome_ms` is None while there is none."""

    delivered_ms: int
    outcome_ms: int | None = None


def matured(units: Iterable[Unit], window_ms: int, now_ms: int) -> Share:
    """Those with an outcome inside their window, of those whose window is over.

    `window_ms`: how long after delivery an outcome counts, above 0.
    """
    ripe = [unit for unit in units if unit.delivered_ms + window_ms <= now_ms]
    successes = sum(
        unit.outcome_ms is not None and unit.outcome_ms < unit.delivered_ms + window_ms
        for unit in ripe
    )
    return Share(successes, len(ripe))
