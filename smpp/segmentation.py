"""Owns cutting user data into parts, and the header (UDH) that lets a phone join them again.

Must not choose an alphabet. 3GPP TS 23.040 section 9.2.3.24: a part is 140 octets, that is 160
septets or 70 UTF-16 code units. The header comes out of them.

Cuts never fall inside what a phone would then show as two wrong characters (E73). Such are an ESC
pair, a surrogate pair, an emoji sequence, and a letter with its marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct as Record

from smpp.gsm0338 import ESCAPE

Alphabet = Literal["gsm7", "latin1", "ucs2"]
ReferenceBits = Literal[8, 16]

PARTS_MAX: Final = 255  # the header counts parts in one octet
UNITS_SINGLE_MAX: Final[Mapping[Alphabet, int]] = {"gsm7": 160, "latin1": 140, "ucs2": 70}
# 140 octets less a header of 6 (or 7) octets; septets start at a septet boundary behind it.
UNITS_PART_MAX: Final[Mapping[tuple[Alphabet, ReferenceBits], int]] = {
    ("gsm7", 8): 153,
    ("gsm7", 16): 152,
    ("latin1", 8): 134,
    ("latin1", 16): 133,
    ("ucs2", 8): 67,
    ("ucs2", 16): 66,
}
UNIT_OCTETS: Final[Mapping[Alphabet, int]] = {"gsm7": 1, "latin1": 1, "ucs2": 2}

_CONCATENATION_8: Final = b"\x05\x00\x03"
_CONCATENATION_16: Final = b"\x06\x08\x04"

# How far back a cut moves to keep a sequence whole. The longest emoji of Unicode 16 has 15 code
# units; a text built to be one endless sequence is cut at a surrogate boundary instead.
_SEQUENCE_OCTETS_MAX: Final = 2 * 32
_ZERO_WIDTH_JOINER: Final = "\u200d"
_ZERO_WIDTH_NON_JOINER: Final = "\u200c"
_VIRAMA_CLASS: Final = 9  # Unicode's combining class of the marks that fuse two consonants


class Concatenation(Record, frozen=True, gc=False):
    """Of which message a part is number ``sequence`` (from 1) of ``total``."""

    reference: int
    total: int
    sequence: int


def cut(octets: bytes, alphabet: Alphabet, units_part_max: int) -> list[bytes]:
    """The pieces of ``octets``, each at most ``units_part_max`` units, none torn."""
    pieces: list[bytes] = []
    room = units_part_max * UNIT_OCTETS[alphabet]
    boundary = _BOUNDARIES[alphabet]
    start = 0
    size = len(octets)
    while size - start > room:
        end = boundary(octets, start, start + room)
        pieces.append(octets[start:end])
        start = end
    pieces.append(octets[start:])
    return pieces


def with_headers(
    pieces: list[bytes], reference: int, reference_bits: ReferenceBits = 8
) -> tuple[bytes, ...]:
    """Each piece behind its concatenation header. The reference wraps at 8 or 16 bits (E78)."""
    total = len(pieces)
    if reference_bits == 8:
        head = _CONCATENATION_8 + bytes((reference & 0xFF, total))
    else:
        head = _CONCATENATION_16 + (reference & 0xFFFF).to_bytes(2, "big") + bytes((total,))
    return tuple(
        [head + bytes((sequence,)) + piece for sequence, piece in enumerate(pieces, start=1)]
    )


def split_header(octets: bytes) -> tuple[Concatenation | None, bytes]:
    """User data behind a UDH (esm_class bit 6): what the UDH says of parts, and the text octets.

    None where no valid concatenation element is in it. A header that claims more octets than there
    are is no header: everything is text then. Never raises.
    """
    if not octets or octets[0] >= len(octets):
        return None, octets
    end = octets[0] + 1
    concatenation: Concatenation | None = None
    offset = 1
    while offset + 2 <= end:
        after = offset + 2 + octets[offset + 1]
        if after > end:
            break
        # TS 23.040 9.2.3.24: of an element that is repeated the last one counts.
        found = _concatenation(octets[offset], octets[offset + 2 : after])
        concatenation = found or concatenation
        offset = after
    return concatenation, octets[end:]


def _concatenation(element: int, value: bytes) -> Concatenation | None:
    if element == 0x00 and len(value) == 3:
        reference, total, sequence = value
    elif element == 0x08 and len(value) == 4:
        reference, total, sequence = int.from_bytes(value[:2], "big"), value[2], value[3]
    else:
        return None
    return Concatenation(reference, total, sequence) if 1 <= sequence <= total else None


def _septet_boundary(septets: bytes, start: int, end: int) -> int:
    # ESC only ever opens a pair, so the septet before the cut decides.
    return end - 1 if septets[end - 1] == ESCAPE else end


def _octet_boundary(octets: bytes, start: int, end: int) -> int:
    return end  # every octet of Latin-1 is a whole character


def _utf16_boundary(octets: bytes, start: int, end: int) -> int:
    boundary = end
    while _tears(octets, start, boundary):
        boundary -= 2
        if end - boundary > _SEQUENCE_OCTETS_MAX:
            return end - 2 if _is_low_surrogate(octets[end]) else end
    return boundary


_BOUNDARIES: Final[Mapping[Alphabet, Callable[[bytes, int, int], int]]] = {
    "gsm7": _septet_boundary,
    "latin1": _octet_boundary,
    "ucs2": _utf16_boundary,
}


def _is_low_surrogate(lead: int) -> bool:
    return 0xDC <= lead <= 0xDF


def _tears(octets: bytes, start: int, offset: int) -> bool:
    """Whether a cut before the code unit at ``offset`` would change what a phone shows."""
    lead = octets[offset]
    if _is_low_surrogate(lead):
        return True
    after = _character(octets, offset, 4 if 0xD8 <= lead <= 0xDB else 2)
    if _extends(after):
        return True
    before = _character(octets, offset - 2, 2)
    if before == _ZERO_WIDTH_JOINER:
        return True
    if unicodedata.combining(before) == _VIRAMA_CLASS and unicodedata.category(after) == "Lo":
        return True
    return (
        _is_regional_indicator(after)
        and _regional_indicators_before(octets, start, offset) % 2 == 1
    )


def _character(octets: bytes, offset: int, size: int) -> str:
    return octets[offset : offset + size].decode("utf-16-be", "replace")


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it.

    Such are joiners, marks (accents, vowel signs, variation selectors, keycaps), skin tones, and
    the tags of a subdivision's flag.
    """
    return (
        unicodedata.category(character)[0] == "M"
        or character in (_ZERO_WIDTH_JOINER, _ZERO_WIDTH_NON_JOINER)
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _is_regional_indicator(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _regional_indicators_before(octets: bytes, start: int, offset: int) -> int:
    """How many stand before it. Two of them make one flag, and the last cut, at ``start``, tore
    none.
    """
    count = 0
    while offset - 4 >= start and _is_regional_indicator(_character(octets, offset - 4, 4)):
        count += 1
        offset -= 4
    return count
