"""Owns where the user data of a PDU stands, where its header ends, and how it reads as plain text.

Must not know what a text means: receipts and messages from handsets are read alike. SMPP 3.4
sections 4.6.1 and 5.3.2.32, TS 23.040 section 9.2.3.24.

Peers write a header without saying so, a text twice, UTF-16 in either order under any data_coding.
Each is recognised by what cannot well be anything else. Nothing that a peer sends makes this module
raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct as Record

from smpp.encoding import TextSettings, read_text, unpacked
from smpp.message_pdu import DataSm, ShortMessage
from smpp.segmentation import Concatenation, split_header
from smpp.text import without_terminator
from smpp.tlv import tlv_value
from smpp.vocabulary import ESM_CLASS_UDHI, TLV_MESSAGE_PAYLOAD

# A longer text is cut before it is read as plain text: a receipt has 160 characters or so.
PLAIN_OCTETS_MAX: Final = 8_192
# A header of 5 octets or more, with a concatenation in it: no text begins so.
_GUESSED_HEADER_OCTETS: Final = frozenset(range(5, 24))
_PRINTABLE_MIN: Final = 0x20
_UTF8_MARK: Final = "\xef\xbb\xbf"  # as Latin-1
_UTF16_MARKS: Final = frozenset({b"\xfe\xff", b"\xff\xfe"})
# 0x11 is the underscore of GSM 03.38, as in `done_date`; no other control character says anything.
_GSM_UNDERSCORE: Final = "\x11"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")


class UserData(Record, frozen=True, gc=False):
    """The text octets without their header. ``guessed``: a header that esm_class does not tell of.

    ``whole`` differs from ``octets`` where a header was taken off.
    """

    octets: bytes
    whole: bytes
    concatenation: Concatenation | None = None
    guessed: bool = False


def user_data(pdu: ShortMessage | DataSm) -> UserData:
    """The user data from short_message, the message_payload TLV, or both.

    Of a text that stands in both, one only begun, the longer counts. Of two that differ, the
    payload goes on where short_message ends.
    """
    short = pdu.short_message if isinstance(pdu, ShortMessage) else b""
    payload = (tlv_value(pdu.tlvs, TLV_MESSAGE_PAYLOAD) or b"") if pdu.tlvs else b""
    stated = bool(pdu.esm_class & ESM_CLASS_UDHI)
    if not payload:
        return _headed(short, stated=stated)
    begun = short.rstrip(b"\0")
    if not begun:
        return _headed(payload, stated=stated)
    first = _headed(short, stated=stated)
    # Where only one of the two has the header, the other one begins with its text.
    same_header = payload[: short[0] + 1] == short[: short[0] + 1]
    second = _headed(payload, stated=stated and same_header)
    text = _joined(first.octets, second.octets)
    return UserData(
        text,
        text,
        first.concatenation or second.concatenation,
        first.guessed or second.guessed,
    )


def usual_octets(pdu: ShortMessage | DataSm) -> bytes | None:
    """What readings() reads first, found sooner; None where it takes more than a short_message.

    None, that is, where there is any sign of a header or of a message_payload.
    """
    if pdu.esm_class & ESM_CLASS_UDHI or not isinstance(pdu, ShortMessage):
        return None
    octets = pdu.short_message
    if not octets or octets[0] < _PRINTABLE_MIN or len(octets) > PLAIN_OCTETS_MAX:
        return None
    if pdu.tlvs and tlv_value(pdu.tlvs, TLV_MESSAGE_PAYLOAD) is not None:
        return None
    return octets


def readings(data: UserData, data_coding: int, settings: TextSettings) -> Iterator[str]:
    """The user data as plain text on one line, the likeliest way to read it first.

    First by what the octets show, then by data_coding, then with what may have been no header.
    """
    octets = data.octets[:PLAIN_OCTETS_MAX]
    yield plain_text(octets)
    septets = unpacked(octets, data_coding, settings, len(data.whole) - len(data.octets))
    yield _one_line(read_text(septets, data_coding, settings))
    if data.whole is not octets:
        yield plain_text(data.whole[:PLAIN_OCTETS_MAX])


def plain_text(octets: bytes) -> str:
    """ASCII or Latin-1, or UTF-16 where the octets show it, without control characters.

    PostgreSQL can store such a text.
    """
    text = octets.decode("latin-1")
    if text.isascii() and text.isprintable():
        return text.strip()
    order = _utf16_order(octets)
    if order is not None:
        return _one_line(without_terminator(octets.decode(order, "replace"), octets))
    return _one_line(text.removeprefix(_UTF8_MARK))


def _utf16_order(octets: bytes) -> Literal["utf-16", "utf-16-be", "utf-16-le"] | None:
    """By the mark in front, or because the first two characters are of Latin-1."""
    if octets[:2] in _UTF16_MARKS:
        return "utf-16"
    if len(octets) >= 4:
        if octets[0] == octets[2] == 0 and octets[1] and octets[3]:
            return "utf-16-be"
        if octets[1] == octets[3] == 0 and octets[0] and octets[2]:
            return "utf-16-le"
    return None


def _one_line(text: str) -> str:
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub(" ", text.replace(_GSM_UNDERSCORE, "_")).strip()


def _headed(octets: bytes, *, stated: bool) -> UserData:
    if stated:
        concatenation, text = split_header(octets)
        return UserData(text, octets, concatenation)
    if octets and octets[0] in _GUESSED_HEADER_OCTETS and _is_header(octets):
        concatenation, text = split_header(octets)
        if concatenation is not None and concatenation.total > 1:
            return UserData(text, octets, concatenation, guessed=True)
    return UserData(octets, octets)


def _is_header(octets: bytes) -> bool:
    """Whether elements fill the header that the first octet claims, to the octet."""
    end = octets[0] + 1
    offset = 1
    while offset + 1 < min(end, len(octets)):
        offset += 2 + octets[offset + 1]
    return offset == end < len(octets)


def _joined(first: bytes, second: bytes) -> bytes:
    begun = first.rstrip(b"\0")
    if second.startswith(begun):
        return second
    if begun.startswith(second.rstrip(b"\0")):
        return first
    return first + second
