"""Numbers as people and spreadsheets write them, made E.164 or refused with a code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.verdicts import REFUSED
from recipients.numbers.plan import NumberPlan

CLEANER = NumberCleaner(NumberPlan())
CHINA = "+8613812345678"
CORPUS = {
    **dict.fromkeys(
        (
            "13812345678", "+8613812345678", "008613812345678", "8613812345678", "'13812345678",
            "138 1234 5678", "138-1234-5678", "13812345678.0", "１３８１２３４５６７８",
            "(138)12345678",
            "\u200b13812345678", "\ufeff13812345678", "86 138 1234 5678", "+86-138-1234-5678",
            " 13812345678 ", "013812345678", "’13812345678", "138\u00a01234\u00a05678",
            "\u202d13812345678\u202c", "＋８６１３８１２３４５６７８",
            "138.1234.5678", "0086-13812345678",
        ),
        (CHINA, None),
    ),
    "+447911123456": ("+447911123456", None),
    "00447911123456": ("+447911123456", None),
    "+4915112345678": ("+4915112345678", None),
    **dict.fromkeys(("", " ", "'", "\u200b"), ("", "number_empty")),
    **dict.fromkeys(("1.38E+10", "1.38123E+10", "1,38E+10", "1.38e10"), ("", "number_scientific")),
    **dict.fromkeys(("13812000000", "13800000000"), ("", "number_truncated")),
    **dict.fromkeys(("1381234567", "138123456", "+86138123456"), ("", "number_truncated")),
    **dict.fromkeys(
        ("010-62345678", "02162345678", "+862162345678", "+442071838750"), ("", "number_landline")
    ),
    **dict.fromkeys(
        (
            "abc", "138123456789", "138x2345678", "23812345678", "+999123456", "13812345678/2",
            "1" * 101,
        ),
        ("", "number_format"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), CORPUS.items())
def test_c29_c30_numbers_as_people_and_spreadsheets_write_them(
    text: str, wanted: tuple[str, str | None]
) -> None:
    assert CLEANER.cleaned(text) == wanted


@given(st.text(max_size=30))
def test_whatever_is_given_a_number_is_valid_or_a_code_is_known(text: str) -> None:
    number, code = CLEANER.cleaned(text)
    assert (code in REFUSED and not number) if code else NumberPlan().fault(number) is None
    if code is None:
        assert CLEANER.cleaned(number) == (number, None)
