"""Which evidence suppresses a number, and for how long.

Owns these rules. Must not store anything nor read a clock. Pure.

One proof is enough. What is ambiguous has to come back over weeks, without a delivery between. What
is temporary never suppresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from dlr.hygiene.proof import Kind

PROOF_LASTS = timedelta(days=180)
REPEATED_LASTS = timedelta(days=60)
REPEATS = 3
REPEATS_WITHIN = timedelta(days=30)
REPEATS_APART = timedelta(days=7)


def until(kind: Kind, now: datetime) -> datetime:
    """When a suppression for this kind of evidence ends, if it begins now."""
    return now + (PROOF_LASTS if kind is Kind.PRUNE else REPEATED_LASTS)


def repeated_since(days: Iterable[date]) -> date | None:
    """The first of the three days that make ambiguous evidence enough; None if it is not.

    The last of `days` is the last of the three. Each is a week or more behind the one before, and
    all lie within 30 days.
    """
    ordered = sorted(set(days), reverse=True)
    if not ordered:
        return None
    chain = [ordered[0]]
    for day in ordered:
        if chain[-1] - day >= REPEATS_APART:
            chain.append(day)
        if len(chain) == REPEATS:
            return day if chain[0] - day <= REPEATS_WITHIN else None
    return None
