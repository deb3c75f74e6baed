"""Owns the octet level below a PDU: header, C-octet strings, optional parameters, PduError.

Must not know which PDU it is reading. SMPP 3.4 section 3.1 (types) and 5.3 (TLVs). Values stay
bytes: what a vendor puts into a TLV, its length and its trailing NULs are kept as they came (E64).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from smpp.vocabulary import ESME_RINVOPTPARSTREAM, status_name

# The four numbers that begin every PDU (3.2): length, command, status, sequence.
HEADER: Final = Struct(">IIII")
HEADER_OCTETS: Final = HEADER.size

TLV_HEADER: Final = Struct(">HH")

# SMPP 3.4 allows 65 octets at most (message_id); carriers exceed their own tables (E69), so four
# times that is read. Beyond it a field is refused: ids and addresses end up in database indexes.
C_OCTET_STRING_OCTETS_MAX: Final = 255

Tlvs = tuple[tuple[int, bytes], ...]


class PduError(Exception):
    """Octets that are no PDU. The one error that decoding raises, whatever the peer sends.

    ``command_status`` is what to answer with, ``command_id`` and ``sequence_number`` are those of
    the broken PDU (0 where the frame was too short to hold them). For a broken request answer its
    response, or generic_nack; a broken response ends the wait for that sequence number. The reason
    names fields and lengths and never repeats content.
    """

    def __init__(
        self, command_status: int, reason: str, command_id: int = 0, sequence_number: int = 0
    ) -> None:
        super().__init__(command_status, reason, command_id, sequence_number)
        self.command_status = command_status
        self.reason = reason
        self.command_id = command_id
        self.sequence_number = sequence_number

    def __str__(self) -> str:
        return f"{self.reason} ({status_name(self.command_status)})"


def read_c_octet_string(
    octets: bytes, offset: int, name: str, command_status: int, *, last: bool = False
) -> tuple[bytes, int]:
    """The string at ``offset`` without its NUL, and the offset after it.

    ``last=True`` accepts a string that runs to the end of the PDU without a NUL (E69): nothing
    after it can be misread. Raises PduError with ``command_status``.
    """
    end = octets.find(0, offset)
    after = end + 1
    if end < 0:
        if not last:
            raise PduError(command_status, f"{name} has no terminating NUL")
        end = after = len(octets)
    if end - offset > C_OCTET_STRING_OCTETS_MAX:
        raise PduError(
            command_status, f"{name} has {end - offset} octets, {C_OCTET_STRING_OCTETS_MAX} is most"
        )
    return octets[offset:end], after


def c_octet_string(value: bytes, name: str) -> bytes:
    """``value`` with its NUL. Raises ValueError for a NUL inside, which would move what follows."""
    if 0 in value:
        raise ValueError(f"{name} contains a NUL")
    return value + b"\0"


def read_address(
    octets: bytes, offset: int, name: str, command_status: int
) -> tuple[int, int, bytes, int]:
    """TON, NPI and octets of the address at ``offset``, and the offset after it.

    Raises PduError with ``command_status``.
    """
    if len(octets) < offset + 2:
        raise PduError(command_status, f"the body ends before {name}")
    address, after = read_c_octet_string(octets, offset + 2, name, command_status)
    return octets[offset], octets[offset + 1], address, after


def address_octets(ton: int, npi: int, octets: bytes, name: str) -> bytes:
    """An address on the wire. OverflowError for a TON or NPI over 255, ValueError for a NUL."""
    return b"%c%c%b" % (ton, npi, c_octet_string(octets, name))


def whole_pdu(command_id: int, command_status: int, sequence_number: int, body: bytes) -> bytes:
    """``body`` behind its header. struct.error for a number over 32 bits."""
    return (
        HEADER.pack(HEADER_OCTETS + len(body), command_id, command_status, sequence_number) + body
    )


def read_tlvs(octets: bytes, offset: int) -> Tlvs:
    """All TLVs from ``offset`` to the end, in the order they came, duplicates included.

    One to three NUL octets left over at the end are taken for padding. Raises PduError
    (ESME_RINVOPTPARSTREAM) for a TLV that runs past the end and for any other remainder.
    """
    tlvs, rest = _walk(octets, offset)
    if any(octets[rest:]):  # four NULs and more would have been read as an empty TLV
        raise PduError(
            ESME_RINVOPTPARSTREAM, f"{len(octets) - rest} octets at the end are no whole TLV"
        )
    return tlvs


def read_whole_tlvs(octets: bytes, offset: int) -> Tlvs:
    """The TLVs up to the first that is cut short; never raises.

    For responses: what they answer is already known, and refusing one over a broken tail would turn
    an answered message into a doubtful one.
    """
    return _walk(octets, offset)[0]


def _walk(octets: bytes, offset: int) -> tuple[Tlvs, int]:
    tlvs: list[tuple[int, bytes]] = []
    size = len(octets)
    while size - offset >= TLV_HEADER.size:
        tag, length = TLV_HEADER.unpack_from(octets, offset)
        start = offset + TLV_HEADER.size
        if start + length > size:
            break
        tlvs.append((tag, octets[start : start + length]))
        offset = start + length
    return tuple(tlvs), offset


def tlv_octets(tlvs: Tlvs) -> bytes:
    """The TLVs on the wire. struct.error for a tag or a length over 16 bits."""
    return b"".join([TLV_HEADER.pack(tag, len(value)) + value for tag, value in tlvs])


def tlv_value(tlvs: Tlvs, tag: int) -> bytes | None:
    """The value of the first TLV with this tag, None where there is none."""
    for candidate, value in tlvs:
        if candidate == tag:
            return value
    return None
