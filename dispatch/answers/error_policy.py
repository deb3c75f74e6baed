"""What a command_status in a submit_sm_resp means: for the message, the pace and the connector.

Owns one table; each decision about a refusal is a row of it. Must not retry, pause or reconnect.
Pure; statuses are plain numbers (SMPP 3.4 section 5.1.3).

A status outside the table says nothing about the message, so it is tried again. Vendors' own (0x400
and up) are among these. Attempts are bounded: such a message ends as `rejected`, with the carrier's
number as its error.

A refusal of what is the same in all messages of a connector is tried again, too. Another connector
may do better, or an operator may act in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from dlr.reasons import Reason
from dlr.status import Status

ATTEMPTS_MAX = 5
RETRY_SECONDS_FIRST = 5.0
RETRY_SECONDS_MAX = 300.0


class Kind(Enum):
    """Who has to act.

    - FINAL: nobody. The message has its outcome.
    - RETRY: this message goes again, later or elsewhere.
    - THROTTLE: the pace goes down. The message goes again at the head of its category; no attempt
      is used.
    - SUSPEND: the connector rests and its route fails over.
    - RECONNECT: the session is of no use. It is ended and bound anew, and the message goes again.
    """

    FINAL = "final"
    RETRY = "retry"
    THROTTLE = "throttle"
    SUSPEND = "suspend"
    RECONNECT = "reconnect"


class Action(msgspec.Struct, frozen=True):
    """A row of the table. `name` is the status in SMPP 3.4 section 5.1.3.

    `status` and `reason` are the message's outcome if this was the last word.
    """

    kind: Kind
    name: str
    reason: Reason
    status: Status
    cooldown_seconds: float = 0.0

    @property
    def elsewhere(self) -> bool:
        """Whether the connector is at fault, so the next one of the route may do better."""
        if self.kind is Kind.RETRY:
            return self.reason in (Reason.ROUTE_UNAVAILABLE, Reason.INTERNAL)
        return self.kind in (Kind.SUSPEND, Kind.RECONNECT)


def _final(name: str, reason: Reason, status: Status = Status.REJECTED) -> Action:
    return Action(Kind.FINAL, name, reason, status)


def _again(kind: Kind, name: str, reason: Reason, cooldown_seconds: float) -> Action:
    return Action(kind, name, reason, Status.REJECTED, cooldown_seconds)


_OURS = Reason.INTERNAL
_DOWN = Reason.ROUTE_UNAVAILABLE
_REFUSED = Reason.CARRIER_REJECTED

ACTIONS: Mapping[int, Action] = MappingProxyType(
    {
        0x00: _final("ESME_ROK", Reason.NONE, Status.SENT),
        0x01: _final("ESME_RINVMSGLEN", _OURS),
        0x02: _final("ESME_RINVCMDLEN", _OURS),
        0x03: _again(Kind.SUSPEND, "ESME_RINVCMDID", _DOWN, 60.0),
        0x04: _again(Kind.RECONNECT, "ESME_RINVBNDSTS", _DOWN, 1.0),
        0x05: _again(Kind.RECONNECT, "ESME_RALYBND", _DOWN, 5.0),
        0x06: _again(Kind.RETRY, "ESME_RINVPRTFLG", _OURS, RETRY_SECONDS_FIRST),
        0x07: _again(Kind.RETRY, "ESME_RINVREGDLVFLG", _OURS, RETRY_SECONDS_FIRST),
        0x08: _again(Kind.RETRY, "ESME_RSYSERR", _DOWN, RETRY_SECONDS_FIRST),
        0x0A: _final("ESME_RINVSRCADR", Reason.CARRIER_BLOCKED),
        0x0B: _final("ESME_RINVDSTADR", Reason.NUMBER_INVALID),
        0x0C: _final("ESME_RINVMSGID", _OURS),
        0x0D: _again(Kind.SUSPEND, "ESME_RBINDFAIL", _DOWN, 60.0),
        0x0E: _again(Kind.SUSPEND, "ESME_RINVPASWD", _DOWN, 300.0),
        0x0F: _again(Kind.SUSPEND, "ESME_RINVSYSID", _DOWN, 300.0),
        0x14: _again(Kind.THROTTLE, "ESME_RMSGQFUL", Reason.THROTTLED, 1.0),  # E37
        0x15: _again(Kind.RETRY, "ESME_RINVSERTYP", _OURS, RETRY_SECONDS_FIRST),
        0x33: _final("ESME_RINVNUMDESTS", _OURS),
        0x34: _final("ESME_RINVDLNAME", _OURS),
        0x40: _final("ESME_RINVDESTFLAG", _OURS),
        0x42: _final("ESME_RINVSUBREP", _OURS),
        0x43: _final("ESME_RINVESMCLASS", _OURS),
        0x44: _final("ESME_RCNTSUBDL", _REFUSED),
        0x45: _final("ESME_RSUBMITFAIL", _REFUSED),
        0x48: _final("ESME_RINVSRCTON", _OURS),
        0x49: _final("ESME_RINVSRCNPI", _OURS),
        0x50: _final("ESME_RINVDSTTON", _OURS),
        0x51: _final("ESME_RINVDSTNPI", _OURS),
        0x53: _again(Kind.SUSPEND, "ESME_RINVSYSTYP", _DOWN, 60.0),
        0x54: _final("ESME_RINVREPFLAG", _OURS),
        0x55: _final("ESME_RINVNUMMSGS", _OURS),
        0x58: _again(Kind.THROTTLE, "ESME_RTHROTTLED", Reason.THROTTLED, 1.0),
        0x61: _final("ESME_RINVSCHED", _OURS),
        0x62: _again(Kind.RETRY, "ESME_RINVEXPIRY", _OURS, RETRY_SECONDS_FIRST),
        0x63: _final("ESME_RINVDFTMSGID", _OURS),
        0x64: _again(Kind.RETRY, "ESME_RX_T_APPN", _DOWN, RETRY_SECONDS_FIRST),
        0x65: _final("ESME_RX_P_APPN", _REFUSED),
        0x66: _final("ESME_RX_R_APPN", _REFUSED),
        0x67: _final("ESME_RQUERYFAIL", _OURS),
        0xC0: _final("ESME_RINVOPTPARSTREAM", _OURS),
        0xC1: _final("ESME_ROPTPARNOTALLWD", _OURS),
        0xC2: _final("ESME_RINVPARLEN", _OURS),
        0xC3: _final("ESME_RMISSINGOPTPARAM", _OURS),
        0xC4: _final("ESME_RINVOPTPARAMVAL", _OURS),
        0xFE: _final("ESME_RDELIVERYFAILURE", _REFUSED, Status.UNDELIVERED),
        0xFF: _again(Kind.RETRY, "ESME_RUNKNOWNERR", Reason.UNKNOWN, RETRY_SECONDS_FIRST),
    }
)


def action_for(command_status: int) -> Action:
    """The row of the table; for a status without one, RETRY under its number."""
    action = ACTIONS.get(command_status)
    if action is None:
        name = f"0x{command_status & 0xFFFFFFFF:08X}"
        action = _again(Kind.RETRY, name, Reason.UNKNOWN, RETRY_SECONDS_FIRST)
    return action


def decide(command_status: int, attempt: int, attempts_max: int = ATTEMPTS_MAX) -> Action:
    """What follows from this answer to the `attempt`-th try (1: the first).

    On the last try, whatever would be tried again becomes FINAL. THROTTLE does not: it uses no
    attempt, and the message's validity bounds the wait. The cooldown of a RETRY doubles from try to
    try, up to RETRY_SECONDS_MAX.
    """
    action = action_for(command_status)
    if action.kind in (Kind.FINAL, Kind.THROTTLE):
        return action
    if attempt >= attempts_max:
        return msgspec.structs.replace(action, kind=Kind.FINAL, cooldown_seconds=0.0)
    if action.kind is Kind.RETRY:
        doubled = action.cooldown_seconds * 2.0 ** (attempt - 1)
        return msgspec.structs.replace(action, cooldown_seconds=min(RETRY_SECONDS_MAX, doubled))
    return action
