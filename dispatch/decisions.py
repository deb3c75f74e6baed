"""What the rules decided, counted for /metrics.

Owns the two labels of a decision: the rule's name and what it did. Both come from closed sets, so
that the counts stay few. Must not decide.
"""

from __future__ import annotations

from dispatch.holds import Hold
from dispatch.message import Ended, Later

HELD = "held"


def add_decision(counts: dict[tuple[str, str], int], decision: Ended | Later | Hold) -> None:
    """One more of its kind; an end is named by the status it gives."""
    if isinstance(decision, Ended):
        key = (decision.rule, decision.status.label)
    else:
        hold = decision.hold if isinstance(decision, Later) else decision
        key = (hold.rule, HELD)
    counts[key] = counts.get(key, 0) + 1
