"""Owns what a session tells its user: answers, inbound messages, and how it ended.

Must not have behaviour: shapes only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from smpp.pdu import DataSm, QuerySm, ShortMessage

# submit_sm, deliver_sm or data_sm
MessageRequest = ShortMessage | DataSm
# What waits in a window for its answer.
Request = MessageRequest | QuerySm


class SubmitResponse(msgspec.Struct, gc=False):
    """The peer's answer to one request of ours: a submit_sm or, on the SMSC's side, a deliver_sm.

    ``command_status`` is 0 on success, else the status of the response or of the generic_nack that
    stood in for it (E66). ``message_id`` is empty whenever the peer sent none (E62).
    """

    context: object
    command_status: int
    message_id: bytes


class QueryResponse(msgspec.Struct, gc=False):
    """What came of one query_sm. ``command_status`` None: no answer in time.

    ``nacked``: the peer does not know the command, or says so of this one. The rest is 0 where the
    peer did not say it.
    """

    context: object
    command_status: int | None
    message_state: int = 0
    error_code: int = 0
    final_date: bytes = b""
    nacked: bool = False


class Delivery(msgspec.Struct, gc=False):
    """One inbound deliver_sm or data_sm that waits for ``Bind.acknowledge``.

    ``session_token`` names the session it came on: an answer may only go back there.
    """

    pdu: MessageRequest
    session_token: int


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a session is over. ``graceful``: flush what is written first, else cut the connection."""

    reason: str
    graceful: bool


@dataclass(slots=True)
class Batch:
    """What one read (or one slice of it) brought, each kind in the order of arrival."""

    responses: list[SubmitResponse] = field(default_factory=list)
    late: list[SubmitResponse] = field(default_factory=list)  # of requests that had expired
    queried: list[QueryResponse] = field(default_factory=list)
    requests: list[MessageRequest] = field(default_factory=list)
    bound: bool = False  # the session became bound in this slice
    worked: int = 0  # PDUs, of whatever kind


@dataclass(slots=True)
class SessionCounters:
    """Plain totals over all sessions of one bind or server."""

    responses_unmatched: int = 0  # late, duplicate or unasked for: counted, never fatal (E32)
    nacks_unmatched: int = 0  # generic_nack with sequence 0 or an unknown one (E66)
    pdus_malformed: int = 0  # bodies that could not be read, answered once (E65)
    requests_refused: int = 0  # not allowed in this state, or a command not served here
    taken_on_transmitter: int = 0  # messages on a session that was bound to send only (E97)
    taken_before_bind: int = 0  # messages that came before the bind_resp, held for it (E97)
    enquire_links_sent: int = 0
    enquire_links_answered: int = 0


@dataclass(slots=True)
class BindCounters:
    """Plain totals of one bind since the start, over all sessions; queries are not among them."""

    attempts: int = 0
    sessions: int = 0
    submitted: int = 0
    answered: int = 0
    expired: int = 0
    in_flight_lost: int = 0
    deliveries: int = 0
    acknowledged: int = 0
