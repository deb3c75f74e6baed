"""Which breakers open by themselves, and whether they hold one-time passwords.

Owns the section `[breakers]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Settings


class BreakerSettings(Settings, frozen=True, kw_only=True):
    """Breakers hold messages back where too much fails: they go by another connector, or wait.

    By hand each can be opened and closed. By itself one opens only where it says so here, by an
    alarm of `drop` or `silence`; of senders and campaigns by `complaints`, too.
    """

    connector: Annotated[bool, Meta(description="Whether that of a connector does.")] = False
    operator: Annotated[
        bool, Meta(description="Whether that of an operator on a connector does.")
    ] = False
    campaign: Annotated[bool, Meta(description="Whether that of a campaign does.")] = False
    sender: Annotated[bool, Meta(description="Whether that of a sender does.")] = False
    otp: Annotated[
        bool,
        Meta(
            description="Whether one-time passwords are held and counted, too. Without it they "
            "pass every breaker and open none."
        ),
    ] = False
