"""What one carrier wants of texts: alphabets, numbers, ways to join parts (E71-E73, E76, E78, E81).

Part counts are held against part_counting, which counts another way.
"""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp import encoding
from smpp.encoding import Part, Segmentation, TextSettings, estimate, read_text, submit_parts
from smpp.segmentation import Alphabet, split_header
from smpp.text import TooManyParts, Unencodable, encode_text
from smpp.text import estimate as plain_estimate
from tests.smpp.part_counting import SINGLE, alphabet_of, clusters, count_parts

PLAIN = TextSettings()
LATIN = TextSettings(default_alphabet="latin1", alphabets=("latin1", "ucs2"))
SEGMENTATIONS: list[Segmentation] = ["udh8", "udh16", "sar", "payload"]

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
TOKENS = {
    "gsm7": [*"abc XYZ019.,!?\n@£$ÄÖñü", *"^{}[]~\\|€"],
    "latin1": [*"abc àçõ®½ÿ", "ß"],
    "ucs2": [
        *"验证码你好世界，。", "a", "€", "😀", "𠮷", FAMILY, "\U0001f1e8\U0001f1f3", "👋🏽",
        "1\ufe0f\u20e3",
        "e\u0301", "नमस्ते", "க்ஷி", "สวัสดี", "مُحَمَّد", "🏴\U000e0067\U000e0062\U000e007f",
    ],
}  # fmt: skip

any_text = st.text(
    st.characters(exclude_characters="\ufeff\ufffe", exclude_categories=["Cs"]), max_size=300
)


def user_data(part: Part) -> bytes:
    """The text octets of one part, from wherever its segmentation puts them."""
    if part.tlvs and not part.short_message:
        return dict(part.tlvs)[0x0424]
    return split_header(part.short_message)[1] if part.esm_class & 0x40 else part.short_message


def test_the_plain_settings_are_encode_text() -> None:
    for text in ("Hello {€}", "验证码", "x" * 161, "验" * 71, "\ufeffHello", ""):
        encoded = encode_text(text, reference=300)
        parts = submit_parts(text, PLAIN, 300)
        assert tuple(part.short_message for part in parts) == encoded.parts
        for part in parts:
            assert (part.esm_class, part.data_coding) == (encoded.esm_class, encoded.data_coding)
            assert (part.alphabet, part.tlvs, part.segments) == (encoded.alphabet, (), 1)
        assert estimate(text, PLAIN) == plain_estimate(text)


def test_a_text_that_is_remembered_is_still_written_as_each_carrier_wants_it() -> None:
    for text in ("Grüße", "Grüße", "ça va", "验证码"):
        for wanted, alphabets in ((PLAIN, ("gsm7", "ucs2")), (LATIN, ("latin1", "ucs2"))):
            [part] = submit_parts(text, wanted)
            assert part.alphabet in alphabets
            again = TextSettings(wanted.default_alphabet, wanted.alphabets)
            assert submit_parts(text, again) == (part,) == submit_parts(text, wanted)
            assert read_text(part.short_message, part.data_coding, wanted) == text


def test_how_many_texts_are_remembered_is_bounded() -> None:
    for number in range(encoding.TEXTS_REMEMBERED_MAX + 100):
        encoding.count_parts(f"Your code is {number}", PLAIN)
    remembered = encoding._one_part.cache_info()
    assert remembered.currsize == remembered.maxsize == encoding.TEXTS_REMEMBERED_MAX
    submit_parts("long " * 100, PLAIN)  # only texts of 160 characters and fewer
    assert encoding._one_part.cache_info().misses == remembered.misses


@pytest.mark.parametrize(
    ("character", "alphabet", "single", "room"),
    [
        ("x", "gsm7", 160, {"udh8": 153, "udh16": 152, "sar": 153, "payload": 153}),
        ("õ", "latin1", 140, {"udh8": 134, "udh16": 133, "sar": 134, "payload": 134}),
        ("验", "ucs2", 70, {"udh8": 67, "udh16": 66, "sar": 67, "payload": 67}),
    ],
)
@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_part_limits(
    character: str,
    alphabet: Alphabet,
    single: int,
    room: dict[str, int],
    segmentation: Segmentation,
) -> None:
    settings = TextSettings(alphabets=("gsm7", "latin1", "ucs2"), segmentation=segmentation)
    one = room[segmentation]
    for count, segments in [(single, 1), (single + 1, 2), (2 * one, 2), (2 * one + 1, 3)]:
        parts = submit_parts(character * count, settings)
        assert {part.alphabet for part in parts} == {alphabet}
        assert sum(part.segments for part in parts) == segments
        found = estimate(character * count, settings)
        assert (found.encoding, found.parts, found.units) == (alphabet, segments, count)
        limit = single if segments == 1 else one
        assert found.units_left == limit - (count - one * (segments - 1))


def test_golden_sar_and_payload() -> None:
    sar = submit_parts("x" * 161, TextSettings(segmentation="sar"), 0x1_0142)
    assert [(part.esm_class, part.short_message) for part in sar] == [
        (0, b"x" * 153),
        (0, b"x" * 8),
    ]
    assert [part.tlvs for part in sar] == [
        ((0x020C, b"\x01\x42"), (0x020E, b"\x02"), (0x020F, b"\x01")),
        ((0x020C, b"\x01\x42"), (0x020E, b"\x02"), (0x020F, b"\x02")),
    ]
    (payload,) = submit_parts("验" * 71, TextSettings(segmentation="payload"), 9)
    assert (payload.esm_class, payload.data_coding, payload.short_message) == (0, 8, b"")
    assert payload.tlvs == ((0x0424, "验".encode("utf-16-be") * 71),)
    assert payload.segments == 2
    (short,) = submit_parts("Hi", TextSettings(segmentation="payload"))
    assert (short.short_message, short.tlvs) == (b"Hi", ())


@given(any_text, st.sampled_from(SEGMENTATIONS), st.booleans())
@settings(max_examples=200)
def test_the_parts_joined_are_the_text(
    text: str, segmentation: Segmentation, latin_too: bool
) -> None:
    alphabets: tuple[Alphabet, ...] = ("gsm7", "latin1", "ucs2") if latin_too else ()
    wanted = TextSettings(alphabets=alphabets, segmentation=segmentation)
    parts = submit_parts(text, wanted, 5, parts_max=255)
    assert "".join(read_text(user_data(part), part.data_coding, wanted) for part in parts) == text
    found = estimate(text, wanted)
    assert found.parts == sum(part.segments for part in parts)
    assert found.encoding == parts[0].alphabet
    assert encoding.count_parts(text, wanted, parts_max=255) == (found.encoding, found.parts)
    assert (found.forced_by == "") == (found.encoding == "gsm7")


# --- numbers and alphabets (E71, E72, E76) -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted", "data_coding", "octets"),
    [
        # 0 is GSM 03.38 here, Latin-1 there, and ASCII's 1 or UCS-2 at a third
        ("é@", PLAIN, 0, b"\x05\x00"),
        ("é@", LATIN, 0, b"\xe9@"),
        ("é@", TextSettings(data_codings={"gsm7": 1}), 1, b"\x05\x00"),
        ("é@", TextSettings(default_alphabet="ucs2"), 0, b"\x00\xe9\x00@"),
        # õ is in no GSM table
        ("õ", PLAIN, 8, b"\x00\xf5"),
        ("õ", TextSettings(alphabets=("gsm7", "latin1", "ucs2")), 3, b"\xf5"),
        ("õ", LATIN, 0, b"\xf5"),
        ("验", LATIN, 8, b"\x9a\x8c"),
        ("验", TextSettings(data_codings={"ucs2": 0x18}), 0x18, b"\x9a\x8c"),
        ("€", TextSettings(data_codings={"gsm7": 0xF0, "ucs2": 24}), 0xF0, b"\x1b\x65"),
    ],
)
def test_e76_data_coding_means_what_the_carrier_says(
    text: str, wanted: TextSettings, data_coding: int, octets: bytes
) -> None:
    (part,) = submit_parts(text, wanted)
    assert (part.data_coding, part.short_message) == (data_coding, octets)
    assert read_text(octets, data_coding, wanted) == text


@pytest.mark.parametrize(
    ("octets", "data_coding", "wanted", "text"),
    [
        (b"\xe9\x00", 0, LATIN, "é\0"),
        (b"\x00\xe9", 0, PLAIN, "@é"),
        (b"\x05", 1, TextSettings(data_codings={"gsm7": 1}), "é"),
        (b"\x05", 0, TextSettings(data_codings={"gsm7": 1}), "é"),  # still the default alphabet
        (b"\xe9", 0, TextSettings(default_alphabet="latin1", data_codings={"latin1": 3}), "é"),
        (b"\xe9", 3, PLAIN, "é"),
        (b"\xfe\xff\x9a\x8c", 8, LATIN, "验"),
        (b"\x00\x1b\x65", 0x10, PLAIN, "@€"),
        (b"\x9a\x8c", 0x18, PLAIN, "验"),
        (b"\xff\x00", 4, PLAIN, "ÿ\0"),
    ],
)
def test_e76_inbound_numbers_mean_the_same(
    octets: bytes, data_coding: int, wanted: TextSettings, text: str
) -> None:
    assert read_text(octets, data_coding, wanted) == text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alphabets": ["latin1", "ucs2"], "data_codings": {"latin1": 0}}, "default_alphabet"),
        ({"default_alphabet": "latin1", "alphabets": ["gsm7"]}, "needs a data_coding"),
        ({"alphabets": ["ucs2", "gsm7"]}, "never tried"),
        ({"alphabets": ["gsm7", "gsm7"]}, "twice"),
        ({"data_codings": {"ucs2": 0}}, "same data_coding"),
        ({"data_codings": {"ucs2": 256}}, "not 0 to 255"),
        ({"data_codings": {"latin1": -1}}, "not 0 to 255"),
        ({"data_codings": {"ebcdic": 1}}, "ebcdic"),
        ({"segmentation": "ud8"}, "ud8"),
        ({"smart": True}, "smart"),
    ],
)
def test_e76_settings_that_contradict_each_other_are_refused(
    fields: dict[str, object], words: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(fields, TextSettings)


def test_e71_no_byte_order_mark_is_sent_by_any_segmentation() -> None:
    for segmentation in SEGMENTATIONS:
        parts = submit_parts("\ufeff" + "验" * 200, TextSettings(segmentation=segmentation))
        for part in parts:
            assert user_data(part)[:2] == "验".encode("utf-16-be")


@pytest.mark.parametrize(
    ("text", "alphabets", "characters"),
    [
        ("5 § 3 and õ, õ", ("gsm7",), "õ"),  # § is in GSM 03.38
        ("naïve 验", ("latin1",), "验"),
        ("naïve 验", ("gsm7", "latin1"), "验"),
        ("ë验ς", ("gsm7", "latin1"), "验ς"),
        ("half \ud83d", ("gsm7", "ucs2"), "\ud83d"),
    ],
)
def test_e72_characters_that_no_alphabet_of_the_carrier_has_are_named(
    text: str, alphabets: tuple[Alphabet, ...], characters: str
) -> None:
    wanted = TextSettings(alphabets=alphabets)
    for attempt in (submit_parts, estimate):
        with pytest.raises(Unencodable) as caught:
            attempt(text, wanted)
        assert caught.value.characters == characters
        for character in characters:
            assert f"U+{ord(character):04X}" in str(caught.value)
    (part,) = submit_parts("".join(c for c in text if c not in characters), wanted)
    assert part.short_message


# --- cuts and references (E73, E78, E81) -------------------------------------------------------


@pytest.mark.parametrize("segmentation", ["udh8", "udh16", "sar"])
@pytest.mark.parametrize("whole", [*TOKENS["ucs2"], *TOKENS["gsm7"][-9:]])
def test_e73_nothing_is_torn_by_any_segmentation(whole: str, segmentation: Segmentation) -> None:
    wanted = TextSettings(segmentation=segmentation)
    alphabet = alphabet_of(whole)
    filler = "a" if alphabet == "gsm7" else "验"
    for offset in range(SINGLE[alphabet] - 30, SINGLE[alphabet]):
        text = filler * offset + whole + filler * SINGLE[alphabet]
        parts = submit_parts(text, wanted)
        shown = [read_text(user_data(part), part.data_coding, wanted) for part in parts]
        assert "".join(shown) == text
        if alphabet == "ucs2":
            assert [piece for part in shown for piece in clusters(part)] == clusters(text)
        else:
            assert not any(user_data(part).endswith(b"\x1b") for part in parts)


@pytest.mark.parametrize("alphabet", ["gsm7", "latin1", "ucs2"])
def test_e73_part_counts_of_ten_thousand_texts_are_those_of_another_counter(
    alphabet: Alphabet,
) -> None:
    alphabets: dict[Alphabet, TextSettings] = {
        "gsm7": TextSettings(alphabets=("gsm7",)),
        "latin1": LATIN,
        "ucs2": PLAIN,
    }
    chance = random.Random(20_240_101)
    tokens = TOKENS[alphabet]
    wide = msgspec.structs.replace(alphabets[alphabet], segmentation="udh16")
    counts = set()
    for _ in range(3_400):
        about = chance.choice([10, 40, 69, 70, 133, 140, 153, 160, 267, 306, 400])
        text = "".join(chance.choices(tokens, k=chance.randint(1, about)))
        used = submit_parts(text, alphabets[alphabet], parts_max=255)[0].alphabet
        if used == "ucs2" and alphabet == "gsm7":
            raise AssertionError("every token is in the alphabet")
        parts = len(submit_parts(text, alphabets[alphabet], parts_max=255))
        assert parts == count_parts(text, used), ascii(text)
        assert estimate(text, alphabets[alphabet]).parts == parts
        assert len(submit_parts(text, wide, parts_max=255)) == count_parts(text, used, 16)
        counts.add(parts)
    assert counts >= {1, 2, 3}


def test_e78_three_hundred_long_messages_in_a_row_have_their_references() -> None:
    for segmentation in SEGMENTATIONS[:3]:
        wanted = TextSettings(segmentation=segmentation)
        seen = []
        for n in range(65_400, 65_700):  # wraps, as 16 bits and as the lower 8 of them
            parts = submit_parts("x" * 200, wanted, n & 0xFFFF)
            if segmentation == "sar":
                seen.append({int.from_bytes(part.tlvs[0][1], "big") for part in parts})
            else:
                headers = [split_header(part.short_message)[0] for part in parts]
                seen.append({header.reference for header in headers if header})
        assert all(len(of_one) == 1 for of_one in seen)
        last = [next(iter(of_one)) for of_one in seen]
        assert all(len(set(last[n : n + 256])) == len(last[n : n + 256]) for n in range(300))


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_e81_too_many_parts_are_refused_by_every_segmentation(segmentation: Segmentation) -> None:
    wanted = TextSettings(segmentation=segmentation)
    room = 152 if segmentation == "udh16" else 153
    assert sum(part.segments for part in submit_parts("x" * room * 3, wanted, parts_max=3)) == 3
    with pytest.raises(TooManyParts) as caught:
        submit_parts("x" * (room * 3 + 1), wanted, parts_max=3)
    assert (caught.value.parts, caught.value.parts_max) == (4, 3)
    for parts_max in (0, 256):
        with pytest.raises(ValueError, match="parts_max"):
            submit_parts("x", wanted, parts_max=parts_max)
