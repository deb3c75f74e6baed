"""The settings of the rules about when, how often and to whom messages go.

Owns the section `[quiet_hours]` and the tables inside an account that switch such rules on. Must
not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.config.base import Settings
from gateway.config.values import DailyHours, TimeZone

_Count = Annotated[int, Meta(ge=1, le=1000)]
_QUIET = "Hours in which none goes, by the recipient's clock; unset: none."


class QuietHoursSettings(Settings, frozen=True, kw_only=True):
    """When recipients are left in peace. Off unless set. By the clock of the number's time zone;
    of a number that may be in several, when it is allowed in all of them.
    """

    otp: Annotated[DailyHours | None, Meta(description=_QUIET)] = None
    transactional: Annotated[DailyHours | None, Meta(description=_QUIET)] = None
    service: Annotated[DailyHours | None, Meta(description=_QUIET)] = None
    marketing: Annotated[DailyHours | None, Meta(description=_QUIET)] = None
    action: Annotated[
        Literal["hold", "reject"],
        Meta(
            description="Messages that come then wait, or end as `suppressed`, unless they say "
            "which."
        ),
    ] = "hold"
    time_zone: Annotated[
        TimeZone, Meta(description="For numbers that do not tell theirs, unless the account says.")
    ] = TimeZone("UTC")


class CapSettings(Settings, frozen=True, kw_only=True):
    """How many messages of one category an account sends to one number. Spans roll: a day is the
    last 24 hours, a week 7 days, a month 30. Counted before the wire, given back if never sent.
    """

    day: Annotated[_Count | None, Meta(description="In 24 hours; unset: any.")] = None
    week: Annotated[_Count | None, Meta(description="In 7 days; unset: any.")] = None
    month: Annotated[_Count | None, Meta(description="In 30 days; unset: any.")] = None
    gap_seconds: Annotated[
        int,
        Meta(ge=0, le=2_592_000, description="Seconds between two; the second one waits."),
    ] = 0


NO_CAPS = CapSettings()
USUAL_MARKETING_CAPS = CapSettings(day=1, week=2, month=4)


class AccountCapSettings(Settings, frozen=True, kw_only=True):
    """Frequency caps by category. Each costs a look at the number before every such message."""

    transactional: Annotated[CapSettings | None, Meta(description="Unset: none.")] = None
    service: Annotated[CapSettings | None, Meta(description="Unset: none.")] = None
    marketing: Annotated[
        CapSettings | None,
        Meta(description="Unset: none. An empty table, `{}`: 1 a day, 2 a week, 4 a month."),
    ] = None

    def __post_init__(self) -> None:
        """An empty table that capped nothing would be taken for a protection; checks.py refuses
        those of the other categories.
        """
        if self.marketing == NO_CAPS:
            msgspec.structs.force_setattr(self, "marketing", USUAL_MARKETING_CAPS)


class OtpVelocitySettings(Settings, frozen=True, kw_only=True):
    """Limits against those who have one-time passwords sent for the fee. What is refused ends as
    `suppressed`, with the reason `velocity_number` or `velocity_prefix`, and is not counted.
    """

    minute: Annotated[_Count | None, Meta(description="To one number a minute.")] = 1
    hour: Annotated[_Count | None, Meta(description="To one number an hour.")] = 5
    day: Annotated[_Count | None, Meta(description="To one number in 24 hours.")] = 10
    prefix_digits: Annotated[
        int, Meta(ge=1, le=14, description="First digits, after the +, that make a prefix.")
    ] = 8
    prefix_hour: Annotated[
        int, Meta(ge=1, le=1_000_000, description="To all numbers of one prefix an hour.")
    ] = 1000
