"""Codes of six characters: one for each number, of our alphabet, in no order that can be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.code import ALPHABET
from shortlinks.public_code import PUBLIC_CODE_LENGTH, PUBLIC_CODES, PublicCodes

NUMBERS = st.integers(0, PUBLIC_CODES - 1)
CODES = PublicCodes(b"a key of the test suite, 32 byte")


@given(st.lists(NUMBERS, unique=True, max_size=100))
def test_different_numbers_have_different_codes(numbers: list[int]) -> None:
    codes = [CODES.encode(number) for number in numbers]
    assert len(set(codes)) == len(numbers)
    assert all(len(code) == PUBLIC_CODE_LENGTH and set(code) <= set(ALPHABET) for code in codes)


def test_a_run_of_numbers_has_codes_without_a_pair_and_under_another_key_others() -> None:
    run = range(20_000)
    codes = [CODES.encode(number) for number in run]
    assert len(set(codes)) == len(run)
    assert {code[:2] for code in codes[:500]} != {codes[0][:2]}
    other = PublicCodes(b"another key of these tests here.")
    assert other.encode(1) != codes[1]
    assert codes[0] == "UPEGmL"  # links that were printed lead on after an upgrade


@pytest.mark.parametrize("number", [-1, PUBLIC_CODES])
def test_no_code_is_beyond_the_last(number: int) -> None:
    with pytest.raises(ValueError):
        CODES.encode(number)
