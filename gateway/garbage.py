"""How often Python looks for reference cycles, in a process that makes hardly any.

Owns that setting of the collector, for a gateway that has started. Must not free anything itself:
reference counts free nearly all that the hot path makes.
"""

from __future__ import annotations

import gc

# New containers until the youngest are looked through: under 1 ms of work. Python's own 700 looks
# far more often. The oldest generation holds every module and numbering plan; it takes 50 ms, in
# which nothing else happens.
YOUNG_MAX = 20_000
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 20


def settle() -> None:
    """What is there now stays for good and is never looked through again. The rest is, but
    seldom.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
