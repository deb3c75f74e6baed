"""Owns the PDUs that are hardly ever seen: submit_multi, outbind, alert_notification.

Must not hold state or decide what to answer. SMPP 3.4 sections 4.1.7, 4.5 and 4.12.

submit_multi is read up to its sender and the number of its destinations, enough to refuse it. One
message id for the receipts of many cannot be tracked (E10).
"""

from __future__ import annotations

from msgspec import Struct as Record

from smpp.message_pdu import MessageResponse
from smpp.tlv import (
    HEADER_OCTETS,
    PduError,
    Tlvs,
    address_octets,
    c_octet_string,
    read_address,
    read_c_octet_string,
    read_tlvs,
    tlv_octets,
    whole_pdu,
)
from smpp.vocabulary import (
    ALERT_NOTIFICATION,
    ESME_RINVDSTADR,
    ESME_RINVMSGID,
    ESME_RINVNUMDESTS,
    ESME_RINVPASWD,
    ESME_RINVSERTYP,
    ESME_RINVSRCADR,
    ESME_RINVSYSID,
    OUTBIND,
    SUBMIT_MULTI,
    SUBMIT_MULTI_RESP,
)


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


RarePdu = SubmitMulti | SubmitMultiResp | Outbind | AlertNotification


def encode_submit_multi(pdu: SubmitMulti) -> bytes:
    body = b"%b%b%c%b" % (
        c_octet_string(pdu.service_type, "service_type"),
        address_octets(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, "source_addr"),
        pdu.number_of_dests,
        pdu.rest,
    )
    return whole_pdu(SUBMIT_MULTI, 0, pdu.sequence_number, body)


def encode_submit_multi_resp(pdu: SubmitMultiResp) -> bytes:
    body = b""
    if pdu.command_status == 0 or pdu.message_id or pdu.unsuccess:
        body = c_octet_string(pdu.message_id, "message_id") + pdu.unsuccess
    return whole_pdu(SUBMIT_MULTI_RESP, pdu.command_status, pdu.sequence_number, body)


def encode_outbind(pdu: Outbind) -> bytes:
    body = c_octet_string(pdu.system_id, "system_id") + c_octet_string(pdu.password, "password")
    return whole_pdu(OUTBIND, 0, pdu.sequence_number, body)


def encode_alert_notification(pdu: AlertNotification) -> bytes:
    body = (
        address_octets(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, "source_addr")
        + address_octets(pdu.esme_addr_ton, pdu.esme_addr_npi, pdu.esme_addr, "esme_addr")
        + tlv_octets(pdu.tlvs)
    )
    return whole_pdu(ALERT_NOTIFICATION, 0, pdu.sequence_number, body)


def decode_submit_multi(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> SubmitMulti:
    service_type, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "service_type", ESME_RINVSERTYP
    )
    ton, npi, source_addr, offset = read_address(frame, offset, "source_addr", ESME_RINVSRCADR)
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


def decode_outbind(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> Outbind:
    system_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "system_id", ESME_RINVSYSID)
    password, _ = read_c_octet_string(frame, offset, "password", ESME_RINVPASWD, last=True)
    return Outbind(sequence_number, system_id, password)


def decode_alert_notification(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> AlertNotification:
    source_ton, source_npi, source_addr, offset = read_address(
        frame, HEADER_OCTETS, "source_addr", ESME_RINVSRCADR
    )
    esme_ton, esme_npi, esme_addr, offset = read_address(
        frame, offset, "esme_addr", ESME_RINVDSTADR
    )
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
