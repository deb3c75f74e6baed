"""Why a message was not delivered: one closed set of reasons.

Owns the set, and what each reason says to people. Must not know carriers' codes (`dlr/codes.py`).
Must not decide what is done about one: retries are `dispatch/answers/error_policy.py`, suppression
is `dlr/hygiene`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

import msgspec


class Reason(IntEnum):
    """The code is stored in `submission.reason` and `suppression.reason`."""

    NONE = 0
    NUMBER_INVALID = 1
    NUMBER_UNKNOWN = 2
    NUMBER_SUSPENDED = 3
    HANDSET_UNREACHABLE = 4
    HANDSET_FULL = 5
    CARRIER_BLOCKED = 6
    CONTENT_FILTERED = 7
    RECIPIENT_BLOCKED = 8
    OPTED_OUT = 9
    THROTTLED = 10
    EXPIRED = 11
    ROUTE_UNAVAILABLE = 12
    INTERNAL = 13
    CARRIER_REJECTED = 14
    UNKNOWN = 15
    QUIET_HOURS = 20
    SEND_WINDOW = 21
    FREQUENCY_CAP = 22
    NO_CONSENT = 23
    VELOCITY_NUMBER = 24
    VELOCITY_PREFIX = 25
    RESTORED = 26

    @property
    def label(self) -> str:
        """The name in the API, in webhooks, in reports."""
        return self.name.lower()

    @property
    def permanent(self) -> bool:
        """Whether the same message to the same number would fail again."""
        return REASONS[self].permanent


class ReasonInfo(msgspec.Struct, frozen=True):
    """`doc`: the sentence shown to people. `party`: who can do something about it."""

    permanent: bool
    party: str
    doc: str


REASONS: Mapping[Reason, ReasonInfo] = MappingProxyType(
    {
        Reason.NONE: ReasonInfo(False, "nobody", "Nothing went wrong."),
        Reason.NUMBER_INVALID: ReasonInfo(
            True, "recipient", "The carrier does not accept this number."
        ),
        Reason.NUMBER_UNKNOWN: ReasonInfo(True, "recipient", "No subscriber has this number."),
        Reason.NUMBER_SUSPENDED: ReasonInfo(False, "recipient", "The subscription is suspended."),
        Reason.HANDSET_UNREACHABLE: ReasonInfo(
            False, "recipient", "The handset is off or out of reach."
        ),
        Reason.HANDSET_FULL: ReasonInfo(
            False, "recipient", "The handset has no room for more messages."
        ),
        Reason.CARRIER_BLOCKED: ReasonInfo(
            True, "carrier", "The carrier does not let this sender or route through."
        ),
        Reason.CONTENT_FILTERED: ReasonInfo(
            True, "content", "The carrier's content filter stopped the text."
        ),
        Reason.RECIPIENT_BLOCKED: ReasonInfo(
            True, "recipient", "The recipient is on a block list of the carrier."
        ),
        Reason.OPTED_OUT: ReasonInfo(True, "recipient", "The recipient opted out."),
        Reason.THROTTLED: ReasonInfo(
            False, "carrier", "The carrier asked for a slower pace until the end."
        ),
        Reason.EXPIRED: ReasonInfo(False, "time", "The validity period ended before delivery."),
        Reason.ROUTE_UNAVAILABLE: ReasonInfo(
            False, "carrier", "No connection to the carrier could take the message."
        ),
        Reason.INTERNAL: ReasonInfo(False, "gateway", "A fault or a setting of this gateway."),
        Reason.CARRIER_REJECTED: ReasonInfo(
            True, "carrier", "The carrier refused the message without saying more."
        ),
        Reason.UNKNOWN: ReasonInfo(False, "carrier", "The carrier gave no known reason."),
        Reason.QUIET_HOURS: ReasonInfo(
            False, "time", "The recipient's quiet hours did not let it go in time."
        ),
        Reason.SEND_WINDOW: ReasonInfo(
            False, "time", "The message's own send window did not open in time."
        ),
        Reason.FREQUENCY_CAP: ReasonInfo(
            False, "gateway", "The recipient was sent as many as the account allows."
        ),
        Reason.NO_CONSENT: ReasonInfo(
            True, "recipient", "The recipient has not consented to messages of this kind."
        ),
        Reason.VELOCITY_NUMBER: ReasonInfo(
            False, "gateway", "Too many one-time passwords for this number in a short time."
        ),
        Reason.VELOCITY_PREFIX: ReasonInfo(
            False, "gateway", "Too many one-time passwords for numbers that begin like this."
        ),
        Reason.RESTORED: ReasonInfo(
            False,
            "gateway",
            "It waited when the database was made from a backup: it may have been sent since.",
        ),
    }
)


def reason_from_label(label: str) -> Reason:
    """The reason with this API name. Raises ValueError that lists the names."""
    try:
        return Reason[label.upper()]
    except KeyError:
        names = ", ".join(reason.label for reason in Reason)
        raise ValueError(f"reason {label!r}: expected one of {names}") from None
