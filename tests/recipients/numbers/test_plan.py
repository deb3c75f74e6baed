"""Telephone numbers: the compiled plans agree with phonenumbers, and say what is wrong."""

from __future__ import annotations

import random
import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from recipients.numbers.plan import DIGITS_MAX, NumberPlan

NON_GEOGRAPHIC = "001"


@pytest.fixture(scope="module")
def plan() -> NumberPlan:
    """One for all tests, as one serves a whole process."""
    return NumberPlan()


def valid_e164(number: str) -> bool:
    """What phonenumbers says, with the length of E.164 and its one way of writing a number."""
    if not re.fullmatch(rf"\+[1-9][0-9]{{1,{DIGITS_MAX - 1}}}", number, re.ASCII):
        return False
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return (
        phonenumbers.is_valid_number(parsed)
        and phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == number
    )


def examples(country_code: int) -> list[str]:
    """A valid number of each type of each region of this country code."""
    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[country_code]:
        if region == NON_GEOGRAPHIC:
            found.append(phonenumbers.example_number_for_non_geo_entity(country_code))
        else:
            found += [phonenumbers.example_number_for_type(region, kind) for kind in range(11)]
    return [phonenumbers.format_number(each, PhoneNumberFormat.E164) for each in found if each]


def variations(number: str, prefix: str, chance: random.Random) -> list[str]:
    """Near misses: digits changed, one more, one less, a national prefix, and pure chance."""
    code_length = len(prefix)
    changed = list(number)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(code_length, len(changed))] = chance.choice("0123456789")
    rest = "".join(chance.choice("0123456789") for _ in range(chance.randint(1, 13)))
    return [
        number,
        "".join(changed),
        "".join(changed)[:-1],
        "".join(changed) + chance.choice("0123456789"),
        prefix + rest,
    ]


@pytest.mark.parametrize("seed", range(2))
def test_every_country_agrees_with_phonenumbers(plan: NumberPlan, seed: int) -> None:
    chance = random.Random(seed)
    checked = valid = 0
    for country_code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        prefix = f"+{country_code}"
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, regions[0])
        assert metadata is not None
        for number in examples(country_code):
            national = metadata.national_prefix or "0"
            tried = variations(number, prefix, chance)
            tried.append(prefix + national + number.removeprefix(prefix))
            for candidate in tried:
                expected = valid_e164(candidate)
                assert (plan.fault(candidate) is None) == expected, candidate
                checked += 1
                valid += expected
    assert checked > 5_000
    assert valid > 2_000


@given(st.text(alphabet="+0123456789 -().９a\n\x00", max_size=20))
def test_any_text_gets_a_verdict_that_agrees(plan: NumberPlan, text: str) -> None:
    assert (plan.fault(text) is None) == valid_e164(text)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("", "is empty"),
        ("13812345678", "has no +"),
        ("008613812345678", "begins with 00"),
        ("+0013812345678", "no country code begins with 0"),
        ("+86 138 1234 5678", "leave them out"),
        ("+86-13812345678", "leave them out"),
        ("++8613812345678", "leave them out"),
        ("tel:+8613812345678", "is not a telephone number"),
        ("+8613812345678\n", "is not a telephone number"),
        ("+９8613812345678", "is not a telephone number"),
        ("+", "is too short"),
        ("+8", "is too short"),
        ("+1234567890123456", "more than 15 digits"),
        ("+2101234567890", "no country has this country code"),
        ("+86138", "is too short: 3 digits after +86"),
        ("+86138123456789", "+86"),
        ("+8612812345678", "is not a number of the plan of +86"),
        ("+4402079460018", "dialled only inside the country"),
        ("+5215562000000", "+52 does not use any more; leave out the digit behind it"),
        ("+551181234567", "write a 9 before its last 8 digits"),
        ("+5211234567890", "is too long: 11 digits after +52"),
    ],
)
def test_a_fault_says_what_would_be_right(plan: NumberPlan, number: str, words: str) -> None:
    fault = plan.fault(number)
    assert fault is not None
    assert words in fault


@pytest.mark.parametrize("number", ["+8612812345678", "+4402079460018", "+861381234567"])
def test_a_fault_never_repeats_the_number(plan: NumberPlan, number: str) -> None:
    assert number[3:] not in (plan.fault(number) or "")
