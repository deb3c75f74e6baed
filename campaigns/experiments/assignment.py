"""Which arm of an experiment a contact is in.

Owns the hash, the buckets and the order in which they are asked; migration 0066 says the same in
SQL. Must not store an arm: the plan does, once. Pure.

Moved weights would move people between arms. So an arm is asked for once, when the plan is made.
Who is held out and who is in the test group is hashed apart: those shares can grow, and nobody
changes arms by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Final

import msgspec

BUCKETS: Final = 10_000
HOLDOUT: Final = -1  # of this campaign
GLOBAL_HOLDOUT: Final = -2  # of all campaigns of a quarter
ARMS_MAX: Final = 20

_HASH_BITS: Final = 32


def bucket(salt: str, contact: int) -> int:
    """Between 0 and 9 999: the same for the same two, and as if by chance otherwise."""
    digest = sha256(f"{salt}|{contact}".encode()).digest()
    return int.from_bytes(digest[: _HASH_BITS // 8], "big") * BUCKETS >> _HASH_BITS


def weighted(weights: Sequence[int]) -> tuple[int, ...]:
    """The first bucket behind each arm; the last is BUCKETS.

    `weights`: one an arm, at least 0, in any unit. What does not divide goes to the arms that come
    out shortest by rounding down, the first of equals. Raises ValueError without a weight above 0.
    """
    total = sum(weights)
    if not 0 < len(weights) <= ARMS_MAX or min(weights) < 0 or total == 0:
        raise ValueError(f"{weights} are no weights of 1 to {ARMS_MAX} arms")
    buckets = [weight * BUCKETS // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda arm: -(weights[arm] * BUCKETS % total))
    for arm in by_remainder[: BUCKETS - sum(buckets)]:
        buckets[arm] += 1
    return tuple(accumulate(buckets))


class Split(msgspec.Struct, frozen=True):
    """How the contacts of one campaign are split.

    `uppers` as `weighted` makes them. Shares are in ten-thousandths. `global_salt` changes with
    each quarter.
    """

    salt: str
    uppers: tuple[int, ...]
    holdout: int = 0
    test: int = BUCKETS
    global_salt: str = ""
    global_holdout: int = 0

    def arm(self, contact: int) -> int:
        """From 0; or HOLDOUT, or GLOBAL_HOLDOUT, which comes first."""
        if self.global_holdout and bucket(self.global_salt, contact) < self.global_holdout:
            return GLOBAL_HOLDOUT
        if self.holdout and bucket(f"{self.salt}|holdout", contact) < self.holdout:
            return HOLDOUT
        place = bucket(self.salt, contact)
        return sum(upper <= place for upper in self.uppers)

    def in_test(self, contact: int) -> bool:
        """Whether the contact's arm is sent at once. The others wait for the decision."""
        return bucket(f"{self.salt}|test", contact) < self.test
