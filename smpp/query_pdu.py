"""Owns the PDUs about a message that was submitted before: query_sm, cancel_sm, replace_sm and
their responses, to octets and back.

Must not hold state or decide what to answer. SMPP 3.4 sections 4.8, 4.9 and 4.10; the TLVs that
SMPP 5.0 allows on them are kept. The responses are MessageResponses, so that a session's window
settles them as it does a submit_sm_resp.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct as Record

from smpp.message_pdu import SHORT_MESSAGE_OCTETS_MAX, MessageResponse
from smpp.rare_pdu import SubmitMulti, SubmitMultiResp
from smpp.tlv import (
    HEADER_OCTETS,
    PduError,
    Tlvs,
    address_octets,
    c_octet_string,
    read_address,
    read_c_octet_string,
    read_tlvs,
    read_whole_tlvs,
    tlv_octets,
    whole_pdu,
)
from smpp.vocabulary import (
    CANCEL_SM,
    CANCEL_SM_RESP,
    ESME_RINVDSTADR,
    ESME_RINVEXPIRY,
    ESME_RINVMSGID,
    ESME_RINVMSGLEN,
    ESME_RINVSCHED,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    QUERY_SM,
    QUERY_SM_RESP,
    REPLACE_SM,
    REPLACE_SM_RESP,
)


class QuerySm(Record, gc=False):
    """query_sm, 4.8.1: what became of the message with this id."""

    sequence_number: int
    message_id: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    tlvs: Tlvs = ()


class QuerySmResp(MessageResponse, gc=False):
    """query_sm_resp, 4.8.2. ``message_state`` as vocabulary.MessageState, 0 where none came.

    ``final_date`` is for smpp.times.parse, and empty while the message is under way.
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


# What a peer may ask and waits for an answer to, beside messages.
OperationRequest = QuerySm | CancelSm | ReplaceSm | SubmitMulti
QueryPdu = QuerySm | QuerySmResp | CancelSm | CancelSmResp | ReplaceSm | ReplaceSmResp


def refusal_of(request: OperationRequest, command_status: int) -> MessageResponse:
    """The request's own response with ``command_status`` and no body: what its sender waits for."""
    return _RESPONSES[type(request)](request.sequence_number, command_status)


_RESPONSES: Final[dict[type[OperationRequest], type[MessageResponse]]] = {
    QuerySm: QuerySmResp,
    CancelSm: CancelSmResp,
    ReplaceSm: ReplaceSmResp,
    SubmitMulti: SubmitMultiResp,
}


# Every encoder raises ValueError, OverflowError or struct.error for what a field cannot hold.


def encode_query_sm(pdu: QuerySm) -> bytes:
    body = (
        c_octet_string(pdu.message_id, "message_id")
        + address_octets(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, "source_addr")
        + tlv_octets(pdu.tlvs)
    )
    return whole_pdu(QUERY_SM, 0, pdu.sequence_number, body)


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
    return whole_pdu(QUERY_SM_RESP, pdu.command_status, pdu.sequence_number, body)


def encode_cancel_sm(pdu: CancelSm) -> bytes:
    body = (
        c_octet_string(pdu.service_type, "service_type")
        + c_octet_string(pdu.message_id, "message_id")
        + address_octets(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, "source_addr")
        + address_octets(
            pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr, "destination_addr"
        )
        + tlv_octets(pdu.tlvs)
    )
    return whole_pdu(CANCEL_SM, 0, pdu.sequence_number, body)


def encode_cancel_sm_resp(pdu: CancelSmResp) -> bytes:
    return whole_pdu(CANCEL_SM_RESP, pdu.command_status, pdu.sequence_number, b"")


def encode_replace_sm(pdu: ReplaceSm) -> bytes:
    if len(pdu.short_message) > SHORT_MESSAGE_OCTETS_MAX:
        raise ValueError(f"short_message has {len(pdu.short_message)} octets, 254 is most")
    body = b"%b%b%b%b%c%c%c%b%b" % (
        c_octet_string(pdu.message_id, "message_id"),
        address_octets(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, "source_addr"),
        c_octet_string(pdu.schedule_delivery_time, "schedule_delivery_time"),
        c_octet_string(pdu.validity_period, "validity_period"),
        pdu.registered_delivery,
        pdu.sm_default_msg_id,
        len(pdu.short_message),
        pdu.short_message,
        tlv_octets(pdu.tlvs),
    )
    return whole_pdu(REPLACE_SM, 0, pdu.sequence_number, body)


def encode_replace_sm_resp(pdu: ReplaceSmResp) -> bytes:
    return whole_pdu(REPLACE_SM_RESP, pdu.command_status, pdu.sequence_number, b"")


# Every decoder takes a whole frame whose header was read and whose length was checked.


def decode_query_sm(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> QuerySm:
    message_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID)
    ton, npi, source_addr, offset = read_address(frame, offset, "source_addr", ESME_RINVSRCADR)
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
    source_ton, source_npi, source_addr, offset = read_address(
        frame, offset, "source_addr", ESME_RINVSRCADR
    )
    dest_ton, dest_npi, destination_addr, offset = read_address(
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
    ton, npi, source_addr, offset = read_address(frame, offset, "source_addr", ESME_RINVSRCADR)
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


def decode_bodyless_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> CancelSmResp | ReplaceSmResp:
    """cancel_sm_resp or replace_sm_resp; a body that should not be there is passed over (E58)."""
    kind = CancelSmResp if command_id == CANCEL_SM_RESP else ReplaceSmResp
    return kind(sequence_number, command_status)
