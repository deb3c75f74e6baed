"""What becomes of a message that may or may not have been sent.

Owns the three policies and which category has which. Pure. Must not decide that a message is in
doubt: outcomes.py (no answer came) and recovery.py (the process died) do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from dispatch.answers.error_policy import ATTEMPTS_MAX
from storage.categories import Category


class Doubt(Enum):
    """RESEND: rather twice than never. HOLD: `unconfirmed`, until a receipt or a person says.
    FAIL: given up as `failed`, rather never than twice, and nobody has to look.
    """

    RESEND = "resend"
    HOLD = "hold"
    FAIL = "fail"


DOUBT_BY_CATEGORY: Mapping[int, Doubt] = MappingProxyType(
    {
        Category.OTP: Doubt.RESEND,
        Category.TRANSACTIONAL: Doubt.RESEND,
        Category.SERVICE: Doubt.RESEND,
        Category.MARKETING: Doubt.HOLD,
    }
)


class OutcomePolicy(msgspec.Struct, frozen=True):
    """How often to try, and what to do with a message that may or may not have been sent."""

    attempts_max: int = ATTEMPTS_MAX
    doubt_grace_seconds: float = 3.0  # a link that broke is not asked again at once
    doubt: Mapping[int, Doubt] = DOUBT_BY_CATEGORY

    def in_doubt(self, category: int, attempt: int) -> Doubt:
        """What follows for a message whose `attempt` earlier tries were answered or given up (0 =
        this was the first). The last attempt is not repeated: never 28 times (E30).
        """
        policy = self.doubt[category]
        if policy is Doubt.RESEND and attempt + 1 >= self.attempts_max:
            return Doubt.HOLD
        return policy
