"""The code permutation: a bijection over 54^8, keyed, not sequential, and total on any input."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.code import (
    ALPHABET,
    CODE_LENGTH,
    LINK_SEQUENCES,
    SLOTS,
    VALUES,
    CodePermutation,
    link_value,
    split_value,
)

CODES = CodePermutation(b"a key of the test suite, 32 byte")
VALUE = st.integers(0, VALUES - 1)


def test_alphabet_has_54_distinct_characters_without_look_alikes() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 54
    assert not set(ALPHABET) & set("0Oo1Iilj")


@given(st.lists(VALUE, max_size=50))
def test_decode_returns_the_encoded_value(values: list[int]) -> None:
    codes = CODES.encode_many(values)
    assert [CODES.decode(code) for code in codes] == values
    assert all(len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) for code in codes)


@given(st.text(alphabet=ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH))
def test_every_well_formed_code_stands_for_exactly_one_value(code: str) -> None:
    value = CODES.decode(code)
    assert value is not None
    assert 0 <= value < VALUES
    assert CODES.encode_many([value]) == [code]


@given(st.text(max_size=12))
def test_any_other_text_decodes_to_none(text: str) -> None:
    well_formed = len(text) == CODE_LENGTH and set(text) <= set(ALPHABET)
    assert (CODES.decode(text) is not None) == well_formed


def test_a_run_of_values_gives_distinct_codes_that_share_no_prefix_or_order() -> None:
    codes = CODES.encode_many(range(20_000))
    assert len(set(codes)) == 20_000
    assert codes != sorted(codes)
    # Neighbours would agree in 7 of 8 positions if the numbering showed; by chance they agree in
    # 8/54.
    equal = sum(a == b for x, y in itertools.pairwise(codes) for a, b in zip(x, y, strict=True))
    assert equal / len(codes) < 0.3
    # Each of the 54 first characters is about as frequent as any other.
    first = [sum(code[0] == letter for code in codes) for letter in ALPHABET]
    assert min(first) > 250
    assert max(first) < 500


def test_the_ends_of_the_domain_are_encodable_and_what_lies_beyond_is_refused() -> None:
    ends = [0, VALUES - 1]
    assert [CODES.decode(code) for code in CODES.encode_many(ends)] == ends
    for outside in (-1, VALUES):
        with pytest.raises(ValueError, match="outside"):
            CODES.encode_many([outside])
    assert CODES.encode_many([]) == []


def test_codes_depend_on_the_key_and_never_change_under_one() -> None:
    other = CodePermutation(b"another key of the suite 32 byte")
    values = range(100)
    assert not set(CODES.encode_many(values)) & set(other.encode_many(values))
    again = CodePermutation(b"a key of the test suite, 32 byte")
    assert again.encode_many(values) == CODES.encode_many(values)
    # Fixed for ever: links already sent must keep working after an upgrade.
    assert CODES.encode_many([0, 1, VALUES - 1]) == PINNED


PINNED = ["FHbvUBBG", "9T8z733V", "GhW4JqUW"]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        CodePermutation(b"short")


@given(st.integers(0, LINK_SEQUENCES - 1), st.integers(0, SLOTS - 1))
def test_sequence_and_slot_share_one_value(link_seq: int, slot: int) -> None:
    value = link_value(link_seq, slot)
    assert value < VALUES
    assert split_value(value) == (link_seq, slot)
