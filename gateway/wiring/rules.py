"""The rules of this process, made from its configuration.

Owns the choice of checks and their order, at accept and before the intent. Must not decide about a
message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dispatch.wire.last_look import SuppressionLook
from gateway.config.account_settings import AccountSettings
from gateway.config.policy_settings import CapSettings, QuietHoursSettings
from gateway.config.settings import Config
from gateway.wiring.inbound import opt_out_scopes
from messages.rules.cap_rules import NOBODY, CapRules, PersonCaps
from messages.rules.caps import CapsCheck, CapsLook
from messages.rules.consent import ConsentCheck, ConsentLook, ConsentRules
from messages.rules.quiet_hours import TimingRules
from messages.rules.quiet_hours_checks import TimingCheck, TimingLook
from messages.rules.rules import Rules
from messages.rules.suppression import SuppressionCheck
from messages.rules.velocity import VelocityCheck, VelocityLimits
from messages.rules.wished_days import DaysCheck, DaysLook, WishedDays
from recipients.caps import Caps
from storage.categories import Category


def build_rules(
    config: Config,
    accounts: Mapping[str, int],
    wall_ms: Callable[[], int],
    decisions: dict[tuple[str, str], int] | None = None,
    *,
    persons: PersonCaps = NOBODY,
) -> Rules:
    """`accounts`: names in the configuration -> ids of table `account`. `decisions` may hold counts
    already. `persons` knows the caps that depend on who a recipient is.
    """
    covers = opt_out_scopes(config, accounts).covers
    timing = timing_rules(config.quiet_hours, config.accounts, accounts)
    consent = consent_rules(config.accounts, accounts)
    wish = wishing(config.accounts, accounts)
    days = WishedDays(wish, timing)
    caps = CapRules(account_caps(config.accounts, accounts), wish, persons)
    velocity = velocity_limits(config.accounts, accounts)
    return Rules(
        timing=timing,
        checks=(
            SuppressionCheck(covers),
            ConsentCheck(consent),
            TimingCheck(timing, wall_ms),
            DaysCheck(days, wall_ms),
            CapsCheck(caps, wall_ms),  # at the moment that timing and days found
            VelocityCheck(velocity, wall_ms),  # last: what another check ends is not counted
        ),
        looks=(
            SuppressionLook(covers),
            ConsentLook(consent),
            TimingLook(timing, wall_ms),
            DaysLook(days, wall_ms),
            CapsLook(caps, wall_ms),  # last, for the same reason
        ),
        decisions={} if decisions is None else decisions,
    )


def consent_rules(settings: Sequence[AccountSettings], accounts: Mapping[str, int]) -> ConsentRules:
    """Which categories take consent."""
    return ConsentRules(
        {
            accounts[account.name]: frozenset(map(Category.of, account.require_consent))
            for account in settings
        }
    )


def account_caps(
    settings: Sequence[AccountSettings], accounts: Mapping[str, int]
) -> dict[tuple[int, int], Caps]:
    """Frequency caps by account and category."""
    caps: dict[tuple[int, int], Caps] = {}
    for account in settings:
        for category in (Category.TRANSACTIONAL, Category.SERVICE, Category.MARKETING):
            chosen: CapSettings | None = getattr(account.caps, category.label)
            if chosen is not None:
                caps[accounts[account.name], category] = Caps(
                    day=chosen.day,
                    week=chosen.week,
                    month=chosen.month,
                    gap_seconds=chosen.gap_seconds,
                )
    return caps


def wishing(settings: Sequence[AccountSettings], accounts: Mapping[str, int]) -> set[int]:
    """Accounts whose recipients may say how much marketing they want."""
    return {accounts[account.name] for account in settings if account.opt_out_page_frequency}


def velocity_limits(
    settings: Sequence[AccountSettings], accounts: Mapping[str, int]
) -> dict[int, VelocityLimits]:
    """Limits on one-time passwords by account."""
    return {
        accounts[account.name]: VelocityLimits(
            Caps(minute=chosen.minute, hour=chosen.hour, day=chosen.day),
            chosen.prefix_digits,
            chosen.prefix_hour,
        )
        for account in settings
        if (chosen := account.otp_velocity) is not None
    }


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
