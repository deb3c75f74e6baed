"""One subscriber has one canonical form, whichever of his country's forms is written."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.subscribers import (
    SEVERAL_FORMS,
    canonical,
    forms_indexed_before,
    other_form,
    stored_before,
)

VAULT = NumberVault(NumberKeys(bytes(range(64))))
DIGITS = "0123456789"
E164 = st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True)
NUMBERS = E164 | st.builds(
    "+{}{}".format, st.sampled_from(["52", "521", "54", "549", "5511", "55119"]),
    st.text(DIGITS, min_size=6, max_size=11),
)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "one"),
    [
        ("+5215562000000", "+525562000000"),
        ("+525562000000", "+525562000000"),
        ("+5491123017883", "+541123017883"),
        ("+541123017883", "+541123017883"),
        ("+551181234567", "+5511981234567"),
        ("+551161234567", "+5511961234567"),
        ("+5511981234567", "+5511981234567"),
        ("+551151234567", "+551151234567"),  # a landline
        ("+5511912345678", "+5511912345678"),  # given out with nine digits
        ("+52155620000", "+52155620000"),
        ("+8615562000000", "+8615562000000"),
    ],
)
def test_n3_the_canonical_form(number: str, one: str) -> None:
    assert canonical(number) == one
    assert VAULT.index(number) == VAULT.digest(one)


@pytest.mark.parametrize(
    ("number", "other"),
    [
        ("+525562000000", "+5215562000000"),
        ("+5491123017883", "+5491123017883"),
        ("+5511981234567", "+551181234567"),
        ("+5511912345678", None),
        ("+551131234567", None),
        ("+8613812345678", None),
    ],
)
def test_n3_the_other_form(number: str, other: str | None) -> None:
    assert other_form(number) == other
    before = forms_indexed_before(number)
    assert before == (() if other is None else (other, other[1:], f"00{other[1:]}"))
    assert {stored_before(each) for each in before} <= {canonical(number)}


@given(NUMBERS)
def test_n3_forms_of_one_subscriber_and_nobody_else(number: str) -> None:
    one = canonical(number)
    assert canonical(one) == one
    other = other_form(number)
    assert other_form(one) == other
    if one != number:
        assert other == number
    if other is not None:
        assert canonical(other) == one != other
    if number[1:3] not in SEVERAL_FORMS:
        assert (one, other, VAULT.old_indexes(number)) == (number, None, ())


@given(st.sampled_from(["MX", "AR", "BR"]), st.text(DIGITS, min_size=8, max_size=8))
def test_n3_the_canonical_form_of_a_valid_mobile_number_is_valid(region: str, end: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = phonenumbers.parse(written[: -len(end)] + end)
    if phonenumbers.is_valid_number(number):
        one = canonical(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
        assert phonenumbers.is_valid_number(phonenumbers.parse(one))


@given(st.text(max_size=20))
def test_n3_what_is_no_number_of_such_a_country_is_left_alone(text: str) -> None:
    found = stored_before(text)
    assert found is None or (found[1:3] in SEVERAL_FORMS and canonical(found) == found)


def test_n3_old_indexes_are_asked_for_until_they_are_rewritten() -> None:
    vault = NumberVault(NumberKeys(bytes(range(64))))
    number = "+525562000000"
    old = tuple(map(vault.digest, ("+5215562000000", "5215562000000", "005215562000000")))
    assert vault.old_indexes(number) == old
    vault.rewritten = True
    assert vault.old_indexes(number) == ()
    assert vault.indexes(number) == (vault.index(number), *old)
