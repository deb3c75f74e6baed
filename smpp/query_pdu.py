"""Owns the PDUs about messages that were submitted before, and the rare ones: query_sm, cancel_sm,
replace_sm with their responses, submit_multi, outbind and alert_notification.

Must not hold state or decide what to answer. SMPP 3.4 sections 4.1.7, 4.5, 4.8, 4.9, 4.10, 4.12.
The TLVs that SMPP 5.0 allows on them are kept. submit_multi is read as far as its sender and the
number of its destinations and never sent: one message id for many receipts cannot be tracked (E10).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from msgspec import Struct as Record

from smpp.message_pdu import SHORT_MESSAGE_OCTETS_MAX, MessageResponse
from smpp.tlv import (
    HEADER,
    HEADER_OCTETS,
    PduError,
    Tlvs,
    c_octet_string,
    read_c_octet_string,
    read_tlvs,
    read_whole_tlvs,
    tlv_octets,
)
from smpp.vocabulary import (
    ALERT_NOTIFICATION,
    CANCEL_SM,
    CANCEL_SM_RESP,
    ESME_RINVDSTADR,
    ESME_RINVEXPIRY,
    ESME_RINVMSGID,
    ESME_RINVMSGLEN,
    ESME_RINVNUMDESTS,
    ESME_RINVPASWD,
    ESME_RINVSCHED,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    ESME_RINVSYSID,
    OUTBIND,
    QUERY_SM,
    QUERY_SM_RESP,
    REPLACE_SM,
    REPLACE_SM_RESP,
    SUBMIT_MULTI,
    SUBMIT_MULTI_RESP,
)

_TON_NPI: Final = Struct("BB")


class QuerySm(Record, gc=False):
    """query_sm, 4.8.1: what became of the message with this id."""

    sequence_number: int
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    tlvs: Tlvs = ()


class QuerySmResp(MessageResponse, gc=False):
    """query_sm_resp, 4.8.2. ``message_state`` as vocabulary.MessageState, 0 where none came;
    ``final_date`` for smpp.times.parse, empty while the message is under way.
    """

    final_date: bytes = b""
    message_state: int = 0
    error_code: int = 0


class CancelSm(Record, gc=False):
    """cancel_sm, 4.9.1: one message by its id, or, with an empty id, all between two addresses."""

    sequence_number: int
    service_type: bytes = b""
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    tlvs: Tlvs = ()


class CancelSmResp(MessageResponse, gc=False):
    """cancel_sm_resp, 4.9.2: a status and no body, so ``message_id`` and ``tlvs`` are empty."""


class ReplaceSm(Record, gc=False):
    """replace_sm, 4.10.1: another text for a message that is still with the carrier."""

    sequence_number: int
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    schedule_delivery_time: bytes = b""
    validity_period: bytes = b""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()


class ReplaceSmResp(MessageResponse, gc=False):
    """replace_sm_resp, 4.10.2: a status and no body, as CancelSmResp."""


class SubmitMulti(Record, gc=False):
    """submit_multi, 4.5.1, up to ``number_of_dests``; ``rest`` is all after it, unread."""

    sequence_number: int
    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    number_of_dests: int = 0
    rest: bytes = b""


class SubmitMultiResp(MessageResponse, gc=False):
    """submit_multi_resp, 4.5.2. ``unsuccess`` is what follows the message id, unread: the number of
    refused destinations and their list. ``tlvs`` are empty.
    """

    unsuccess: bytes = b""


class Outbind(Record, gc=False):
    """outbind, 4.1.7: a carrier asks the ESME to bind. It has no response."""

    sequence_number: int
    system_id: bytes = b""
    password: bytes = b""

    def __repr__(self) -> str:
        # The generated one would print the password.
        return f"Outbind(sequence_number={self.sequence_number}, system_id={self.system_id!r})"


class AlertNotification(Record, gc=False):
    """alert_notification, 4.12.1: a phone is within reach again. It has no response."""

    sequence_number: int
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: bytes = b""
    tlvs: Tlvs = ()


OperationRequest = QuerySm | CancelSm | ReplaceSm | SubmitMulti
QueryPdu = (
    OperationRequest
    | QuerySmResp
    | CancelSmResp
    | ReplaceSmResp
    | SubmitMultiResp
    | Outbind
    | AlertNotification
)


def refusal_of(request: OperationRequest, command_status: int) -> MessageResponse:
    """The request's own response with ``command_status`` and no body: what its sender waits for."""
    return _RESPONSES[type(request)](request.sequence_number, command_status)


_RESPONSES: Final[dict[type[OperationRequest], type[MessageResponse]]] = {
    QuerySm: QuerySmResp,
    CancelSm: CancelSmResp,
    ReplaceSm: ReplaceSmResp,
    SubmitMulti: SubmitMultiResp,
}


# --- to octets; ValueError, OverflowError or struct.error for what a field cannot hold -----------


def encode_query_sm(pdu: QuerySm) -> bytes:
    body = (
        c_octet_string(pdu.message_id, "message_id")
        + _source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        + tlv_octets(pdu.tlvs)
    )
    return _frame(QUERY_SM, 0, pdu.sequence_number, body)


def encode_query_sm_resp(pdu: QuerySmResp) -> bytes:
    body = b""
    if pdu.command_status == 0 or pdu.message_id or pdu.message_state or pdu.tlvs:
        body = b"%b%b%c%c%b" % (
            c_octet_string(pdu.message_id, "message_id"),
            c_octet_string(pdu.final_date, "final_date"),
            pdu.message_state,
            pdu.error_code,
            tlv_octets(pdu.tlvs),
        )
    return _frame(QUERY_SM_RESP, pdu.command_status, pdu.sequence_number, body)


def encode_cancel_sm(pdu: CancelSm) -> bytes:
    body = (
        c_octet_string(pdu.service_type, "service_type")
        + c_octet_string(pdu.message_id, "message_id")
        + _source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        + _TON_NPI.pack(pdu.dest_addr_ton, pdu.dest_addr_npi)
        + c_octet_string(pdu.destination_addr, "destination_addr")
        + tlv_octets(pdu.tlvs)
    )
    return _frame(CANCEL_SM, 0, pdu.sequence_number, body)


def encode_cancel_sm_resp(pdu: CancelSmResp) -> bytes:
    return _frame(CANCEL_SM_RESP, pdu.command_status, pdu.sequence_number, b"")


def encode_replace_sm(pdu: ReplaceSm) -> bytes:
    if len(pdu.short_message) > SHORT_MESSAGE_OCTETS_MAX:
        raise ValueError(f"short_message has {len(pdu.short_message)} octets, 254 is most")
    body = b"%b%b%b%b%c%c%c%b%b" % (
        c_octet_string(pdu.message_id, "message_id"),
        _source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr),
        c_octet_string(pdu.schedule_delivery_time, "schedule_delivery_time"),
        c_octet_string(pdu.validity_period, "validity_period"),
        pdu.registered_delivery,
        pdu.sm_default_msg_id,
        len(pdu.short_message),
        pdu.short_message,
        tlv_octets(pdu.tlvs),
    )
    return _frame(REPLACE_SM, 0, pdu.sequence_number, body)


def encode_replace_sm_resp(pdu: ReplaceSmResp) -> bytes:
    return _frame(REPLACE_SM_RESP, pdu.command_status, pdu.sequence_number, b"")


def encode_submit_multi(pdu: SubmitMulti) -> bytes:
    body = b"%b%b%c%b" % (
        c_octet_string(pdu.service_type, "service_type"),
        _source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr),
        pdu.number_of_dests,
        pdu.rest,
    )
    return _frame(SUBMIT_MULTI, 0, pdu.sequence_number, body)


def encode_submit_multi_resp(pdu: SubmitMultiResp) -> bytes:
    body = b""
    if pdu.command_status == 0 or pdu.message_id or pdu.unsuccess:
        body = c_octet_string(pdu.message_id, "message_id") + pdu.unsuccess
    return _frame(SUBMIT_MULTI_RESP, pdu.command_status, pdu.sequence_number, body)


def encode_outbind(pdu: Outbind) -> bytes:
    body = c_octet_string(pdu.system_id, "system_id") + c_octet_string(pdu.password, "password")
    return _frame(OUTBIND, 0, pdu.sequence_number, body)


def encode_alert_notification(pdu: AlertNotification) -> bytes:
    body = (
        _source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        + _TON_NPI.pack(pdu.esme_addr_ton, pdu.esme_addr_npi)
        + c_octet_string(pdu.esme_addr, "esme_addr")
        + tlv_octets(pdu.tlvs)
    )
    return _frame(ALERT_NOTIFICATION, 0, pdu.sequence_number, body)


def _frame(command_id: int, command_status: int, sequence_number: int, body: bytes) -> bytes:
    return (
        HEADER.pack(HEADER_OCTETS + len(body), command_id, command_status, sequence_number) + body
    )


def _source(ton: int, npi: int, octets: bytes) -> bytes:
    return _TON_NPI.pack(ton, npi) + c_octet_string(octets, "source_addr")


# --- from octets: every decoder takes a whole frame whose header was read -------------------------


def decode_query_sm(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> QuerySm:
    message_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID)
    ton, npi, source_addr, offset = _address(frame, offset, "source_addr", ESME_RINVSRCADR)
    return QuerySm(sequence_number, message_id, ton, npi, source_addr, read_tlvs(frame, offset))


def decode_query_sm_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> QuerySmResp:
    message_id, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID, last=True
    )
    final_date, offset = read_c_octet_string(frame, offset, "final_date", ESME_RINVMSGID, last=True)
    # As any response, it is read as far as it goes; what is missing is 0.
    message_state, error_code = frame[offset : offset + 2].ljust(2, b"\0")
    tlvs = read_whole_tlvs(frame, offset + 2)
    return QuerySmResp(
        sequence_number, command_status, message_id, tlvs, final_date, message_state, error_code
    )


def decode_cancel_sm(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> CancelSm:
    service_type, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "service_type", ESME_RINVSERTYP
    )
    message_id, offset = read_c_octet_string(frame, offset, "message_id", ESME_RINVMSGID)
    source_ton, source_npi, source_addr, offset = _address(
        frame, offset, "source_addr", ESME_RINVSRCADR
    )
    dest_ton, dest_npi, destination_addr, offset = _address(
        frame, offset, "destination_addr", ESME_RINVDSTADR
    )
    return CancelSm(
        sequence_number,
        service_type,
        message_id,
        source_ton,
        source_npi,
        source_addr,
        dest_ton,
        dest_npi,
        destination_addr,
        read_tlvs(frame, offset),
    )


def decode_replace_sm(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> ReplaceSm:
    message_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID)
    ton, npi, source_addr, offset = _address(frame, offset, "source_addr", ESME_RINVSRCADR)
    schedule, offset = read_c_octet_string(frame, offset, "schedule_delivery_time", ESME_RINVSCHED)
    validity, offset = read_c_octet_string(frame, offset, "validity_period", ESME_RINVEXPIRY)
    start = offset + 3
    if len(frame) < start or len(frame) < start + frame[start - 1]:
        raise PduError(ESME_RINVMSGLEN, "the body ends inside its short_message")
    registered_delivery, sm_default_msg_id, sm_length = frame[offset:start]
    end = start + sm_length
    return ReplaceSm(
        sequence_number,
        message_id,
        ton,
        npi,
        source_addr,
        schedule,
        validity,
        registered_delivery,
        sm_default_msg_id,
        frame[start:end],
        read_tlvs(frame, end),
    )


def decode_submit_multi(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> SubmitMulti:
    service_type, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "service_type", ESME_RINVSERTYP
    )
    ton, npi, source_addr, offset = _address(frame, offset, "source_addr", ESME_RINVSRCADR)
    if len(frame) <= offset:
        raise PduError(ESME_RINVNUMDESTS, "the body ends before number_of_dests")
    return SubmitMulti(
        sequence_number, service_type, ton, npi, source_addr, frame[offset], frame[offset + 1 :]
    )


def decode_submit_multi_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> SubmitMultiResp:
    message_id, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID, last=True
    )
    return SubmitMultiResp(sequence_number, command_status, message_id, unsuccess=frame[offset:])


def decode_bodyless_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> CancelSmResp | ReplaceSmResp:
    """cancel_sm_resp or replace_sm_resp; a body that should not be there is passed over (E58)."""
    kind = CancelSmResp if command_id == CANCEL_SM_RESP else ReplaceSmResp
    return kind(sequence_number, command_status)


def decode_outbind(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> Outbind:
    system_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "system_id", ESME_RINVSYSID)
    password, _ = read_c_octet_string(frame, offset, "password", ESME_RINVPASWD, last=True)
    return Outbind(sequence_number, system_id, password)


def decode_alert_notification(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> AlertNotification:
    source_ton, source_npi, source_addr, offset = _address(
        frame, HEADER_OCTETS, "source_addr", ESME_RINVSRCADR
    )
    esme_ton, esme_npi, esme_addr, offset = _address(frame, offset, "esme_addr", ESME_RINVDSTADR)
    return AlertNotification(
        sequence_number,
        source_ton,
        source_npi,
        source_addr,
        esme_ton,
        esme_npi,
        esme_addr,
        read_tlvs(frame, offset),
    )


def _address(
    frame: bytes, offset: int, name: str, command_status: int
) -> tuple[int, int, bytes, int]:
    """TON, NPI and octets of the address at ``offset``, and the offset after it."""
    if len(frame) < offset + _TON_NPI.size:
        raise PduError(command_status, f"the body ends before {name}")
    ton, npi = _TON_NPI.unpack_from(frame, offset)
    octets, after = read_c_octet_string(frame, offset + _TON_NPI.size, name, command_status)
    return ton, npi, octets, after
