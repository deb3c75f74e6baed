"""What comes from peers, by data_coding (SMPP 3.4 section 5.2.19, TS 23.038 section 4), and what it
is when data_coding is wrong.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smpp import gsm0338
from smpp.decoding import Guess, decode, decode_text
from smpp.encoding import TextSettings, read, unpacked
from smpp.segmentation import split_header, with_headers

PLAIN = TextSettings()
PACKED = TextSettings(inbound_packed=True)
septets = st.lists(st.integers(0, 127), max_size=170).map(bytes)


def pack(units: bytes, header_octets: int = 0) -> bytes:
    """By bits, the first septet in the lowest: another way than the one that is tested."""
    bits = "".join(format(unit, "07b")[::-1] for unit in units)
    bits = "0" * (-8 * header_octets % 7) + bits
    octets = [bits[start : start + 8].ljust(8, "0")[::-1] for start in range(0, len(bits), 8)]
    return bytes(int(octet, 2) for octet in octets)


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"\x00\x1b\x65", 0, "@€"),
        (b"plain", 1, "plain"),
        (b"tab\tline\r\n", 1, "tab\tline\r\n"),
        (b"\x05string's end\0", 1, "éstring's end@"),
        (b"string's end @\0", 1, "string's end @\0"),
        (b"caf\xe9", 3, "café"),
        ("日本".encode("iso2022_jp"), 5, "日本"),
        (b"\xc0", 6, "Р"),
        (b"\xf9\xec\xe5\xed", 7, "שלום"),
        (b"\x9a\x8c", 8, "验"),
        (b"\x88\x9f", 9, "亜"),
        ("日本".encode("iso2022_jp"), 10, "日本"),
        ("丂".encode("iso2022_jp_1"), 13, "丂"),
        (b"\xb0\xa1", 14, "가"),
        # TS 23.038: general, with a class, marked for deletion
        (b"\x00\x1b\x65", 0x10, "@€"),
        (b"\x00\x1b\x65", 0x11, "@€"),
        (b"\x9a\x8c", 0x18, "验"),
        (b"\x05", 0x40, "é"),
        (b"\x05", 0x53, "é"),
        (b"\x04\x36", 0x48, "ж"),
        (b"\x04\x36", 0x5B, "ж"),
        # message waiting, then data coding and message class
        (b"\x05", 0xC0, "é"),
        (b"\x05", 0xC9, "é"),
        (b"\x05", 0xD0, "é"),
        (b"\x04\x36", 0xE0, "ж"),
        (b"\x04\x36", 0xEA, "ж"),
        (b"\x00\x1b\x65", 0xF0, "@€"),
        (b"\x05", 0xF3, "é"),
        # ESC without a pair
        (b"a\x1b", 0, "a "),
        (b"a\x1b\x1bb", 0, "a b"),
    ],
)
def test_e76_e101_what_a_peer_means_by_data_coding(
    octets: bytes, data_coding: int, text: str
) -> None:
    assert decode_text(octets, data_coding) == text


@pytest.mark.parametrize(
    ("octets", "data_coding", "text", "guess"),
    [
        # GSM 03.38 under the number of ASCII
        (bytes.fromhex("6461746111736d201b652005"), 1, "data_sm € é", "gsm7"),
        (b"\x7f", 1, "à", "gsm7"),
        # an eighth bit in an alphabet of seven
        (bytes.fromhex("3520e282ac"), 0, "5 €", "utf8"),
        (bytes.fromhex("3520e282ac"), 1, "5 €", "utf8"),
        (bytes.fromhex("3520e282ac"), 0xD0, "5 €", "utf8"),
        ("验证码 12".encode(), 0xF1, "验证码 12", "utf8"),
        (b"caf\xe9 @$_", 0, "café @$_", "latin1"),
        (b"caf\xe9", 1, "café", "latin1"),
        (b"caf\xe9 \x11\x00", 0, "café _@", "latin1"),  # septets, but for one letter
        # the other ways to write Japanese and Korean
        ("日本".encode("shift_jis"), 5, "日本", "shift_jis"),
        ("日本".encode("euc_jp"), 13, "日本", "euc_jp"),
        ("똠".encode("cp949"), 14, "똠", "cp949"),
        # no text at all
        (b"\x00\xff", 2, "\x00ÿ", "binary"),
        (b"\x00\xff", 4, "\x00ÿ", "binary"),
        (b"\x00\xff", 0x14, "\x00ÿ", "binary"),
        (b"\x00\xff", 0x57, "\x00ÿ", "binary"),
        (b"\x00\xff", 0xF5, "\x00ÿ", "binary"),
        (b"\x9b\x05\xff", 0x20, "\x9b\x05ÿ", "compressed"),
        (b"\x9b\x05\xff", 0x7B, "\x9b\x05ÿ", "compressed"),
        # numbers without a meaning: SMPP's keep each octet, the others are GSM 7-bit by section 4
        (b"a\x05\xff", 0x0B, "a\x05ÿ", "reserved"),
        (b"a\x05\xff", 0x0F, "a\x05ÿ", "reserved"),
        (b"\x05", 0x1C, "é", "reserved"),
        (b"\x05", 0x80, "é", "reserved"),
        (b"\x05", 0xBF, "é", "reserved"),
        # what is lost
        (b"\x9a\x8c\x00", 8, "验\ufffd", "unreadable"),
        (b"\xd8\x3d", 8, "\ufffd", "unreadable"),
        (b"\xa1", 7, "\ufffd", "unreadable"),
        (b"\xff\xfd", 8, "\ufffd", None),  # sent so
    ],
)
def test_e101_a_reading_that_data_coding_alone_does_not_give_is_marked(
    octets: bytes, data_coding: int, text: str, guess: Guess | None
) -> None:
    found = decode(octets, data_coding)
    assert (found.text, found.guess) == (text, guess)


@given(st.binary(max_size=60), st.integers(0, 255), st.sampled_from([PLAIN, PACKED]))
@example(b"\x1b$B\xff", 5, PLAIN)
@example(b"\x1b", 0, PACKED)
def test_e76_e101_no_octets_raise_and_what_is_lost_is_marked(
    octets: bytes, data_coding: int, wanted: TextSettings
) -> None:
    split_header(octets)
    found = read(unpacked(octets, data_coding, wanted, 6), data_coding, wanted)
    if "\ufffd" in found.text and b"\xff\xfd" not in octets:
        assert found.guess == "unreadable"


@given(st.text(st.sampled_from(sorted(gsm0338.BASIC_CHARACTERS)), max_size=80))
def test_e101_a_text_of_septets_is_read_alike_by_every_number_that_says_so(text: str) -> None:
    octets = gsm0338.encode(text)
    assert octets is not None
    for data_coding in (0x00, 0x10, 0x40, 0x53, 0xC0, 0xC8, 0xD0, 0xDF, 0xF0, 0xF3):
        found = decode(octets, data_coding)
        assert (found.text, found.guess) == (text, None)


# --- packed septets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("53ea130a", "STOP"),
        ("c8329bfd06", "Hello"),
        ("d4f29c0e8212ab", "Test PDU"),
        ("", ""),
    ],
)
def test_e101_packed_septets(octets: str, text: str) -> None:
    packed = bytes.fromhex(octets)
    for data_coding in (0x00, 0x10, 0x40, 0xC0, 0xD0, 0xF0):
        assert read(unpacked(packed, data_coding, PACKED), data_coding, PACKED).text == text
    # other alphabets are not packed, nor is anything where the carrier does not pack
    assert unpacked(packed, 1, PACKED) == unpacked(packed, 8, PACKED) == packed
    assert unpacked(packed, 4, PACKED) == unpacked(packed, 0, PLAIN) == packed


@given(septets, st.integers(0, 12))
def test_e101_what_is_packed_behind_any_header_comes_back(units: bytes, header: int) -> None:
    found = gsm0338.unpack(pack(units, header), header)
    # 7 spare bits are an "@" or padding: of the two the padding is likelier
    spare = -(7 * len(units) + -8 * header % 7) % 8
    padded = units + b"\0" if spare == 7 else units
    if (7 * len(padded) + -8 * header % 7) % 8 == 0 and padded[-1:] in (b"\0", b"\r"):
        padded = padded[:-1]
    assert found == padded


def test_e101_fill_bits_behind_the_header_of_a_part() -> None:
    text = "Vertrag gekündigt? {JA} oder STOP"
    units = gsm0338.encode(text)
    assert units is not None
    for bits, octets in ((8, 6), (16, 7)):
        packed = pack(units, octets)
        (part,) = with_headers([packed], 9, 16 if bits == 16 else 8)
        _, body = split_header(part)
        assert body == packed
        assert read(unpacked(body, 0, PACKED, len(part) - len(body)), 0, PACKED).text == text


def test_e101_a_long_payload_is_unpacked_in_linear_time() -> None:
    units = b"STOP" * 16_000
    assert gsm0338.unpack(pack(units)) == units


# --- the carrier's own numbers -------------------------------------------------------------------


def test_e76_e101_the_carriers_own_numbers_go_first() -> None:
    own = TextSettings(data_codings={"gsm7": 1, "latin1": 0xF1}, inbound_packed=True)
    assert read(b"\x05", 1, own).guess is None
    assert read(b"\xe9", 0xF1, own).text == "é"
    assert unpacked(bytes.fromhex("53ea130a"), 1, own) == b"STOP"
    assert unpacked(bytes.fromhex("53ea130a"), 0xF1, own) == bytes.fromhex("53ea130a")
    latin = TextSettings(default_alphabet="latin1", inbound_packed=True)
    assert unpacked(b"S\xea", 0, latin) == b"S\xea"
    assert read(b"5 \xe2\x82\xac", 0, latin).text == "5 â\x82¬"
