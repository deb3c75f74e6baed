"""The rules of a running gateway, as accept and the last check ask them.

Owns their order. Must not hold a rule itself, nor read the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dispatch.wire.last_look import LastLook
from messages.accepting import FlushCheck
from messages.rules.quiet_hours import TimingRules


class Rules(msgspec.Struct, frozen=True):
    """What validation, the accepter and the intent writer are given."""

    timing: TimingRules
    checks: Sequence[FlushCheck]
    looks: Sequence[LastLook]
    # (rule, "refused"): what validation counts
    decisions: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
