"""Typographic characters written plainly, and only where that saves UCS-2."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import gsm0338
from smpp.encoding import TextSettings, estimate, read_text, submit_parts
from smpp.replacements import REPLACEMENTS, replaced
from smpp.text import Unencodable, encode_text

SMART = TextSettings(smart_replacement=True)
PLAIN = TextSettings()


def sent(text: str, settings: TextSettings = SMART) -> str:
    (part,) = submit_parts(text, settings)
    return read_text(part.short_message, part.data_coding, settings)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Hello” – it’s 5…", '"Hello" - it\'s 5...'),
        ("a\u00a0b\u202fc\td", "a b c d"),
        ("zero\u200bwidth\u00ad", "zerowidth"),
        ("ﬁne ½ № 5 ™", "fine 1/2 No. 5 (TM)"),
        ("• one\u2028• two", "- one\n- two"),
        ("straight", "straight"),
        ("naïve “é”", "naïve “é”"),  # ï has no plain form: nothing is gained, nothing is touched
        ("“验证码”", "“验证码”"),
        ("“😀”", "“😀”"),
    ],
)
def test_e76_smart_replacement_where_it_saves_ucs2(text: str, plain: str) -> None:
    assert sent(text) == plain
    assert sent(text, PLAIN) == text
    assert (submit_parts(text, SMART)[0].alphabet == "gsm7") == (sent(text) == plain != text) or (
        encode_text(text).alphabet == "gsm7"
    )


def test_what_the_alphabet_has_is_not_replaced() -> None:
    latin = TextSettings(
        default_alphabet="latin1", alphabets=("latin1", "ucs2"), smart_replacement=True
    )
    # « and ½ are in Latin-1, the dash is not
    assert sent("«½ – õ»", latin) == "«½ - õ»"
    # and where a later alphabet has all, nothing is replaced for an earlier one
    both = TextSettings(alphabets=("gsm7", "latin1", "ucs2"), smart_replacement=True)
    assert sent("«½»", both) == "«½»"
    assert sent("“½”", both) == '"1/2"'


def test_without_ucs2_it_saves_the_message() -> None:
    narrow = TextSettings(alphabets=("gsm7",), smart_replacement=True)
    assert sent("“Hi”", narrow) == '"Hi"'
    with pytest.raises(Unencodable) as caught:
        submit_parts("“验”", narrow)
    assert "验" in caught.value.characters


def test_the_estimate_counts_what_is_sent() -> None:
    text = "“" + "x" * 158 + "”"
    assert (estimate(text, SMART).parts, estimate(text, SMART).encoding) == (1, "gsm7")
    assert (estimate(text, PLAIN).parts, estimate(text, PLAIN).forced_by) == (3, "“”")


def test_every_plain_form_is_in_the_alphabet_and_no_letter_is_in_the_table() -> None:
    for character, plain in REPLACEMENTS.items():
        assert len(character) == 1
        assert gsm0338.encode(plain) is not None, hex(ord(character))
        assert gsm0338.encode(character) is None, hex(ord(character))
        # What Unicode calls a letter is here only as a ligature or as a mark written alone.
        if unicodedata.category(character).startswith("L"):
            assert character in "ﬀﬁﬂﬃﬄʹʼˆ"


@given(st.text(st.sampled_from([*REPLACEMENTS, *"abc é€"]), max_size=60))
def test_any_mixture_of_the_table_and_the_alphabet_goes_out_in_gsm7(text: str) -> None:
    parts = submit_parts(text, SMART, parts_max=255)
    assert {part.alphabet for part in parts} == {"gsm7"}


def test_one_character_without_a_plain_form_keeps_the_rest() -> None:
    assert replaced("“x”", "“”") == '"x"'
    assert replaced("“x”", "”") == '“x"'
    assert replaced("“ï”", "“ï”") is None
    assert replaced("x", "") == "x"
