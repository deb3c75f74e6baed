"""Owns the GSM 03.38 alphabet: text to septets (one per octet, unpacked) and back.

Must not count parts or choose an alphabet. 3GPP TS 23.038 section 6.2.1: the basic table, and the
extension table behind ESC (two septets a character). Section 6.1.2.1: septets packed into octets.

The tables are aiosmpplib's. Its codec goes character by character, at eight times the cost, and is
not used. Encoding is two passes in C. The standard library's charmap codec gives each character one
octet, and extension characters one above 0x7F. A translate turns those octets into septets.

The charmap codec is fast only where octet 0 stands for U+0000. So "@", whose septet is 0, has
another octet in between.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from aiosmpplib.codec import GSM_BASIC_DECODE_MAP, GSM_EXTENDED_DECODE_MAP

ESCAPE: Final = 0x1B
_EXTENSION_BIT: Final = 0x80
_AT_OCTET: Final = 0xFF
_UNDEFINED: Final = "\ufffe"

_BASIC: Final[dict[int, str]] = {
    int(code): str(char) for code, char in GSM_BASIC_DECODE_MAP.items()
}
_EXTENSION: Final[dict[int, str]] = {
    int(code): str(char) for code, char in GSM_EXTENDED_DECODE_MAP.items()
}

BASIC_CHARACTERS: Final = frozenset(_BASIC.values())
EXTENSION_CHARACTERS: Final = frozenset(_EXTENSION.values())
_DELETE_GSM: Final[dict[int, None]] = {
    ord(char): None for char in BASIC_CHARACTERS | EXTENSION_CHARACTERS
}


def _octet_characters() -> str:
    table = [_UNDEFINED] * 256
    table[0] = "\0"
    for code, char in _BASIC.items():
        table[code or _AT_OCTET] = char
    for code, char in _EXTENSION.items():
        table[code | _EXTENSION_BIT] = char
    return "".join(table)


_CHARMAP: Final = codecs.charmap_build(_octet_characters())
_OCTET_TO_SEPTET: Final = bytes(0 if octet == _AT_OCTET else octet for octet in range(256))
_EXTENSION_OCTETS: Final = [
    (bytes((code | _EXTENSION_BIT,)), bytes((ESCAPE, code))) for code in sorted(_EXTENSION)
]
# What the tables do not define. An octet over 0x7F is shown as "?". ESC before a septet without an
# extension is that basic character (6.2.1 asks for it). ESC ESC, and a last lone ESC, are a space.
_OCTET_TO_CHARACTER: Final = "".join(
    _BASIC.get(octet, "?") if octet != ESCAPE else "\x1b" for octet in range(256)
)
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)
_ESCAPED_CHARACTER: Final[dict[str, str]] = {
    _BASIC[code]: char for code, char in _EXTENSION.items()
} | {"\x1b": " ", "": " "}


def encode(text: str) -> bytes | None:
    """The septets of ``text``, one per octet, extension characters as ESC pairs.

    None where a character is in neither table. Length of the result is the number of septets.
    """
    try:
        octets, _ = codecs.charmap_encode(text, "strict", _CHARMAP)
    except UnicodeEncodeError:
        return None
    if 0 in octets:
        return None  # U+0000, which only the detour above lets through
    septets = octets.translate(_OCTET_TO_SEPTET)
    if not septets.isascii():
        for octet, pair in _EXTENSION_OCTETS:
            septets = septets.replace(octet, pair)
    return septets


def decode(septets: bytes) -> str:
    """The text of unpacked septets; never raises, see above for what is undefined."""
    text = codecs.charmap_decode(septets, "strict", _OCTET_TO_CHARACTER)[0]
    if "\x1b" in text:
        return _ESCAPED.sub(lambda pair: _ESCAPED_CHARACTER.get(pair[1], pair[1]), text)
    return text


def unpack(octets: bytes, header_octets: int = 0) -> bytes:
    """Septets that stand packed in ``octets``, one per octet.

    ``header_octets``: how many octets stood before them. Behind a header, fill bits bring the first
    septet to a septet boundary (TS 23.040 section 9.2.3.24). Where the last septet may be 7 spare
    bits, 0 and CR are taken for padding. SMPP counts octets, so the number of septets is lost.
    """
    fill_bits = -8 * header_octets % 7
    bits = 8 * len(octets) - fill_bits
    aligned = (int.from_bytes(octets, "little") >> fill_bits).to_bytes(len(octets), "little")
    septets = bytearray()
    for start in range(0, len(aligned), 7):
        eight = int.from_bytes(aligned[start : start + 7], "little")
        septets += bytes([eight >> at & 0x7F for at in range(0, 56, 7)])
    count = max(0, bits) // 7
    if count and bits % 7 == 0 and septets[count - 1] in b"\0\r":
        count -= 1
    return bytes(septets[:count])


def characters_outside(text: str) -> str:
    """The distinct characters of ``text`` that are in neither table, in order of appearance."""
    return "".join(dict.fromkeys(text.translate(_DELETE_GSM)))
