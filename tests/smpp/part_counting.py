"""Owns a second count of SMS parts, made from the specifications in another way than the product.

It walks forward over characters and fills parts greedily; smpp.segmentation cuts octets and looks
back. Nothing is shared: the alphabet is the gsm0338 package's, what belongs together is decided on
code points. 3GPP TS 23.038 section 6.2.1 and TS 23.040 section 9.2.3.24.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import gsm0338

SINGLE = {"gsm7": 160, "latin1": 140, "ucs2": 70}
HEADER_OCTETS = {8: 6, 16: 7}
MESSAGE_BITS = 140 * 8
UNIT_BITS = {"gsm7": 7, "latin1": 8, "ucs2": 16}


def room_behind_header(alphabet: str, reference_bits: int) -> int:
    """Units that fit behind the header; septets begin at the next septet boundary."""
    return (MESSAGE_BITS - HEADER_OCTETS[reference_bits] * 8) // UNIT_BITS[alphabet]


def alphabet_of(text: str) -> str:
    try:
        gsm0338.Codec().encode(text)
    except UnicodeEncodeError:
        return "ucs2"
    return "gsm7"


@lru_cache(maxsize=1000)
def units_of(character: str, alphabet: str) -> int:
    if alphabet == "latin1":
        return 1
    if alphabet == "ucs2":
        return 2 if ord(character) > 0xFFFF else 1
    return len(gsm0338.Codec().encode(character)[0])


def clusters(text: str) -> list[str]:
    """What must stay in one part, by the rules of Unicode's UAX 29 as far as SMS needs them."""
    found: list[str] = []
    flag_half_open = False
    for character in text:
        before = found[-1][-1] if found else ""
        half = 0x1F1E6 <= ord(character) <= 0x1F1FF
        joins = bool(found) and (
            unicodedata.category(character) in ("Mn", "Mc", "Me")
            or character in "\u200c\u200d"
            or before == "\u200d"
            or 0x1F3FB <= ord(character) <= 0x1F3FF
            or 0xE0020 <= ord(character) <= 0xE007F
            or (half and flag_half_open)
            or (unicodedata.category(character) == "Lo" and unicodedata.combining(before) == 9)
        )
        flag_half_open = half and not (half and flag_half_open)
        if joins:
            found[-1] += character
        else:
            found.append(character)
    return found


def count_parts(text: str, alphabet: str, reference_bits: int = 8) -> int:
    pieces = clusters(text) if alphabet == "ucs2" else list(text)
    sizes = [sum(units_of(character, alphabet) for character in piece) for piece in pieces]
    if sum(sizes) <= SINGLE[alphabet]:
        return 1
    room = room_behind_header(alphabet, reference_bits)
    parts, free = 1, room
    for size in sizes:
        assert size <= room, "no text of the test holds a longer sequence"
        if size > free:
            parts, free = parts + 1, room
        free -= size
    return parts
