"""Texts to user data: alphabets, counting, cutting and headers (E71-E74, E76-E78, E81)."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smpp import gsm0338
from smpp.decoding import decode_text
from smpp.pdu import SubmitSm, decode, encode
from smpp.segmentation import ReferenceBits, split_header
from smpp.text import TooManyParts, Unencodable, encode_text, estimate

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
WAVE_WITH_SKIN_TONE = "\U0001f44b\U0001f3fd"
FLAG = "\U0001f1e8\U0001f1f3"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
KEYCAP = "1\ufe0f\u20e3"
HEART = "\u2764\ufe0f"
ACCENT = "e\u0301"
# A vowel sign, a fused pair of consonants, a vowel above, a vowel point, a virama kept visible.
SYLLABLES = [
    "\u0915\u093f",
    "\u0915\u094d\u0937",
    "\u0e27\u0e31",
    "\u0645\u064f",
    "\u0915\u094d\u200c",
]

gsm_text = st.text(
    st.sampled_from(sorted(gsm0338.BASIC_CHARACTERS | gsm0338.EXTENSION_CHARACTERS)), max_size=700
)
# Without byte order marks, which the reader takes for what they are (E71 below), and surrogates.
any_text = st.text(
    st.characters(exclude_characters="\ufeff\ufffe", exclude_categories=["Cs"]), max_size=400
)


def read_parts(parts: tuple[bytes, ...], data_coding: int) -> list[str]:
    """What a phone would show of each part by itself, after checking the headers."""
    texts = []
    for sequence, part in enumerate(parts, start=1):
        assert len(part) <= 159 if data_coding == 0 else len(part) <= 140
        body = part
        if len(parts) > 1:
            concatenation, body = split_header(part)
            assert concatenation is not None
            assert (concatenation.total, concatenation.sequence) == (len(parts), sequence)
        texts.append(decode_text(body, data_coding))
    return texts


def test_golden_vectors() -> None:
    hello = encode_text("Hello @ {€}")
    assert hello.alphabet == "gsm7"
    assert hello.data_coding == hello.esm_class == 0
    assert hello.parts == (bytes.fromhex("48656c6c6f2000201b281b651b29"),)
    assert hello.units == 14
    code = encode_text("验证码 12")
    assert (code.alphabet, code.data_coding, code.units) == ("ucs2", 8, 6)
    assert code.parts == (bytes.fromhex("9a8c8bc17801002000310032"),)


def test_golden_parts_of_a_long_message() -> None:
    encoded = encode_text("x" * 161, reference=0x142)
    assert encoded.esm_class == 0x40
    assert encoded.parts == (
        bytes.fromhex("050003420201") + b"x" * 153,
        bytes.fromhex("050003420202") + b"x" * 8,
    )
    wide = encode_text("验" * 71, reference=0x1_0142, reference_bits=16)
    assert [part[:7].hex() for part in wide.parts] == ["06080401420201", "06080401420202"]
    assert [len(part) for part in wide.parts] == [7 + 132, 7 + 10]


@pytest.mark.parametrize(
    ("character", "bits", "single", "room"),
    [("x", 8, 160, 153), ("x", 16, 160, 152), ("验", 8, 70, 67), ("验", 16, 70, 66)],
)
def test_part_limits(character: str, bits: ReferenceBits, single: int, room: int) -> None:
    for count, parts in [(single, 1), (single + 1, 2), (2 * room, 2), (2 * room + 1, 3)]:
        assert len(encode_text(character * count, reference_bits=bits).parts) == parts


@given(st.one_of(gsm_text, any_text), st.sampled_from([8, 16]))
@settings(max_examples=200)
def test_the_parts_joined_are_the_text(text: str, bits: ReferenceBits) -> None:
    encoded = encode_text(text, parts_max=255, reference_bits=bits)
    shown = read_parts(encoded.parts, encoded.data_coding)
    assert "".join(shown) == text
    assert "\ufffd" in text or not any("\ufffd" in part for part in shown)
    header = (bits // 8 + 5) * (len(encoded.parts) > 1)
    unit = 2 if encoded.alphabet == "ucs2" else 1
    assert encoded.units == sum(len(part) - header for part in encoded.parts) // unit


@given(st.one_of(gsm_text, any_text, st.text(st.sampled_from([*FAMILY, *FLAG, "a", "验"]))))
@example("a" * 159 + "€")
@example(FLAG * 40)
def test_the_estimate_is_what_encoding_gives(text: str) -> None:
    encoded = encode_text(text, parts_max=255)
    guess = estimate(text)
    assert (guess.encoding, guess.parts, guess.units) == (
        encoded.alphabet,
        len(encoded.parts),
        encoded.units,
    )
    assert (guess.encoding == "gsm7") == (guess.forced_by == "")
    filler = "a" if guess.encoding == "gsm7" else "验"
    assert estimate(text + filler * guess.units_left).parts == guess.parts
    assert estimate(text + filler * (guess.units_left + 1)).parts == guess.parts + 1


def test_the_estimate_names_what_forced_ucs2() -> None:
    assert estimate("naïve – “quoted” naïve").forced_by == "ï–“”"
    assert len(estimate("".join(map(chr, range(0x4E00, 0x4E80)))).forced_by) == 20
    assert estimate("").units_left == 160


def test_e71_no_byte_order_mark_is_sent_and_one_that_came_is_dropped() -> None:
    for part in encode_text("验" * 200).parts:
        assert part[6:8] == "验".encode("utf-16-be")
    assert encode_text("\ufeffHello") == encode_text("Hello")
    assert encode_text("\ufeff验") == encode_text("验")
    assert estimate("\ufeffHello").forced_by == ""
    assert encode_text("\ufeff" * 5000 + "x", parts_max=255).alphabet == "ucs2"
    assert decode_text(b"\xfe\xff\x9a\x8c", 8) == "验"
    assert decode_text(b"\xff\xfe\x8c\x9a", 8) == "验"


@pytest.mark.parametrize("text", ["\ud83d", "ok \udc00!", "验\ude00\ud83d"])
def test_e72_halves_of_surrogate_pairs_are_refused_by_name(text: str) -> None:
    halves = [char for char in text if "\ud800" <= char <= "\udfff"]
    for attempt in (encode_text, estimate):
        with pytest.raises(Unencodable) as caught:
            attempt(text)
        assert caught.value.characters == "".join(halves)
        assert all(f"U+{ord(half):04X}" in str(caught.value) for half in halves)


def test_e72_every_other_character_there_is_can_be_sent() -> None:
    points = [*range(0xD800), *range(0xE000, 0xFEFF), *range(0xFF00, sys.maxunicode + 1, 97)]
    for point in points:
        encoded = encode_text(chr(point))
        assert decode_text(encoded.parts[0], encoded.data_coding) == chr(point)


@pytest.mark.parametrize("bits", [8, 16])
def test_e73_the_euro_at_every_offset_near_the_cut(bits: ReferenceBits) -> None:
    for offset in range(140, 165):
        text = "a" * offset + "€" + "b" * 160
        encoded = encode_text(text, reference_bits=bits)
        shown = read_parts(encoded.parts, 0)
        assert "".join(shown) == text
        assert encoded.parts[0][-1] != gsm0338.ESCAPE
        assert encoded.units == len(text) + 1
    # All escapes: the 153rd septet would be an ESC each time, so a part holds 76 characters.
    assert [len(text) for text in read_parts(encode_text("€" * 160).parts, 0)] == [76, 76, 8]


@pytest.mark.parametrize(
    "whole",
    ["\U0001f600", FAMILY, WAVE_WITH_SKIN_TONE, FLAG, SCOTLAND, KEYCAP, HEART, ACCENT, *SYLLABLES],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_e73_no_sequence_is_torn_at_any_offset_near_the_cut(
    whole: str, bits: ReferenceBits
) -> None:
    for offset in range(45, 71):
        text = "验" * offset + whole + "码" * 80
        shown = read_parts(encode_text(text, reference_bits=bits).parts, 8)
        assert "".join(shown) == text
        assert sum(whole in part for part in shown) == 1


def test_e73_a_row_of_flags_is_cut_between_flags() -> None:
    for offset in range(5):
        text = "a" * offset + FLAG * 100
        parts = read_parts(encode_text(text, parts_max=20).parts, 8)
        assert "".join(parts) == text
        assert all(len(part.lstrip("a")) % 2 == 0 for part in parts)


@pytest.mark.parametrize("endless", ["\u200d", "\ufe0f", "\U0001f3fd", "e\u0301\u0301\u0301"])
def test_e73_an_endless_sequence_is_cut_but_never_within_a_surrogate_pair(endless: str) -> None:
    for offset in range(4):
        text = "验" * offset + endless * 300
        shown = read_parts(encode_text(text, parts_max=255).parts, 8)
        assert "".join(shown) == text


@pytest.mark.parametrize("text", ["@home", "home@", "@", "@@", "a@b"])
def test_e74_at_is_septet_zero_and_survives_the_wire(text: str) -> None:
    encoded = encode_text(text)
    assert encoded.alphabet == "gsm7"
    assert encoded.parts[0].count(0) == text.count("@")
    back = decode(encode(SubmitSm(1, short_message=encoded.parts[0])))
    assert isinstance(back, SubmitSm)
    assert decode_text(back.short_message, 0) == text


def test_e74_extension_characters_count_twice() -> None:
    for character in "^{}\\[~]|€\f":
        assert encode_text(character).units == 2
        assert len(encode_text(character * 80).parts) == 1
        assert len(encode_text(character * 80 + "a").parts) == 2


def test_e77_the_header_tells_the_parts_apart_in_any_order() -> None:
    parts = encode_text("验" * 150, reference=9).parts
    for order in itertools.permutations(parts):
        headers = [split_header(part) for part in order]
        assert all(header and header.reference == 9 for header, _ in headers)
        ordered = sorted(headers, key=lambda pair: pair[0].sequence if pair[0] else 0)
        assert decode_text(b"".join(body for _, body in ordered), 8) == "验" * 150


@pytest.mark.parametrize(
    ("octets", "concatenation", "text"),
    [
        (bytes.fromhex("0500030a0201") + b"x", (10, 2, 1), b"x"),
        (bytes.fromhex("060804010a0201") + b"x", (266, 2, 1), b"x"),
        # ports (0x05) before the concatenation; a repeated element, the last counts
        (bytes.fromhex("0b050415b315b300030a0201") + b"x", (10, 2, 1), b"x"),
        (bytes.fromhex("0a00030a020100030b0202") + b"x", (11, 2, 2), b"x"),
        # a part beyond the total, part 0, a wrong element length, a header beyond the end, nothing
        (bytes.fromhex("0500030a0203") + b"x", None, b"x"),
        (bytes.fromhex("0500030a0200") + b"x", None, b"x"),
        (bytes.fromhex("0500020a0201") + b"x", None, b"x"),
        (bytes.fromhex("0500090a0201") + b"x", None, b"x"),
        (bytes.fromhex("200003"), None, bytes.fromhex("200003")),
        (b"", None, b""),
    ],
)
def test_e78_headers_that_peers_send(
    octets: bytes, concatenation: tuple[int, int, int] | None, text: bytes
) -> None:
    header, body = split_header(octets)
    assert body == text
    found = (header.reference, header.total, header.sequence) if header else None
    assert found == concatenation


def test_e75_a_national_language_shift_costs_neither_the_joining_nor_the_text() -> None:
    # single shift (0x24) and locking shift (0x25), Turkish, behind the concatenation
    header = bytes.fromhex("0b00030a0201240101250101")
    concatenation, body = split_header(header + b"Merhaba \x1b\x65")
    assert concatenation is not None
    assert (concatenation.reference, concatenation.total, concatenation.sequence) == (10, 2, 1)
    assert decode_text(body, 0) == "Merhaba €"


def test_e78_the_reference_wraps_over_300_long_messages() -> None:
    narrow = [encode_text("x" * 200, reference=n).parts[0][3] for n in range(300)]
    assert narrow == [n % 256 for n in range(300)]
    wide = [
        split_header(encode_text("x" * 200, reference=n, reference_bits=16).parts[0])[0]
        for n in (255, 256, 65_535, 65_536)
    ]
    assert [header.reference if header else None for header in wide] == [255, 256, 65_535, 0]


def test_e81_too_many_parts_are_refused_never_cut() -> None:
    assert len(encode_text("x" * 1530).parts) == 10
    with pytest.raises(TooManyParts) as caught:
        encode_text("x" * 1531)
    assert (caught.value.parts, caught.value.parts_max) == (11, 10)
    # 765 euros are 1530 septets, but each part loses one to the pair that must stay whole.
    with pytest.raises(TooManyParts):
        encode_text("€" * 765)
    for parts_max in (0, 256):
        with pytest.raises(ValueError, match="parts_max"):
            encode_text("x", parts_max=parts_max)
