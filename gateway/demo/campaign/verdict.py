"""Which of two texts is better, in words, and whether the people were enough to say so.

Owns those words. Must not count. Pure.

Of few people an interval leaves out 0 now and then by chance alone. So sizes are asked first, as an
experiment's rules ask them.
"""

from __future__ import annotations

from campaigns.experiments.always_valid import SUCCESSES_MIN
from campaigns.experiments.intervals import newcombe
from campaigns.experiments.winner import MATURED_MIN
from dlr.anomalies.significance import Share
from gateway.demo.campaign.truth import ARMS

TOO_FEW = "too few to say"
NOTHING_SHOWN = "no difference shown"


def of_arms(one: Share, other: Share) -> str:
    """Of the first arm's and the second's people who clicked, of those who got the text."""
    if not one.whole or not other.whole:
        return TOO_FEW
    apart = newcombe(other, one)
    bounds = f"{apart.value:+.3f}, between {apart.low:+.3f} and {apart.high:+.3f}"
    few = any(each.whole < MATURED_MIN or each.part < SUCCESSES_MIN for each in (one, other))
    if not few and (apart.above_zero or apart.below_zero):
        better = ARMS[1] if apart.above_zero else ARMS[0]
        return f"{better} is better: {ARMS[1]} - {ARMS[0]} = {bounds}"
    return f"{TOO_FEW if few else NOTHING_SHOWN}: {ARMS[1]} - {ARMS[0]} = {bounds}"
