"""Which country a number belongs to, and whether its digits name an area in it.

Owns both answers. Must not judge whether a number is valid (plan.py does).

The answers are those of `phonenumbers`. Its own search takes 30 to 100 us, so each country code's
rules are compiled once into one regular expression.
"""

from __future__ import annotations

import re

import msgspec
from phonenumbers import PhoneMetadata, PhoneNumberType
from phonenumbers.phonenumberutil import (
    COUNTRY_CODE_TO_REGION_CODE,
    is_number_type_geographical,
)

from recipients.numbers.plan import description_pattern, type_pattern

_NO_REGION = "001"  # international services
_COUNTRY_CODES = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))

# What phonenumbers asks before fixed and mobile lines. Such a number belongs to no place.
_PLACELESS = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip
_NOWHERE = "nowhere_"  # marks the groups of numbers whose digits name no place


class Region(msgspec.Struct, frozen=True, gc=False):
    """Where a number belongs. `code`: ISO 3166, None if no country of the code has such numbers.

    `placed`: the digits after the country code begin with an area's.
    """

    country_code: str
    code: str | None
    placed: bool


class NumberRegions:
    """Regions by number. Holds two patterns per country code (some 225)."""

    def __init__(self) -> None:
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._countries: dict[str, re.Pattern[str]] = {}
        self._found: dict[tuple[str, str | None], Region] = {}

    def of(self, number: str) -> Region | None:
        """The region of an E.164 number; None if no country has its code."""
        country_code = country_code_of(number)
        if country_code is None:
            return None
        pattern = self._patterns.get(country_code)
        if pattern is None:
            pattern = self._patterns[country_code] = _compiled(int(country_code), places=True)
        group = _group(pattern, number, country_code)
        region = self._found.get((country_code, group))
        if region is None:
            region = self._found[country_code, group] = _region(country_code, group)
        return region

    def country(self, number: str) -> str | None:
        """The code of its region alone, which costs less."""
        country_code = country_code_of(number)
        if country_code is None:
            return None
        regions = COUNTRY_CODE_TO_REGION_CODE[int(country_code)]
        if len(regions) == 1:
            return None if regions[0] == _NO_REGION else regions[0]
        pattern = self._countries.get(country_code)
        if pattern is None:
            pattern = self._countries[country_code] = _compiled(int(country_code), places=False)
        return _group(pattern, number, country_code)


def country_code_of(number: str) -> str | None:
    """The digits of the country code. No code begins with another, so the first that fits is the
    one.
    """
    for end in (3, 2, 4):  # "86", "1", "852": most have two digits
        digits = number[1:end]
        if digits in _COUNTRY_CODES:
            return digits
    return None


def _group(pattern: re.Pattern[str], number: str, country_code: str) -> str | None:
    match = pattern.match(number, 1 + len(country_code))
    return None if match is None else match.lastgroup


def _region(country_code: str, group: str | None) -> Region:
    if group is None:
        return Region(country_code, None, placed=False)
    code = group.removeprefix(_NOWHERE)
    return Region(country_code, code, placed=code == group)


def _compiled(country_code: int, *, places: bool) -> re.Pattern[str]:
    """A pattern with one group for each region. With `places`, one for numbers that name an area
    and one for the others.

    As phonenumbers does it, a code's only region takes every number. A region with leading digits
    takes those that begin with them, any other those in its plan. The first that takes a number has
    it.
    """
    regions = [
        region for region in COUNTRY_CODE_TO_REGION_CODE[country_code] if region != _NO_REGION
    ]
    alternatives: list[str] = []
    for region in regions:
        metadata = PhoneMetadata.metadata_for_region(region)
        if metadata is None:
            continue
        if len(regions) == 1:
            taken = ""
        elif metadata.leading_digits is not None:
            taken = f"(?={metadata.leading_digits})"
        else:
            taken = f"(?={type_pattern(metadata)})"
        if places:
            alternatives.append(f"(?P<{region}>{taken}{_placed(metadata, country_code)})")
        alternatives.append(f"(?P<{_NOWHERE if places else ''}{region}>{taken})")
    return re.compile("|".join(alternatives) or "(?!)", re.ASCII)


def _placed(metadata: PhoneMetadata, country_code: int) -> str:
    """Whether it is a fixed line, or may be one; or a mobile number where those have area codes."""
    general = metadata.general_desc
    assert general is not None
    lines = ["fixed_line"]
    if is_number_type_geographical(PhoneNumberType.MOBILE, country_code):
        lines.append("mobile")
    placeless, placed = (
        "|".join(
            description_pattern(description)
            for name in names
            if (description := getattr(metadata, name)) is not None
            and description.national_number_pattern is not None
        )
        or "(?!)"
        for names in (_PLACELESS, lines)
    )
    return f"(?={description_pattern(general)})(?!{placeless})(?:{placed})"
