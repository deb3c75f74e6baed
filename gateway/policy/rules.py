"""The rules of this process, made from its configuration.

Owns the choice of checks and their order, at accept and before the intent. Decides about no
message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from gateway.accept.checks import FlushCheck, SuppressionCheck
from gateway.config.account_settings import AccountSettings
from gateway.config.policy_settings import QuietHoursSettings
from gateway.config.settings import Config
from gateway.dispatch.last_look import LastLook, SuppressionLook
from gateway.policy.timing import TimingRules
from gateway.policy.timing_checks import TimingCheck, TimingLook
from storage.categories import Category


class Rules(msgspec.Struct, frozen=True):
    """What validation, the accepter and the intent writer are given."""

    timing: TimingRules
    checks: Sequence[FlushCheck]
    looks: Sequence[LastLook]


def build_rules(config: Config, accounts: Mapping[str, int], wall_ms: Callable[[], int]) -> Rules:
    """`accounts`: the names in the configuration to the ids of table `account`."""
    timing = timing_rules(config.quiet_hours, config.accounts, accounts)
    return Rules(
        timing=timing,
        checks=(SuppressionCheck(), TimingCheck(timing, wall_ms)),
        looks=(SuppressionLook(), TimingLook(timing, wall_ms)),
    )


def timing_rules(
    quiet: QuietHoursSettings, settings: Sequence[AccountSettings], accounts: Mapping[str, int]
) -> TimingRules:
    """Quiet hours and time zones as configured."""
    hours = {category: getattr(quiet, category.label) for category in Category}
    return TimingRules(
        quiet={category: span.hours for category, span in hours.items() if span is not None},
        action=quiet.action,
        account_zones={
            accounts[account.name]: account.time_zone.zone
            for account in settings
            if account.time_zone is not None
        },
        default_zone=quiet.time_zone.zone,
    )
