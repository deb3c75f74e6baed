"""Messages that may or may not have been sent: what becomes of them.

Owns the three policies, and which category has which. Must not decide that a message is in doubt:
outcomes.py (no answer came) and recovery.py (the process died) do. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from dispatch.answers.error_policy import ATTEMPTS_MAX
from storage.categories import Category


class Doubt(Enum):
    """What becomes of a message in doubt.

    RESEND sends it again: rather twice than never. HOLD leaves it `unconfirmed` until a receipt or
    a person decides. FAIL gives it up as `failed`: rather never than twice, and nobody has to look.
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
    """How often to try, and what to do with a message in doubt."""

    attempts_max: int = ATTEMPTS_MAX
    doubt_grace_seconds: float = 3.0  # a link that broke is not asked again at once
    doubt: Mapping[int, Doubt] = DOUBT_BY_CATEGORY

    def in_doubt(self, category: int, attempt: int) -> Doubt:
        """The policy for a message after `attempt` earlier tries (0: this was the first).

        RESEND becomes HOLD after the last attempt, so nothing is sent again without end (E30).
        """
        policy = self.doubt[category]
        if policy is Doubt.RESEND and attempt + 1 >= self.attempts_max:
            return Doubt.HOLD
        return policy
