"""Owns the PDUs of a session's edges: bind_*, unbind, enquire_link, generic_nack and unknown ones.

Must not hold state or decide what to answer. SMPP 3.4 sections 4.1, 4.2, 4.3 and 4.11.

aiosmpplib's classes supply the vocabulary but not these codecs: its ``from_pdu`` raises various
errors for octets that carriers send (docs/decisions.md). Examples are a vendor's status, and a
bind_resp without body, which is how SMPP 3.4 refuses a bind. tests/smpp/test_oracles.py compares
both octet for octet, where it can express a PDU.
"""

from __future__ import annotations

from msgspec import Struct as Record

from smpp.tlv import (
    HEADER,
    HEADER_OCTETS,
    PduError,
    Tlvs,
    c_octet_string,
    read_c_octet_string,
    read_whole_tlvs,
    tlv_octets,
)
from smpp.vocabulary import (
    BIND_TRANSCEIVER,
    BIND_TRANSCEIVER_RESP,
    ENQUIRE_LINK,
    ENQUIRE_LINK_RESP,
    ESME_RBINDFAIL,
    ESME_RINVPASWD,
    ESME_RINVSYSID,
    ESME_RINVSYSTYP,
    GENERIC_NACK,
    INTERFACE_VERSION_3_4,
    UNBIND,
    UNBIND_RESP,
)


class BindRequest(Record, gc=False):
    """bind_transmitter, bind_receiver or bind_transceiver, told apart by ``command_id``."""

    command_id: int = BIND_TRANSCEIVER
    sequence_number: int = 1
    system_id: bytes = b""
    password: bytes = b""
    system_type: bytes = b""
    interface_version: int = INTERFACE_VERSION_3_4
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: bytes = b""

    def __repr__(self) -> str:
        # The generated one would print the password.
        return (
            f"BindRequest(command_id={self.command_id:#x}, "
            f"sequence_number={self.sequence_number}, system_id={self.system_id!r})"
        )


class BindResp(Record, gc=False):
    """The answer to any bind; ``command_id`` is the request's with the response bit."""

    command_id: int = BIND_TRANSCEIVER_RESP
    sequence_number: int = 1
    command_status: int = 0
    system_id: bytes = b""
    tlvs: Tlvs = ()


class Unbind(Record, gc=False):
    sequence_number: int


class UnbindResp(Record, gc=False):
    sequence_number: int
    command_status: int = 0


class EnquireLink(Record, gc=False):
    sequence_number: int


class EnquireLinkResp(Record, gc=False):
    sequence_number: int
    command_status: int = 0


class GenericNack(Record, gc=False):
    """``sequence_number`` 0 where the sender could not read one (E66)."""

    sequence_number: int
    command_status: int = 0


class Unknown(Record, gc=False):
    """A command that we do not speak, body untouched. Answered with ESME_RINVCMDID if a request."""

    command_id: int
    command_status: int
    sequence_number: int
    body: bytes = b""


ColdPdu = (
    BindRequest
    | BindResp
    | Unbind
    | UnbindResp
    | EnquireLink
    | EnquireLinkResp
    | GenericNack
    | Unknown
)


def encode_bind_request(pdu: BindRequest) -> bytes:
    body = b"".join(
        (
            c_octet_string(pdu.system_id, "system_id"),
            c_octet_string(pdu.password, "password"),
            c_octet_string(pdu.system_type, "system_type"),
            b"%c%c%c" % (pdu.interface_version, pdu.addr_ton, pdu.addr_npi),
            c_octet_string(pdu.address_range, "address_range"),
        )
    )
    return HEADER.pack(HEADER_OCTETS + len(body), pdu.command_id, 0, pdu.sequence_number) + body


def encode_bind_resp(pdu: BindResp) -> bytes:
    # 4.1.2 has no word on the body of a refusal; carriers leave it out, so that is what we send.
    body = b""
    if pdu.command_status == 0 or pdu.system_id or pdu.tlvs:
        body = c_octet_string(pdu.system_id, "system_id") + tlv_octets(pdu.tlvs)
    return (
        HEADER.pack(
            HEADER_OCTETS + len(body), pdu.command_id, pdu.command_status, pdu.sequence_number
        )
        + body
    )


def encode_unbind(pdu: Unbind) -> bytes:
    return HEADER.pack(HEADER_OCTETS, UNBIND, 0, pdu.sequence_number)


def encode_unbind_resp(pdu: UnbindResp) -> bytes:
    return HEADER.pack(HEADER_OCTETS, UNBIND_RESP, pdu.command_status, pdu.sequence_number)


def encode_enquire_link(pdu: EnquireLink) -> bytes:
    return HEADER.pack(HEADER_OCTETS, ENQUIRE_LINK, 0, pdu.sequence_number)


def encode_enquire_link_resp(pdu: EnquireLinkResp) -> bytes:
    return HEADER.pack(HEADER_OCTETS, ENQUIRE_LINK_RESP, pdu.command_status, pdu.sequence_number)


def encode_generic_nack(pdu: GenericNack) -> bytes:
    return HEADER.pack(HEADER_OCTETS, GENERIC_NACK, pdu.command_status, pdu.sequence_number)


def encode_unknown(pdu: Unknown) -> bytes:
    return (
        HEADER.pack(
            HEADER_OCTETS + len(pdu.body), pdu.command_id, pdu.command_status, pdu.sequence_number
        )
        + pdu.body
    )


# Every decoder takes a whole frame whose header was read and whose length was checked.


def decode_bind_request(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> BindRequest:
    system_id, offset = read_c_octet_string(frame, HEADER_OCTETS, "system_id", ESME_RINVSYSID)
    password, offset = read_c_octet_string(frame, offset, "password", ESME_RINVPASWD)
    system_type, offset = read_c_octet_string(frame, offset, "system_type", ESME_RINVSYSTYP)
    if len(frame) < offset + 3:
        raise PduError(ESME_RBINDFAIL, "the bind ends before addr_npi")
    interface_version, addr_ton, addr_npi = frame[offset : offset + 3]
    address_range, _ = read_c_octet_string(
        frame, offset + 3, "address_range", ESME_RBINDFAIL, last=True
    )
    return BindRequest(
        command_id,
        sequence_number,
        system_id,
        password,
        system_type,
        interface_version,
        addr_ton,
        addr_npi,
        address_range,
    )


def decode_bind_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> BindResp:
    system_id, offset = read_c_octet_string(
        frame, HEADER_OCTETS, "system_id", ESME_RINVSYSID, last=True
    )
    tlvs = read_whole_tlvs(frame, offset)
    return BindResp(command_id, sequence_number, command_status, system_id, tlvs)


# The bodies that some peers append to the next five (E58) say nothing and are passed over.


def decode_unbind(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> Unbind:
    return Unbind(sequence_number)


def decode_unbind_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> UnbindResp:
    return UnbindResp(sequence_number, command_status)


def decode_enquire_link(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> EnquireLink:
    return EnquireLink(sequence_number)


def decode_enquire_link_resp(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> EnquireLinkResp:
    return EnquireLinkResp(sequence_number, command_status)


def decode_generic_nack(
    frame: bytes, command_id: int, command_status: int, sequence_number: int
) -> GenericNack:
    return GenericNack(sequence_number, command_status)
