"""The settings of the rules about when, how often and to whom messages go.

Owns the section `[quiet_hours]` and the tables inside an account that switch such rules on. Must
not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.base import Settings
from gateway.config.values import DailyHours, TimeZone

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
