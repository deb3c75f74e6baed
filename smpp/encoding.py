"""Owns what one carrier wants of texts: its alphabets, its numbers for them, its way to join parts.

Must not know accounts or connectors by name, nor send. ``submit_parts`` is the whole way from a
text to what differs between the submit_sm of its parts; ``read`` is the way back. data_coding
means what the carrier says it means, so it is a setting (E76); SMPP 3.4 sections 5.2.12, 5.2.19 and
5.3.2.22 to 5.3.2.24.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct as Record

from smpp import gsm0338
from smpp.decoding import Decoded, decode, decode_alphabet, is_gsm7
from smpp.replacements import REPLACEMENTS, replaced
from smpp.segmentation import (
    PARTS_MAX,
    UNIT_OCTETS,
    UNITS_SINGLE_MAX,
    Alphabet,
    ReferenceBits,
    with_headers,
)
from smpp.text import (
    FORCED_BY_CHARACTERS_MAX,
    Estimate,
    Unencodable,
    estimate_of,
    pieces_of,
    surrogate_halves,
    without_mark,
)
from smpp.tlv import Tlvs
from smpp.vocabulary import (
    DATA_CODING_DEFAULT,
    DATA_CODING_LATIN_1,
    DATA_CODING_UCS2,
    ESM_CLASS_UDHI,
    TLV_MESSAGE_PAYLOAD,
    TLV_SAR_MSG_REF_NUM,
    TLV_SAR_SEGMENT_SEQNUM,
    TLV_SAR_TOTAL_SEGMENTS,
)

__all__ = [
    "Part",
    "Segmentation",
    "TextSettings",
    "count_parts",
    "estimate",
    "read",
    "read_text",
    "submit_parts",
    "unpacked",
]

Segmentation = Literal["udh8", "udh16", "sar", "payload"]

_DATA_CODINGS: Final[dict[Alphabet, int]] = {
    "latin1": DATA_CODING_LATIN_1,
    "ucs2": DATA_CODING_UCS2,
}


class TextSettings(Record, frozen=True, forbid_unknown_fields=True):
    """How one carrier takes texts. Raises ValueError for settings that contradict each other.

    ``default_alphabet`` is what data_coding 0 means there. ``alphabets`` are tried in this order;
    empty means the default one, then UCS-2. Without "ucs2" among them other characters are refused.

    ``data_codings`` gives an alphabet another number than the usual one. Usual is gsm7 0 where it
    is the default, latin1 3, ucs2 8.

    ``segmentation`` joins the parts of a long text by an 8- or 16-bit reference in a header (UDH)
    or by SAR TLVs. Or it leaves cutting to the carrier (message_payload).

    ``smart_replacement`` writes typographic characters plainly, where the text then does without
    UCS-2. ``inbound_packed``: GSM 7-bit from handsets is packed, eight septets in seven octets.
    """

    default_alphabet: Alphabet = "gsm7"
    alphabets: tuple[Alphabet, ...] = ()
    data_codings: dict[Alphabet, int] = {}
    segmentation: Segmentation = "udh8"
    smart_replacement: bool = False
    inbound_packed: bool = False

    def __post_init__(self) -> None:
        tried = self.tried()
        if len(set(tried)) < len(tried):
            raise ValueError("alphabets names one twice")
        if "ucs2" in tried[:-1]:
            raise ValueError("ucs2 has every character: what comes after it is never tried")
        numbers = {alphabet: self.data_coding(alphabet) for alphabet in tried}
        for alphabet, number in {**self.data_codings, **numbers}.items():
            if not 0 <= number <= 0xFF:
                raise ValueError(f"data_coding {number} of {alphabet} is not 0 to 255")
        if len(set(numbers.values())) < len(numbers):
            raise ValueError("two alphabets have the same data_coding")
        for alphabet, number in numbers.items():
            if number == DATA_CODING_DEFAULT and alphabet != self.default_alphabet:
                raise ValueError(
                    f"data_coding 0 is {alphabet}, but default_alphabet is {self.default_alphabet}"
                )

    def __hash__(self) -> int:
        return hash((self.default_alphabet, self.alphabets))  # a dict has none

    def tried(self) -> tuple[Alphabet, ...]:
        """The alphabets in the order in which they are tried."""
        if self.alphabets:
            return self.alphabets
        return (
            (self.default_alphabet,)
            if self.default_alphabet == "ucs2"
            else (
                self.default_alphabet,
                "ucs2",
            )
        )

    def data_coding(self, alphabet: Alphabet) -> int:
        """The number that this carrier knows ``alphabet`` by."""
        number = self.data_codings.get(alphabet)
        if number is not None:
            return number
        if alphabet == self.default_alphabet:
            return DATA_CODING_DEFAULT
        number = _DATA_CODINGS.get(alphabet)
        if number is None:
            raise ValueError(f"{alphabet} is not the default alphabet and needs a data_coding")
        return number

    def reference_bits(self) -> ReferenceBits:
        """How wide the reference is that a phone will see; for SAR and payload the usual 8."""
        return 16 if self.segmentation == "udh16" else 8


class Part(Record, frozen=True, gc=False):
    """What one submit_sm of a text differs in from the others.

    ``alphabet`` and ``segments`` are for counting. ``segments`` is how many parts a phone gets and
    an operator pays for. That is 1, except for a message_payload, which the carrier cuts.
    """

    esm_class: int
    data_coding: int
    short_message: bytes
    tlvs: Tlvs
    alphabet: Alphabet
    segments: int = 1


# Most texts are one part. What is counted at accept is written a moment later, and a campaign says
# the same to many.
TEXTS_REMEMBERED_MAX: Final = 4096


def submit_parts(
    text: str, settings: TextSettings, reference: int = 0, *, parts_max: int = 10
) -> tuple[Part, ...]:
    """``text`` as the submit_sm of one or several parts, in order.

    ``reference`` tells the parts of one message from those of others to the same number. Any
    counter will do; it wraps at the width that ``settings`` give it (E78). Raises TooManyParts and
    Unencodable (both of smpp.text), and ValueError for ``parts_max`` outside 1...255.
    """
    if not 1 <= parts_max <= PARTS_MAX:
        raise ValueError(f"parts_max is {parts_max}, 1 to {PARTS_MAX} can be sent")
    part = _one_part(text, settings) if len(text) <= UNITS_SINGLE_MAX["gsm7"] else None
    if part is not None:
        return (part,)
    alphabet, octets = _encoded(text, settings)
    data_coding = settings.data_coding(alphabet)
    bits = settings.reference_bits()
    pieces = pieces_of(octets, alphabet, bits, parts_max)
    total = len(pieces)
    if settings.segmentation == "payload":
        payload = ((TLV_MESSAGE_PAYLOAD, octets),)
        return (Part(0, data_coding, b"", payload, alphabet, total),)
    if settings.segmentation == "sar":
        return tuple(
            [
                Part(0, data_coding, piece, _sar_tlvs(reference, total, sequence), alphabet)
                for sequence, piece in enumerate(pieces, start=1)
            ]
        )
    return tuple(
        [
            Part(ESM_CLASS_UDHI, data_coding, octets, (), alphabet)
            for octets in with_headers(pieces, reference, bits)
        ]
    )


@lru_cache(maxsize=TEXTS_REMEMBERED_MAX)
def _one_part(text: str, settings: TextSettings) -> Part | None:
    """The only part of ``text``; None if it needs several."""
    alphabet, octets = _encoded(text, settings)
    if len(octets) // UNIT_OCTETS[alphabet] > UNITS_SINGLE_MAX[alphabet]:
        return None
    return Part(0, settings.data_coding(alphabet), octets, (), alphabet)


def count_parts(text: str, settings: TextSettings, *, parts_max: int = 10) -> tuple[Alphabet, int]:
    """In which alphabet submit_parts would write ``text``, and how many parts a phone gets of it.

    Raises as submit_parts does.
    """
    parts = submit_parts(text, settings, parts_max=parts_max)
    return parts[0].alphabet, len(parts) * parts[0].segments


def estimate(text: str, settings: TextSettings) -> Estimate:
    """What submit_parts would make of ``text``, however many parts. Raises Unencodable."""
    alphabet, octets = _encoded(text, settings)
    narrower = settings.tried()[0]
    forced_by = "" if alphabet == narrower else _outside(without_mark(text), narrower)
    return estimate_of(octets, alphabet, settings.reference_bits(), forced_by)


def read(octets: bytes, data_coding: int, settings: TextSettings) -> Decoded:
    """The text of user data (without its UDH, and unpacked) from this carrier. Numbers that
    ``settings`` do not name mean what SMPP and TS 23.038 say. Never raises.
    """
    alphabet = _alphabet_of(data_coding, settings)
    if alphabet is None:
        return decode(octets, data_coding)
    return decode_alphabet(octets, alphabet)


def read_text(octets: bytes, data_coding: int, settings: TextSettings) -> str:
    """As ``read``, the text alone."""
    return read(octets, data_coding, settings).text


def unpacked(
    octets: bytes, data_coding: int, settings: TextSettings, header_octets: int = 0
) -> bytes:
    """User data for ``read``: where this carrier packs GSM 7-bit, one octet a septet, else as it
    is. ``header_octets``: how long the UDH in front of it was, with its length octet.
    """
    if not settings.inbound_packed:
        return octets
    alphabet = _alphabet_of(data_coding, settings)
    if alphabet == "gsm7" or (alphabet is None and is_gsm7(data_coding)):
        return gsm0338.unpack(octets, header_octets)
    return octets


def _alphabet_of(data_coding: int, settings: TextSettings) -> Alphabet | None:
    """What this carrier has said that the number means."""
    for alphabet in settings.tried():
        if settings.data_coding(alphabet) == data_coding:
            return alphabet
    for alphabet, number in settings.data_codings.items():
        if number == data_coding:
            return alphabet
    return settings.default_alphabet if data_coding == DATA_CODING_DEFAULT else None


def _sar_tlvs(reference: int, total: int, sequence: int) -> Tlvs:
    return (
        (TLV_SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2, "big")),
        (TLV_SAR_TOTAL_SEGMENTS, bytes((total,))),
        (TLV_SAR_SEGMENT_SEQNUM, bytes((sequence,))),
    )


def _encoded(text: str, settings: TextSettings) -> tuple[Alphabet, bytes]:
    """The first alphabet that has every character of ``text``, and the text in it."""
    text = without_mark(text)
    tried = settings.tried()
    for alphabet in tried:
        if alphabet == "ucs2" and settings.smart_replacement:
            break
        octets = _octets_in(text, alphabet)
        if octets is not None:
            return alphabet, octets
    if settings.smart_replacement:
        for alphabet in tried:
            octets = _octets_written_plainly(text, alphabet)
            if octets is not None:
                return alphabet, octets
    fewest = min((_outside(text, alphabet) for alphabet in tried), key=len)
    raise Unencodable(fewest[:FORCED_BY_CHARACTERS_MAX])


def _octets_in(text: str, alphabet: Alphabet) -> bytes | None:
    """``text`` in ``alphabet``; None where it lacks a character."""
    if alphabet == "gsm7":
        return gsm0338.encode(text)
    try:
        return text.encode("latin-1" if alphabet == "latin1" else "utf-16-be")
    except UnicodeEncodeError:
        return None


def _octets_written_plainly(text: str, alphabet: Alphabet) -> bytes | None:
    """As _octets_in, with what ``alphabet`` lacks replaced; None where it cannot be."""
    if alphabet == "ucs2":
        return _octets_in(text, alphabet)
    # Most texts that need UCS-2 show it in their first characters: the table is not tried on them.
    for character in text:
        if character not in REPLACEMENTS and _octets_in(character, alphabet) is None:
            return None
    plain = replaced(text, _outside(text, alphabet))
    return None if plain is None else _octets_in(plain, alphabet)


def _outside(text: str, alphabet: Alphabet) -> str:
    """The distinct characters of ``text`` that ``alphabet`` lacks, in order of appearance."""
    if alphabet == "gsm7":
        return gsm0338.characters_outside(text)
    if alphabet == "ucs2":
        return surrogate_halves(text)
    return "".join(dict.fromkeys(character for character in text if character > "\u00ff"))
