"""Which clocks a number may live by: its country's, and of a large country all that it may have."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from recipients.numbers.regions import NumberRegions
from recipients.numbers.time_zones import RecipientZones

TYPES = sorted(PhoneNumberType.values())
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def names(number: str) -> set[str]:
    return {zone.key for zone in RecipientZones().of(number)}


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Valid numbers of every country and kind: an example of the plan, its end changed."""
    region = draw(st.sampled_from(REGIONS))
    example = phonenumbers.example_number_for_type(region, draw(st.sampled_from(TYPES)))
    if example is None:
        example = phonenumbers.example_number(region)
    assert example is not None
    written = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    kept = draw(st.integers(len(str(example.country_code)) + 1, len(written)))
    end = len(written) - kept
    changed = written[:kept] + draw(st.text("0123456789", min_size=end, max_size=end))
    parsed = phonenumbers.parse(changed)
    as_it_is = phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == changed
    return changed if as_it_is and phonenumbers.is_valid_number(parsed) else written


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+18762101234", "America/Jamaica"),
        ("+18682911234", "America/Port_of_Spain"),
        ("+77011234567", "Asia/Almaty Asia/Aqtobe"),
        ("+12025550123", "America/New_York"),
        ("+14165550123", "America/Toronto"),
        ("+16715551234", "Pacific/Guam"),
        ("+17875551234", "America/Puerto_Rico"),
        ("+393312345678", "Europe/Rome"),
        ("+447781234567", "Europe/Guernsey"),
        ("+447797712345", "Europe/Jersey"),
        ("+4741234567", "Europe/Oslo"),
        ("+4779123456", "Arctic/Longyearbyen"),
        ("+6421123456", "Pacific/Auckland Pacific/Chatham"),
        ("+262692123456", "Indian/Reunion"),
        ("+262639012345", "Indian/Mayotte"),
        ("+29051234", "Atlantic/St_Helena"),
        ("+358412345678", "Europe/Helsinki"),
        ("+212650123456", "Africa/Casablanca"),
        ("+590690001234", "America/Guadeloupe"),
        ("+59995181234", "America/Curacao"),
        ("+5997181234", "America/Kralendijk"),
        ("+38344123456", "Europe/Belgrade"),
        ("+74012123456", "Europe/Kaliningrad"),
        ("+351912345678", "Europe/Lisbon Atlantic/Azores"),
        ("+61891612345", "Australia/Adelaide Australia/Perth"),
        ("+870773111632", ""),
        ("+80812345678", ""),
    ],
)
def test_n2_the_country_comes_first(number: str, zones: str) -> None:
    assert names(number) == set(zones.split())


@pytest.mark.parametrize(
    ("number", "some", "none"),
    [
        ("+18002345678", "America/New_York Pacific/Honolulu", "America/Jamaica America/Toronto"),
        ("+79161234567", "Europe/Kaliningrad Asia/Kamchatka", "Asia/Almaty Europe/Bucharest"),
        ("+61412345678", "Australia/Perth Australia/Sydney", "Indian/Christmas Indian/Cocos"),
    ],
)
def test_n2_many_zones_are_those_of_a_large_country_itself(
    number: str, some: str, none: str
) -> None:
    found = names(number)
    assert set(some.split()) <= found
    assert not set(none.split()) & found


def test_n2_no_number_of_a_shared_code_has_a_zone_of_another_country_of_it() -> None:
    zones = RecipientZones()
    of_country: dict[str, set[str]] = {}
    for region in REGIONS:
        for kind in TYPES:
            example = phonenumbers.example_number_for_type(region, kind)
            if example is not None and phonenumbers.region_code_for_number(example) == region:
                number = phonenumbers.format_number(example, PhoneNumberFormat.E164)
                found = {zone.key for zone in zones.of(number)}
                assert found, number
                of_country.setdefault(region, set()).update(found)
    assert set(REGIONS) - of_country.keys() == {"EH", "MF"}  # their numbers are read as MA, GP
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        shared = [of_country[region] for region in regions if region in of_country]
        if code != 290:  # Tristan da Cunha has no zone of its own
            assert len(set().union(*shared)) == sum(map(len, shared)), code


@given(numbers())
def test_n2_a_region_and_a_place_are_those_that_phonenumbers_knows(number: str) -> None:
    parsed = phonenumbers.parse(number)
    regions = NumberRegions()
    region = regions.of(number)
    assert region is not None
    assert region.code == phonenumbers.region_code_for_number(parsed) == regions.country(number)
    assert region.placed == phonenumbers.is_number_geographical(parsed)


@given(st.lists(numbers(), min_size=2, max_size=20))
def test_n1_what_was_asked_before_changes_no_zone(asked: list[str]) -> None:
    shared = RecipientZones()
    for number in asked:
        assert shared.of(number) == RecipientZones().of(number)
