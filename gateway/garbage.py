"""How often Python looks for reference cycles in a process that makes hardly any.

Owns that setting of the collector, for a gateway that has started. Frees nothing itself: nearly all
that the hot path makes is freed by its reference counts.
"""

from __future__ import annotations

import gc

# New containers before the youngest are looked through: under 1 ms of work. With Python's own 700
# the collector spent 145 ms on the younger two generations over 20 000 messages, so 54 ms; the
# oldest, with every module and numbering plan in it, takes 50 ms, in which nothing else happens.
YOUNG_MAX = 20_000
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 20


def settle() -> None:
    """What is there now stays until the end and is never looked through again; the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
