"""Owns what data_coding says of user data, and how octets in each alphabet are read.

Must not know a carrier's settings (encoding's) or where the user data stands in a PDU. SMPP 3.4
section 5.2.19 for 0x00 to 0x0F, 3GPP TS 23.038 section 4 for the rest.

Peers write one alphabet under the number of another. So a text comes with what its reading rests
on, if not on data_coding alone. Nothing that a peer sends makes this module raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct as Record

from smpp import gsm0338
from smpp.segmentation import Alphabet
from smpp.text import decode_ucs2

# Why a text may not be what was meant. "gsm7", "utf8", "latin1" and the charsets: read as such
# though data_coding says another alphabet. "reserved": a number without a meaning. "binary",
# "compressed": no text; each octet became one character. "unreadable": some became U+FFFD.
Guess = Literal[
    "gsm7",
    "utf8",
    "latin1",
    "shift_jis",
    "euc_jp",
    "cp949",
    "reserved",
    "binary",
    "compressed",
    "unreadable",
]
_Meaning = Literal["gsm7", "ascii", "latin1", "ucs2", "binary", "compressed", "reserved", "none"]


class Decoded(Record, frozen=True, gc=False):
    """A text, and what it rests on; ``guess`` None: on data_coding alone, with nothing lost."""

    text: str
    guess: Guess | None = None


# Charsets by data_coding; behind the first, what peers write under its number instead.
_CHARSETS: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        0x05: ("iso2022_jp", "shift_jis", "euc_jp"),  # JIS X 0208
        0x06: ("iso8859_5",),
        0x07: ("iso8859_8",),
        0x09: ("shift_jis", "euc_jp"),  # pictograms
        0x0A: ("iso2022_jp", "shift_jis", "euc_jp"),  # music codes
        0x0D: ("iso2022_jp_1", "euc_jp", "shift_jis"),  # extended Kanji, JIS X 0212
        0x0E: ("euc_kr", "cp949"),
    }
)
_GUESSES: Final[Mapping[str, Guess]] = MappingProxyType(
    {"shift_jis": "shift_jis", "euc_jp": "euc_jp", "cp949": "cp949"}
)
_SMPP: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {0x00: "gsm7", 0x01: "ascii", 0x02: "binary", 0x03: "latin1", 0x04: "binary", 0x08: "ucs2"}
)
# By bits 3 and 2 of the groups 00xx and 01xx.
_GENERAL: Final[tuple[_Meaning, ...]] = ("gsm7", "binary", "ucs2", "reserved")
_COMPRESSED_BIT: Final = 0x20
_EIGHT_BIT: Final = 0x04
_CONTROLS: Final = re.compile(rb"[^\t\n\r\x20-\x7e\x80-\xff]")
_HIGH_OCTETS: Final = re.compile(rb"([\x80-\xff]+)")


def decode_text(octets: bytes, data_coding: int) -> str:
    """As ``decode``, the text alone."""
    return decode(octets, data_coding).text


def decode(octets: bytes, data_coding: int) -> Decoded:
    """The text of user data (without its UDH), its GSM 7-bit septets one per octet."""
    charsets = _CHARSETS.get(data_coding)
    if charsets is not None:
        return _in_charset(octets, charsets)
    match _meaning(data_coding):
        case "ascii":
            return _in_ascii(octets)
        case "binary":
            return Decoded(octets.decode("latin-1"), "binary")
        case "compressed":
            return Decoded(octets.decode("latin-1"), "compressed")
        case "none":
            return Decoded(octets.decode("latin-1"), "reserved")
        case "reserved":
            # TS 23.038 section 4 wants the default alphabet for what is reserved.
            return Decoded(_in_gsm7(octets).text, "reserved")
        case alphabet:
            return decode_alphabet(octets, alphabet)


def decode_alphabet(octets: bytes, alphabet: Alphabet) -> Decoded:
    """As ``decode``, where the alphabet is known."""
    if alphabet == "gsm7":
        return _in_gsm7(octets)
    if alphabet == "latin1":
        return Decoded(octets.decode("latin-1"))
    text = decode_ucs2(octets)
    # U+FFFD may also have been sent: then it is in the octets.
    lost = "\ufffd" in text and b"\xff\xfd" not in octets
    return Decoded(text, "unreadable" if lost else None)


def is_gsm7(data_coding: int) -> bool:
    """Whether it says GSM 7-bit, or is a reserved number that is read as that."""
    return data_coding not in _CHARSETS and _meaning(data_coding) in ("gsm7", "reserved")


def _meaning(data_coding: int) -> _Meaning:
    group = data_coding >> 4
    if group == 0:
        return _SMPP.get(data_coding, "none")
    if group < 0x8:  # general data coding, and the same marked for automatic deletion
        return "compressed" if data_coding & _COMPRESSED_BIT else _GENERAL[data_coding >> 2 & 3]
    if group < 0xC:
        return "reserved"
    if group == 0xE:  # message waiting, UCS-2; 0xC and 0xD are the others
        return "ucs2"
    # data coding and message class
    return "binary" if group == 0xF and data_coding & _EIGHT_BIT else "gsm7"


def _in_gsm7(octets: bytes) -> Decoded:
    return Decoded(gsm0338.decode(octets)) if octets.isascii() else _with_eighth_bit(octets)


def _in_ascii(octets: bytes) -> Decoded:
    """ASCII has no use for control characters; the septets of GSM 03.38 are letters there."""
    if not octets.isascii():
        return _with_eighth_bit(octets)
    if _CONTROLS.search(octets.rstrip(b"\0")):  # a NUL at the end is a string's end
        return Decoded(gsm0338.decode(octets), "gsm7")
    return Decoded(octets.decode("ascii"))


def _with_eighth_bit(octets: bytes) -> Decoded:
    """The reading of octets that are said to be of seven bits, and are not."""
    try:
        return Decoded(octets.decode("utf-8"), "utf8")
    except UnicodeDecodeError:
        pass
    if not _CONTROLS.search(octets):
        return Decoded(octets.decode("latin-1"), "latin1")
    # Septets with a letter of Latin-1 among them: no other reading is free of control characters.
    pieces = _HIGH_OCTETS.split(octets)
    pieces_read = [
        piece.decode("latin-1") if number & 1 else gsm0338.decode(piece)
        for number, piece in enumerate(pieces)
    ]
    return Decoded("".join(pieces_read), "latin1")


def _in_charset(octets: bytes, charsets: tuple[str, ...]) -> Decoded:
    for charset in charsets:
        try:
            text = octets.decode(charset)
        except UnicodeDecodeError:
            continue
        return Decoded(text, None if charset == charsets[0] else _GUESSES[charset])
    return Decoded(octets.decode(charsets[0], "replace"), "unreadable")
