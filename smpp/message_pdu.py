"""Owns the PDUs that carry messages: submit_sm, deliver_sm, data_sm and their responses.

Must not know sessions. SMPP 3.4 sections 4.4, 4.6 and 4.7.

These are the hot ones, so they are our own. Each is written with one bytes ``%`` and read with one
regular expression. aiosmpplib's ``from_pdu`` takes 15 times as long, and raises on what it does not
know (docs/decisions.md).

A missing NUL or an over-long field does not match. Only then is the field at fault looked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct as Record

from smpp.tlv import (
    C_OCTET_STRING_OCTETS_MAX,
    HEADER,
    HEADER_OCTETS,
    PduError,
    Tlvs,
    read_c_octet_string,
    read_tlvs,
    read_whole_tlvs,
    tlv_octets,
    tlv_value,
)
from smpp.vocabulary import (
    DATA_SM,
    DATA_SM_RESP,
    DELIVER_SM,
    DELIVER_SM_RESP,
    ESME_RINVDSTADR,
    ESME_RINVEXPIRY,
    ESME_RINVMSGID,
    ESME_RINVMSGLEN,
    ESME_RINVSCHED,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    TLV_MESSAGE_PAYLOAD,
)

# 5.2.21; more goes into message_payload. What a peer sends may have 255.
SHORT_MESSAGE_OCTETS_MAX: Final = 254


class ShortMessage(Record, gc=False):
    """The fields that submit_sm (4.4.1) and deliver_sm (4.6.1) share, in wire order."""

    sequence_number: int
    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: bytes = b""
    validity_period: bytes = b""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()


class SubmitSm(ShortMessage, gc=False):
    """submit_sm, 4.4.1: a message on its way to the carrier."""


class DeliverSm(ShortMessage, gc=False):
    """deliver_sm, 4.6.1: a receipt or an inbound message from the carrier."""


class DataSm(Record, gc=False):
    """data_sm, 4.7.1: either way; the text is always the message_payload TLV."""

    sequence_number: int
    service_type: bytes = b""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: bytes = b""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: bytes = b""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = ()


class MessageResponse(Record, gc=False):
    """The fields of every response that may name a message. ``message_id`` is opaque (E4)."""

    sequence_number: int
    command_status: int = 0
    message_id: bytes = b""
    tlvs: Tlvs = ()


class SubmitSmResp(MessageResponse, gc=False):
    """submit_sm_resp, 4.4.2."""


class DeliverSmResp(MessageResponse, gc=False):
    """deliver_sm_resp, 4.6.2; its message_id should be empty and sometimes is not (E63)."""


class DataSmResp(MessageResponse, gc=False):
    """data_sm_resp, 4.7.2."""


def message_octets(pdu: ShortMessage | DataSm) -> bytes:
    """The user data: short_message or, where that is empty, the message_payload TLV (0x0424)."""
    if isinstance(pdu, ShortMessage) and pdu.short_message:
        return pdu.short_message
    return tlv_value(pdu.tlvs, TLV_MESSAGE_PAYLOAD) or b""


def _encode_short_message(pdu: ShortMessage, command_id: int) -> bytes:
    short_message = pdu.short_message
    if len(short_message) > SHORT_MESSAGE_OCTETS_MAX:
        raise ValueError(f"short_message has {len(short_message)} octets, 254 is most")
    service_type = pdu.service_type
    source_addr = pdu.source_addr
    destination_addr = pdu.destination_addr
    schedule_delivery_time = pdu.schedule_delivery_time
    validity_period = pdu.validity_period
    if (
        0 in source_addr
        or 0 in destination_addr
        or 0 in service_type
        or 0 in schedule_delivery_time
        or 0 in validity_period
    ):
        raise ValueError("a NUL inside a C-octet string would move every field after it")
    body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
        service_type,
        pdu.source_addr_ton,
        pdu.source_addr_npi,
        source_addr,
        pdu.dest_addr_ton,
        pdu.dest_addr_npi,
        destination_addr,
        pdu.esm_class,
        pdu.protocol_id,
        pdu.priority_flag,
        schedule_delivery_time,
        validity_period,
        pdu.registered_delivery,
        pdu.replace_if_present_flag,
        pdu.data_coding,
        pdu.sm_default_msg_id,
        len(short_message),
        short_message,
    )
    if pdu.tlvs:
        body += tlv_octets(pdu.tlvs)
    return HEADER.pack(HEADER_OCTETS + len(body), command_id, 0, pdu.sequence_number) + body


def encode_submit_sm(pdu: SubmitSm) -> bytes:
    return _encode_short_message(pdu, SUBMIT_SM)


def encode_deliver_sm(pdu: DeliverSm) -> bytes:
    return _encode_short_message(pdu, DELIVER_SM)


def encode_data_sm(pdu: DataSm) -> bytes:
    if 0 in pdu.source_addr or 0 in pdu.destination_addr or 0 in pdu.service_type:
        raise ValueError("a NUL inside a C-octet string would move every field after it")
    body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b" % (
        pdu.service_type,
        pdu.source_addr_ton,
        pdu.source_addr_npi,
        pdu.source_addr,
        pdu.dest_addr_ton,
        pdu.dest_addr_npi,
        pdu.destination_addr,
        pdu.esm_class,
        pdu.registered_delivery,
        pdu.data_coding,
        tlv_octets(pdu.tlvs),
    )
    return HEADER.pack(HEADER_OCTETS + len(body), DATA_SM, 0, pdu.sequence_number) + body


def _encode_response(pdu: MessageResponse, command_id: int, *, empty_refusal: bool) -> bytes:
    message_id = pdu.message_id
    if 0 in message_id:
        raise ValueError("message_id contains a NUL")
    command_status = pdu.command_status
    if command_status and empty_refusal and not message_id and not pdu.tlvs:
        return HEADER.pack(HEADER_OCTETS, command_id, command_status, pdu.sequence_number)
    body = message_id + b"\0"
    if pdu.tlvs:
        body += tlv_octets(pdu.tlvs)
    return (
        HEADER.pack(HEADER_OCTETS + len(body), command_id, command_status, pdu.sequence_number)
        + body
    )


def encode_submit_sm_resp(pdu: SubmitSmResp) -> bytes:
    # 4.4.2: the body is not returned if command_status is not zero.
    return _encode_response(pdu, SUBMIT_SM_RESP, empty_refusal=True)


def encode_deliver_sm_resp(pdu: DeliverSmResp) -> bytes:
    return _encode_response(pdu, DELIVER_SM_RESP, empty_refusal=False)


def encode_data_sm_resp(pdu: DataSmResp) -> bytes:
    return _encode_response(pdu, DATA_SM_RESP, empty_refusal=False)


# A C-octet string, then the single octets up to the next one; DOTALL because an octet may be "\n".
_STRING: Final = rb"([^\0]{0,%d})\0" % C_OCTET_STRING_OCTETS_MAX
_SHORT_MESSAGE: Final = re.compile(
    _STRING + rb"(..)" + _STRING + rb"(..)" + _STRING + rb"(...)" + _STRING * 2 + rb"(.....)",
    re.DOTALL,
)
_DATA_SM: Final = re.compile(
    _STRING + rb"(..)" + _STRING + rb"(..)" + _STRING + rb"(...)", re.DOTALL
)


_PRINTABLE: Final = re.compile(rb"[ -~]+")


def decode_short_message(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> ShortMessage:
    match = _SHORT_MESSAGE.match(frame, HEADER_OCTETS)
    if match is None:
        raise _fault(frame, _SHORT_MESSAGE_STRINGS)
    (
        service_type,
        (source_addr_ton, source_addr_npi),
        source_addr,
        (dest_addr_ton, dest_addr_npi),
        destination_addr,
        (esm_class, protocol_id, priority_flag),
        schedule_delivery_time,
        validity_period,
        (registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id, sm_length),
    ) = match.groups()
    start = match.end()
    end = start + sm_length
    tlvs: Tlvs = ()
    if end != len(frame):
        if end > len(frame):
            raise PduError(
                ESME_RINVMSGLEN, f"sm_length says {sm_length}, {len(frame) - start} octets follow"
            )
        tlvs = read_tlvs(frame, end)
    return (SubmitSm if command_id == SUBMIT_SM else DeliverSm)(
        sequence_number,
        service_type,
        source_addr_ton,
        source_addr_npi,
        source_addr,
        dest_addr_ton,
        dest_addr_npi,
        destination_addr,
        esm_class,
        protocol_id,
        priority_flag,
        schedule_delivery_time,
        validity_period,
        registered_delivery,
        replace_if_present_flag,
        data_coding,
        sm_default_msg_id,
        frame[start:end],
        tlvs,
    )


def decode_data_sm(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> DataSm:
    match = _DATA_SM.match(frame, HEADER_OCTETS)
    if match is None:
        raise _fault(frame, _SHORT_MESSAGE_STRINGS[:3])
    (
        service_type,
        (source_addr_ton, source_addr_npi),
        source_addr,
        (dest_addr_ton, dest_addr_npi),
        destination_addr,
        (esm_class, registered_delivery, data_coding),
    ) = match.groups()
    return DataSm(
        sequence_number,
        service_type,
        source_addr_ton,
        source_addr_npi,
        source_addr,
        dest_addr_ton,
        dest_addr_npi,
        destination_addr,
        esm_class,
        registered_delivery,
        data_coding,
        read_tlvs(frame, match.end()),
    )


def decode_broken_message(frame: bytes) -> DeliverSm | DataSm | None:
    """A deliver_sm or data_sm as far as it can be read, though ``decode`` has refused it. Never
    raises.

    Its text or its TLVs are cut short. None for another command, and where its addresses cannot be
    read.
    """
    _, command_id, _, sequence_number = HEADER.unpack_from(frame)
    pdu: DeliverSm | DataSm
    if command_id == DELIVER_SM and (match := _SHORT_MESSAGE.match(frame, HEADER_OCTETS)):
        end = min(match.end() + match[9][4], len(frame))
        whole = bytearray(frame[:end])
        whole[match.end() - 1] = end - match.end()
        found = decode_short_message(bytes(whole), command_id, 0, sequence_number)
        assert isinstance(found, DeliverSm)
        pdu = found
    elif command_id == DATA_SM and (match := _DATA_SM.match(frame, HEADER_OCTETS)):
        end = match.end()
        pdu = decode_data_sm(frame[:end], command_id, 0, sequence_number)
    else:
        return None
    pdu.tlvs = read_whole_tlvs(frame, end)
    addresses = pdu.source_addr + pdu.destination_addr
    return pdu if _PRINTABLE.fullmatch(addresses) else None


# Each string, the status that refuses it, and how many single octets come after it.
_SHORT_MESSAGE_STRINGS: Final = (
    ("service_type", ESME_RINVSERTYP, 2),
    ("source_addr", ESME_RINVSRCADR, 2),
    ("destination_addr", ESME_RINVDSTADR, 3),
    ("schedule_delivery_time", ESME_RINVSCHED, 0),
    ("validity_period", ESME_RINVEXPIRY, 5),
)


def _fault(frame: bytes, strings: tuple[tuple[str, int, int], ...]) -> PduError:
    """Why the layout did not match: the first string at fault, or a body that ends too early."""
    offset = HEADER_OCTETS
    for name, command_status, octets_after in strings:
        try:
            _, offset = read_c_octet_string(frame, offset, name, command_status)
        except PduError as error:
            return error
        offset += octets_after
    return PduError(ESME_RINVMSGLEN, "the body ends inside its mandatory fields")


def decode_response(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> MessageResponse:
    kind = _RESPONSES[command_id]
    size = len(frame)
    end = frame.find(0, HEADER_OCTETS)
    if end == size - 1 and size <= HEADER_OCTETS + 1 + C_OCTET_STRING_OCTETS_MAX:
        return kind(sequence_number, command_status, frame[HEADER_OCTETS:end])
    message_id, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "message_id", ESME_RINVMSGID, last=True
    )
    return kind(sequence_number, command_status, message_id, read_whole_tlvs(frame, offset))


_RESPONSES: Final[Mapping[int, type[MessageResponse]]] = {
    SUBMIT_SM_RESP: SubmitSmResp,
    DELIVER_SM_RESP: DeliverSmResp,
    DATA_SM_RESP: DataSmResp,
}
