"""Why a message was not delivered: carriers' codes mapped to one closed set.

Owns the set, what each reason means for the number (`permanent`, `prune`), and the code tables
shipped with smsgate. Must not decide what is done about a reason: retries are
`gateway/dispatch/error_policy.py`, suppression `dlr/hygiene.py`.

A number is given up for a definite code only. Codes that say "vacant or switched off" map to the
reason that does not prune: texting a dead number costs a fee, dropping a living customer costs the
customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

import msgspec

from dlr.status import Status


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

    @property
    def label(self) -> str:
        """The name in the API, in webhooks, in reports."""
        return self.name.lower()

    @property
    def permanent(self) -> bool:
        """Whether the same message to the same number would fail again."""
        return REASONS[self].permanent

    @property
    def prune(self) -> bool:
        """Whether one such outcome is enough to stop texting the number."""
        return REASONS[self].prune


class ReasonInfo(msgspec.Struct, frozen=True):
    """`doc`: the sentence shown to people. `party`: who can do something about it."""

    permanent: bool
    prune: bool
    party: str
    doc: str


REASONS: Mapping[Reason, ReasonInfo] = MappingProxyType(
    {
        Reason.NONE: ReasonInfo(False, False, "nobody", "Nothing went wrong."),
        # Not pruned: a carrier also refuses valid numbers that were routed to it by mistake.
        Reason.NUMBER_INVALID: ReasonInfo(
            True, False, "recipient", "The carrier does not accept this number."
        ),
        Reason.NUMBER_UNKNOWN: ReasonInfo(
            True, True, "recipient", "No subscriber has this number."
        ),
        Reason.NUMBER_SUSPENDED: ReasonInfo(
            False, False, "recipient", "The subscription is suspended."
        ),
        Reason.HANDSET_UNREACHABLE: ReasonInfo(
            False, False, "recipient", "The handset is off or out of reach."
        ),
        Reason.HANDSET_FULL: ReasonInfo(
            False, False, "recipient", "The handset has no room for more messages."
        ),
        Reason.CARRIER_BLOCKED: ReasonInfo(
            True, False, "carrier", "The carrier does not let this sender or route through."
        ),
        Reason.CONTENT_FILTERED: ReasonInfo(
            True, False, "content", "The carrier's content filter stopped the text."
        ),
        Reason.RECIPIENT_BLOCKED: ReasonInfo(
            True, False, "recipient", "The recipient is on a block list of the carrier."
        ),
        Reason.OPTED_OUT: ReasonInfo(True, False, "recipient", "The recipient opted out."),
        Reason.THROTTLED: ReasonInfo(
            False, False, "carrier", "The carrier asked for a slower pace until the end."
        ),
        Reason.EXPIRED: ReasonInfo(
            False, False, "time", "The validity period ended before delivery."
        ),
        Reason.ROUTE_UNAVAILABLE: ReasonInfo(
            False, False, "carrier", "No connection to the carrier could take the message."
        ),
        Reason.INTERNAL: ReasonInfo(
            False, False, "gateway", "A fault or a setting of this gateway."
        ),
        Reason.CARRIER_REJECTED: ReasonInfo(
            True, False, "carrier", "The carrier refused the message without saying more."
        ),
        Reason.UNKNOWN: ReasonInfo(False, False, "carrier", "The carrier gave no known reason."),
        Reason.QUIET_HOURS: ReasonInfo(
            False, False, "time", "The recipient's quiet hours did not let it go in time."
        ),
        Reason.SEND_WINDOW: ReasonInfo(
            False, False, "time", "The message's own send window did not open in time."
        ),
        Reason.FREQUENCY_CAP: ReasonInfo(
            False, False, "gateway", "The recipient was sent as many as the account allows."
        ),
        Reason.NO_CONSENT: ReasonInfo(
            True, False, "recipient", "The recipient has not consented to messages of this kind."
        ),
        Reason.VELOCITY_NUMBER: ReasonInfo(
            False, False, "gateway", "Too many one-time passwords for this number in a short time."
        ),
        Reason.VELOCITY_PREFIX: ReasonInfo(
            False, False, "gateway", "Too many one-time passwords for numbers that begin like this."
        ),
    }
)

# MAP user errors by their local value (3GPP TS 29.002, 17.6), the numbers many SMSCs put in `err:`.
MAP_CODES: Mapping[str, Reason] = MappingProxyType(
    {
        "001": Reason.NUMBER_UNKNOWN,  # unknownSubscriber
        "005": Reason.HANDSET_UNREACHABLE,  # unidentifiedSubscriber: not known where it is, not who
        "006": Reason.HANDSET_UNREACHABLE,  # absentSubscriberSM
        "009": Reason.CARRIER_REJECTED,  # illegalSubscriber
        "011": Reason.CARRIER_REJECTED,  # teleserviceNotProvisioned: no SMS in this subscription
        "012": Reason.CARRIER_REJECTED,  # illegalEquipment
        "013": Reason.CARRIER_BLOCKED,  # callBarred
        "021": Reason.CARRIER_REJECTED,  # facilityNotSupported
        "027": Reason.HANDSET_UNREACHABLE,  # absentSubscriber
        "031": Reason.HANDSET_UNREACHABLE,  # subscriberBusyForMT-SMS
        "033": Reason.HANDSET_UNREACHABLE,  # messageWaitingListFull
    }
)

# Chinese carriers' receipt codes.
CHINA_CODES: Mapping[str, Reason] = MappingProxyType(
    {
        "MK:0001": Reason.NUMBER_UNKNOWN,  # vacant number
        "MI:0210": Reason.NUMBER_UNKNOWN,
        "MI:0073": Reason.NUMBER_UNKNOWN,
        "MK:0005": Reason.NUMBER_SUSPENDED,  # out of service
        "MK:0013": Reason.NUMBER_SUSPENDED,
        "MI:0024": Reason.HANDSET_UNREACHABLE,  # switched off
        "MI:0042": Reason.HANDSET_UNREACHABLE,
        "MK:0023": Reason.HANDSET_UNREACHABLE,
        "MI:0054": Reason.HANDSET_UNREACHABLE,  # vacant, suspended or switched off: no proof of any
        "MI:0059": Reason.HANDSET_UNREACHABLE,
        "MI:0208": Reason.HANDSET_FULL,
        "MBBLACK": Reason.RECIPIENT_BLOCKED,
        "DBBLACK": Reason.RECIPIENT_BLOCKED,
        "DB:0144": Reason.RECIPIENT_BLOCKED,
        "MK:0115": Reason.CONTENT_FILTERED,
        "XA:0003": Reason.CARRIER_BLOCKED,  # signature not registered
        "MN:0001": Reason.CARRIER_BLOCKED,  # screened, but may also be vacant
        "MK:0000": Reason.CARRIER_BLOCKED,
    }
)

# command_status names (SMPP 3.4, 5.1.3) of refusals that are final.
COMMAND_STATUSES: Mapping[str, Reason] = MappingProxyType(
    {
        "ESME_RINVDSTADR": Reason.NUMBER_INVALID,
        "ESME_RINVDSTTON": Reason.INTERNAL,
        "ESME_RINVDSTNPI": Reason.INTERNAL,
        "ESME_RINVSRCADR": Reason.CARRIER_BLOCKED,
        "ESME_RINVSRCTON": Reason.INTERNAL,
        "ESME_RINVSRCNPI": Reason.INTERNAL,
        "ESME_RINVMSGLEN": Reason.INTERNAL,
        "ESME_RINVCMDLEN": Reason.INTERNAL,
        "ESME_RINVCMDID": Reason.ROUTE_UNAVAILABLE,
        "ESME_RINVPRTFLG": Reason.INTERNAL,
        "ESME_RINVREGDLVFLG": Reason.INTERNAL,
        "ESME_RINVESMCLASS": Reason.INTERNAL,
        "ESME_RINVSCHED": Reason.INTERNAL,
        "ESME_RINVEXPIRY": Reason.INTERNAL,
        "ESME_RINVDFTMSGID": Reason.INTERNAL,
        "ESME_RINVREPFLAG": Reason.INTERNAL,
        "ESME_RINVSERTYP": Reason.INTERNAL,
        "ESME_RINVDCS": Reason.INTERNAL,
        "ESME_RINVSYSTYP": Reason.ROUTE_UNAVAILABLE,
        "ESME_RINVOPTPARSTREAM": Reason.INTERNAL,
        "ESME_ROPTPARNOTALLWD": Reason.INTERNAL,
        "ESME_RINVPARLEN": Reason.INTERNAL,
        "ESME_RMISSINGOPTPARAM": Reason.INTERNAL,
        "ESME_RINVOPTPARAMVAL": Reason.INTERNAL,
        "ESME_RTHROTTLED": Reason.THROTTLED,
        "ESME_RMSGQFUL": Reason.THROTTLED,
        "ESME_RSYSERR": Reason.ROUTE_UNAVAILABLE,
        "ESME_RINVBNDSTS": Reason.ROUTE_UNAVAILABLE,
        "ESME_RX_T_APPN": Reason.ROUTE_UNAVAILABLE,
        "ESME_RSUBMITFAIL": Reason.CARRIER_REJECTED,
        "ESME_RX_P_APPN": Reason.CARRIER_REJECTED,
        "ESME_RX_R_APPN": Reason.CARRIER_REJECTED,
        "ESME_RDELIVERYFAILURE": Reason.CARRIER_REJECTED,
    }
)

_CODES: Mapping[str, Reason] = MappingProxyType({**MAP_CODES, **CHINA_CODES, **COMMAND_STATUSES})

_OF_STATUS: Mapping[Status, Reason] = MappingProxyType(
    {
        Status.UNKNOWN: Reason.UNKNOWN,
        Status.UNCONFIRMED: Reason.UNKNOWN,
        Status.EXPIRED: Reason.EXPIRED,
        Status.REJECTED: Reason.CARRIER_REJECTED,
        Status.UNDELIVERED: Reason.UNKNOWN,
        Status.FAILED: Reason.INTERNAL,
        Status.SUPPRESSED: Reason.UNKNOWN,
    }
)

_EXPLAINED = frozenset({Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED, Status.FAILED})
# An expired message can carry a left-over code of an earlier attempt; only these two are the
# carrier's verdict.
_VERDICTS = frozenset({Status.REJECTED, Status.UNDELIVERED})

NO_CODES: Mapping[str, Reason] = MappingProxyType({})


def canonical_code(error: str) -> str:
    """One spelling per code: upper case, decimal numbers with three digits (`1`, `01`, `0001` are
    `001`; E26).
    """
    code = error.strip().upper()
    if code.isascii() and code.isdigit() and len(code) <= 10:
        return f"{int(code):03d}"
    return code


def reason_of(
    status: Status, error: str | None, carrier_map: Mapping[str, Reason] = NO_CODES
) -> Reason:
    """Why a part has this status.

    `error` is the carrier's code (`err:` of the receipt, a command_status name, a CMPP stat word);
    `carrier_map` is the connector's own table, keyed by `canonical_code`, and wins over the shipped
    ones. Unknown codes give the status's own reason. A reason that prunes is given only for a
    carrier's verdict (rejected, undelivered).
    """
    plain = _OF_STATUS.get(status, Reason.NONE)
    if not error or status not in _EXPLAINED:
        return plain
    code = canonical_code(error)
    reason = carrier_map.get(code) or _CODES.get(code, plain)
    if reason.prune and status not in _VERDICTS:
        return plain
    return reason


def reason_from_label(label: str) -> Reason:
    """The reason with this API name. Raises ValueError that lists the names."""
    try:
        return Reason[label.upper()]
    except KeyError:
        names = ", ".join(reason.label for reason in Reason)
        raise ValueError(f"reason {label!r}: expected one of {names}") from None
