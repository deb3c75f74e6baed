"""Decisions of the rules before the wire, counted for /metrics.

Owns the two labels of a count: the rule, and what it did. Must not decide. Both labels come from
closed sets, so there are few counts.
"""

from __future__ import annotations

from dispatch.holds import Hold
from dispatch.message import Ended, Later, Move

HELD = "held"
REROUTED = (Hold.BREAKER.rule, "rerouted")  # nothing else moves a message before the wire


def add_decision(counts: dict[tuple[str, str], int], decision: Ended | Later | Move | Hold) -> None:
    """Count one more of its kind. An end is named by the status it gives."""
    if isinstance(decision, Ended):
        key = (decision.rule, decision.status.label)
    elif isinstance(decision, Move):
        key = REROUTED
    else:
        hold = decision.hold if isinstance(decision, Later) else decision
        key = (hold.rule, HELD)
    counts[key] = counts.get(key, 0) + 1
