"""What a campaign brought: who was texted against who was held out.

Owns the lift as a difference, as a number of people, and as a ratio. Must not count: both sides
are judged inside the window from their slot, since who is held out is never delivered to. Pure.
"""

from __future__ import annotations

import msgspec

from campaigns.experiments.intervals import Bounded, newcombe, ratio
from dlr.anomalies.significance import Share


class Lift(msgspec.Struct, frozen=True):
    """`difference` of the rates, `extra` people of those texted, `ratio` of the rates.

    `ratio` is None while a side has no conversion.
    """

    difference: Bounded
    extra: Bounded
    ratio: Bounded | None


def lift(texted: Share, held_out: Share) -> Lift | None:
    """Converted of planned, on both sides. None while a side is empty: nothing is known then."""
    if not texted.whole or not held_out.whole:
        return None
    difference = newcombe(texted, held_out)
    people = texted.whole
    extra = Bounded(difference.value * people, difference.low * people, difference.high * people)
    return Lift(difference, extra, ratio(texted, held_out))
