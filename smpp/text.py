"""Owns the way from a text to the user data of its parts; decoding's is the way back.

Must not send, nor change the text: what does not fit is refused, never replaced or cut short (E72,
E81). Must not know what one carrier wants otherwise (encoding's).

It is GSM 03.38 where every character is in it, else UCS-2. By that the field means UTF-16BE without
a byte order mark (E71). 3GPP TS 23.038 and 23.040, SMPP 3.4 section 5.2.19.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct as Record

from smpp import gsm0338
from smpp.segmentation import (
    PARTS_MAX,
    UNIT_OCTETS,
    UNITS_PART_MAX,
    UNITS_SINGLE_MAX,
    Alphabet,
    ReferenceBits,
    cut,
    with_headers,
)
from smpp.vocabulary import DATA_CODING_DEFAULT, DATA_CODING_UCS2, ESM_CLASS_UDHI

# How many of the characters that forced UCS-2 an estimate names: enough to find them in an editor.
FORCED_BY_CHARACTERS_MAX: Final = 20
_BYTE_ORDER_MARK: Final = "\ufeff"
# The ideographic space, one, knife: the characters in use that ASCII in the wrong order looks like.
_USED_MULTIPLES: Final = frozenset(b"\x30\x4e\x52")


class Unencodable(Exception):
    """The text holds characters that cannot be sent (E72); ``characters`` are the first of them,
    each once. With UCS-2 allowed, only halves of surrogate pairs are such.
    """

    def __init__(self, characters: str) -> None:
        super().__init__(characters)
        self.characters = characters

    def __str__(self) -> str:
        names = ", ".join(
            f"U+{ord(character):04X}" + (f" {character}" if character.isprintable() else "")
            for character in self.characters
        )
        return f"the text has characters that cannot be sent: {names}"


class TooManyParts(Exception):
    """The text needs more parts than are allowed; ``parts`` is the least that it needs."""

    def __init__(self, parts: int, parts_max: int) -> None:
        super().__init__(parts, parts_max)
        self.parts = parts
        self.parts_max = parts_max

    def __str__(self) -> str:
        return f"the text needs {self.parts} parts, {self.parts_max} are allowed"


class Encoded(Record, frozen=True, gc=False):
    """A text ready for submit_sm.

    ``parts`` are the octets of short_message, behind a concatenation header where there are
    several, and ``esm_class`` then has the UDHI bit. ``units`` counts septets or UTF-16 code units
    of the text alone.
    """

    data_coding: int
    alphabet: Alphabet
    parts: tuple[bytes, ...]
    units: int
    esm_class: int


class Estimate(Record, frozen=True, gc=False):
    """What a text will cost, with 8-bit references.

    ``units_left`` fit into the last part before another one begins. ``forced_by`` names the first
    FORCED_BY_CHARACTERS_MAX distinct characters that the alphabets tried before did not have, ""
    where the first one has all.
    """

    encoding: Alphabet
    parts: int
    units: int
    units_left: int
    forced_by: str


def encode_text(
    text: str, *, reference: int = 0, parts_max: int = 10, reference_bits: ReferenceBits = 8
) -> Encoded:
    """``text`` as the user data of one or several short messages.

    ``reference`` tells the parts of one message from those of others to the same number. Any
    counter will do; it wraps. 16-bit references cost one unit a part. A byte order mark in front is
    left out: it is no part of the text and would force UCS-2.

    Raises TooManyParts, Unencodable, and ValueError for ``parts_max`` outside 1...255.
    """
    if not 1 <= parts_max <= PARTS_MAX:
        raise ValueError(f"parts_max is {parts_max}, 1 to {PARTS_MAX} can be sent")
    alphabet, octets = _alphabet(text)
    data_coding = DATA_CODING_DEFAULT if alphabet == "gsm7" else DATA_CODING_UCS2
    units = len(octets) // UNIT_OCTETS[alphabet]
    pieces = pieces_of(octets, alphabet, reference_bits, parts_max)
    if len(pieces) == 1:
        return Encoded(data_coding, alphabet, (octets,), units, 0)
    parts = with_headers(pieces, reference, reference_bits)
    return Encoded(data_coding, alphabet, parts, units, ESM_CLASS_UDHI)


def pieces_of(
    octets: bytes, alphabet: Alphabet, reference_bits: ReferenceBits, parts_max: int
) -> list[bytes]:
    """``octets`` whole if one message holds them, else cut so that each piece fits behind a header.

    Raises TooManyParts, before any work is done where the octets alone are too many (E81).
    """
    units = len(octets) // UNIT_OCTETS[alphabet]
    if units <= UNITS_SINGLE_MAX[alphabet]:
        return [octets]
    room = UNITS_PART_MAX[alphabet, reference_bits]
    parts_min = -(-units // room)
    if parts_min > parts_max:
        raise TooManyParts(parts_min, parts_max)
    pieces = cut(octets, alphabet, room)
    if len(pieces) > parts_max:
        raise TooManyParts(len(pieces), parts_max)
    return pieces


def estimate(text: str) -> Estimate:
    """What encode_text would make of ``text``, however many parts. Raises Unencodable."""
    alphabet, octets = _alphabet(text)
    forced_by = "" if alphabet == "gsm7" else gsm0338.characters_outside(without_mark(text))
    return estimate_of(octets, alphabet, 8, forced_by)


def estimate_of(
    octets: bytes, alphabet: Alphabet, reference_bits: ReferenceBits, forced_by: str
) -> Estimate:
    """The estimate for text that is encoded already."""
    unit = UNIT_OCTETS[alphabet]
    units = len(octets) // unit
    parts, last, room = 1, units, UNITS_SINGLE_MAX[alphabet]
    if units > room:
        room = UNITS_PART_MAX[alphabet, reference_bits]
        pieces = cut(octets, alphabet, room)
        parts, last = len(pieces), len(pieces[-1]) // unit
    return Estimate(alphabet, parts, units, room - last, forced_by[:FORCED_BY_CHARACTERS_MAX])


def decode_ucs2(octets: bytes) -> str:
    """UTF-16BE; or UTF-16LE where a byte order mark (E71), or what it would be else, says so. Never
    raises.
    """
    if octets[:2] == b"\xff\xfe":
        return octets[2:].decode("utf-16-le", "replace")
    if _is_swapped(octets):
        return octets.decode("utf-16-le", "replace")
    return without_mark(octets.decode("utf-16-be", "replace"))


def _is_swapped(octets: bytes) -> bool:
    """Whether these are ASCII in UTF-16LE.

    Read as UTF-16BE each character would then be a multiple of 256. Few of those are in use, and
    they do not stand alone in a text.
    """
    if len(octets) < 4 or len(octets) & 1 or any(octets[1::2]):
        return False
    low = octets[::2]
    if not low.isascii() or not low.rstrip(b"\0").decode("latin-1").replace("\n", "").isprintable():
        return False
    strange = set(low) - _USED_MULTIPLES
    return len(set(low)) > 1 and (bool(strange) if len(low) > 2 else len(strange) > 1)


def without_terminator(text: str, octets: bytes) -> str:
    """``text`` without the NUL that its octets end in. In GSM 03.38 such an octet is a character,
    `@`, and stays.
    """
    if octets[-1:] != b"\0":
        return text
    if len(octets) & 1 and text.endswith("\ufffd"):
        text = text[:-1]  # half a character of UCS-2
    return text.rstrip("\0")


def without_mark(text: str) -> str:
    """``text`` without a byte order mark in front, which is no part of it."""
    return text[1:] if text[:1] == _BYTE_ORDER_MARK else text


def _alphabet(text: str) -> tuple[Alphabet, bytes]:
    text = without_mark(text)
    septets = gsm0338.encode(text)
    if septets is not None:
        return "gsm7", septets
    try:
        return "ucs2", text.encode("utf-16-be")
    except UnicodeEncodeError:
        raise Unencodable(surrogate_halves(text)[:FORCED_BY_CHARACTERS_MAX]) from None


def surrogate_halves(text: str) -> str:
    """The distinct halves of surrogate pairs in ``text``, which no alphabet of SMS has."""
    return "".join(dict.fromkeys(char for char in text if "\ud800" <= char <= "\udfff"))
