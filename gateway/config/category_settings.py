"""The settings that differ by category: how long a message is worth sending, what doubt means, and
whether what failed goes another way.

Owns the sections `[validity]`, `[doubt]` and `[another_way]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.base import Settings

DoubtLabel = Literal["resend", "hold", "fail"]
_SECONDS_MIN, _SECONDS_MAX = 10, 2_592_000


class ValiditySettings(Settings, frozen=True, kw_only=True):
    """How long a message without `expires_in` is tried, and the carrier asked to try, by category.

    Counted from acceptance, or from `send_at`; never more than `limits.validity_seconds_max`. What
    is still waiting then becomes `expired`.
    """

    otp: Annotated[
        int, Meta(ge=_SECONDS_MIN, le=_SECONDS_MAX, description="Seconds, one-time passwords.")
    ] = 600
    transactional: Annotated[
        int, Meta(ge=_SECONDS_MIN, le=_SECONDS_MAX, description="Seconds, transactional.")
    ] = 86_400
    service: Annotated[
        int, Meta(ge=_SECONDS_MIN, le=_SECONDS_MAX, description="Seconds, service.")
    ] = 172_800
    marketing: Annotated[
        int, Meta(ge=_SECONDS_MIN, le=_SECONDS_MAX, description="Seconds, marketing.")
    ] = 259_200


class DoubtSettings(Settings, frozen=True, kw_only=True):
    """What becomes of a message that may or may not have been sent: its carrier never answered, or
    the gateway died in between.

    `resend`: rather twice than never. `hold`: it stays `unconfirmed`, until a receipt or a person
    says. `fail`: it becomes `failed` and is not looked at again. Every case is an `in_doubt` event
    or an `unconfirmed` status, and counted.
    """

    otp: Annotated[DoubtLabel, Meta(description="One-time passwords.")] = "resend"
    transactional: Annotated[DoubtLabel, Meta(description="Transactional.")] = "resend"
    service: Annotated[DoubtLabel, Meta(description="Service.")] = "resend"
    marketing: Annotated[DoubtLabel, Meta(description="Marketing.")] = "hold"
    attempts_max: Annotated[
        int,
        Meta(
            ge=1,
            le=20,
            description="Submits of one message in all, refused or in doubt; the last is not "
            "followed by another. Throttling uses up none.",
        ),
    ] = 5
    grace_seconds: Annotated[
        float,
        Meta(ge=0, le=3600, description="Seconds before a message in doubt is sent again."),
    ] = 3.0


class AnotherWaySettings(Settings, frozen=True, kw_only=True):
    """Whether a message that its carrier could not deliver goes once more over another connector of
    its route, by category.

    Each connector of the route is tried once, for reasons that another may not have, and while the
    message is valid. Such a message is paid for once for each.
    """

    otp: Annotated[bool, Meta(description="One-time passwords.")] = False
    transactional: Annotated[bool, Meta(description="Transactional.")] = False
    service: Annotated[bool, Meta(description="Service.")] = False
    marketing: Annotated[bool, Meta(description="Marketing.")] = False
