"""Countries and operators have numbers that stay, and every number's are found."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from recipients.numbers.origin_numbers import (
    NOT_KNOWN,
    OriginNumbers,
    country_code,
    country_number,
    operator_names,
    operator_numbers,
)
from recipients.numbers.origins import NumberOrigins

SMALLINT_MAX = 32_767
LETTERS = st.text(string.ascii_uppercase, min_size=2, max_size=2)
CODES = sorted(map(str, COUNTRY_CODE_TO_REGION_CODE))


@pytest.fixture(scope="module")
def numbers() -> OriginNumbers:
    return OriginNumbers()


@pytest.fixture(scope="module")
def origins() -> NumberOrigins:
    return NumberOrigins()


def test_a_country_has_the_number_of_its_letters() -> None:
    assert [country_number(code) for code in ("AA", "AB", "DE", "ZZ")] == [1, 2, 83, 676]
    assert country_code(NOT_KNOWN) is None


@given(LETTERS)
def test_a_countrys_number_leads_back_to_its_letters(code: str) -> None:
    assert country_code(country_number(code)) == code


def test_each_operator_has_a_number_of_its_own(origins: NumberOrigins) -> None:
    known = operator_numbers()
    missing = origins.operators() - known.keys()
    assert missing == set(), "append them to recipients/numbers/operators.csv"
    assert len(set(known.values())) == len(known)
    assert sorted(known.values()) == list(range(1, len(known) + 1))
    assert len(known) <= SMALLINT_MAX
    # Stored rows name operators by these: a change would give them to others.
    assert (known["china mobile"], known["china unicom"]) == (190, 193)


@pytest.mark.parametrize(
    ("number", "country", "operator"),
    [
        ("+8613812345678", "CN", "china mobile"),
        ("+4915112345678", "DE", "t-mobile"),
        ("+12025550123", "US", None),
        ("+14165550123", "CA", None),
        ("+999123", None, None),
    ],
)
def test_what_numbers_are_found(
    numbers: OriginNumbers, number: str, country: str | None, operator: str | None
) -> None:
    found_country, found_operator = numbers.of(number)
    assert country_code(found_country) == country
    assert operator_names().get(found_operator) == operator


@given(st.sampled_from(CODES), st.text(string.digits, min_size=6, max_size=11))
def test_they_are_those_that_routes_see(
    numbers: OriginNumbers, origins: NumberOrigins, code: str, rest: str
) -> None:
    number = f"+{code}{rest}"
    country, operator = numbers.of(number)
    assert country_code(country) == origins.country(number)
    assert operator_names().get(operator) == origins.operator(number)
