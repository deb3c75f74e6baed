"""Owns the TLVs that people set: on all messages of a connector, on one message, or both (E82).

Must not know which carrier wants which. India's DLT asks for an entity and a template id on every
message, others for a brand or a price. They are text with or without a NUL, numbers, or octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct as Record

from smpp.tlv import Tlvs
from smpp.tlv_tags import TLV_TAGS, tag_name, tag_number

CUSTOM_TLVS_MAX: Final = 20  # on one message
CUSTOM_TLV_OCTETS_MAX: Final = 1024  # each; ids and texts, not documents
INTEGER_OCTETS: Final = (1, 2, 4, 8)

# Ours to set: with another value the message would be cut apart or joined wrongly.
RESERVED_TAGS: Final = frozenset(
    TLV_TAGS[name]
    for name in (
        "message_payload",
        "sar_msg_ref_num",
        "sar_total_segments",
        "sar_segment_seqnum",
    )
)


class CustomTlv(Record, frozen=True, forbid_unknown_fields=True):
    """One TLV as a config file or a request states it; exactly one of the values is given.

    ``tag`` is a name of SMPP ("user_message_reference"), "0x1401" or "5121". ``text`` is UTF-8,
    followed by a NUL if ``terminated``; ``hex`` is the octets themselves; ``integer`` is unsigned,
    big-endian, in ``octets`` (1, 2, 4 or 8). ``value`` raises ValueError for all else.
    """

    tag: str
    text: str | None = None
    hex: str | None = None
    integer: int | None = None
    octets: int = 4
    terminated: bool = False

    def value(self) -> tuple[int, bytes]:
        """(tag, octets). Raises ValueError with words for whoever wrote it."""
        tag = tag_number(self.tag)
        if tag in RESERVED_TAGS:
            raise ValueError(f"{tag_name(tag)} is set by the segmentation and cannot be given")
        if [self.text, self.hex, self.integer].count(None) != 2:
            raise ValueError(f"TLV {tag_name(tag)} needs one of text, hex and integer")
        octets = self._octets()
        if len(octets) > CUSTOM_TLV_OCTETS_MAX:
            raise ValueError(
                f"TLV {tag_name(tag)} has {len(octets)} octets, {CUSTOM_TLV_OCTETS_MAX} is most"
            )
        return tag, octets

    def _octets(self) -> bytes:
        if self.text is not None:
            return self.text.encode() + (b"\0" if self.terminated else b"")
        if self.hex is not None:
            return bytes.fromhex(self.hex)
        if self.octets not in INTEGER_OCTETS:
            raise ValueError(f"a TLV integer has 1, 2, 4 or 8 octets, not {self.octets}")
        number = self.integer or 0
        if not 0 <= number < 1 << 8 * self.octets:
            raise ValueError(f"{number} does not fit into {self.octets} octets without a sign")
        return number.to_bytes(self.octets, "big")


def custom_tlvs(wanted: Iterable[CustomTlv]) -> Tlvs:
    """All of them, in order. Raises ValueError for a bad one, a tag given twice, or too many."""
    tlvs = tuple([each.value() for each in wanted])
    if len(tlvs) > CUSTOM_TLVS_MAX:
        raise ValueError(f"{len(tlvs)} TLVs are given, {CUSTOM_TLVS_MAX} is most")
    tags = [tag for tag, _ in tlvs]
    for tag in tags:
        if tags.count(tag) > 1:
            raise ValueError(f"TLV {tag_name(tag)} is given twice")
    return tlvs


def merged(connector: Tlvs, message: Tlvs) -> Tlvs:
    """The connector's TLVs, each replaced by the message's where that has the same tag, then what
    only the message has.
    """
    if not message:
        return connector
    own = dict(message)
    shared = tuple([(tag, own.pop(tag, value)) for tag, value in connector])
    return shared + tuple(own.items())
