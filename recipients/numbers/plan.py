"""Is this a telephone number that can be texted, in the form the API takes: E.164 with +?

Owns the verdict and its explanation. Must not know who the number belongs to.

The rules are those of `phonenumbers`. Each country code's rules are compiled once into one regular
expression that says yes, at a fortieth of the cost. What it does not match goes to phonenumbers
itself, which also says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberDesc, ValidationResult
from phonenumbers.phonenumberutil import (
    COUNTRY_CODE_TO_REGION_CODE,
    region_code_for_country_code,
)

from storage.subscribers import canonical

EXAMPLE = "+8613812345678"
DIGITS_MAX = 15  # ITU-T E.164, 6.2.1; phonenumbers allows a few German numbers more
COUNTRY_CODE_DIGITS_MAX = 3

_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_DIALLED = re.compile(r"\+[1-9][0-9]{1,18}", re.ASCII)  # Brazil has the carrier dialled, too
_TYPES = (  # mobile numbers first: nearly all are
    "mobile", "fixed_line", "toll_free", "premium_rate", "shared_cost",
    "personal_number", "voip", "pager", "uan", "voicemail",
)  # fmt: skip


class NumberPlan:
    """The numbering plans of all countries, each compiled when its first number comes.

    A process holds at most one pattern per country code (some 215), whoever asks for it.
    """

    def __init__(self) -> None:
        # +1 has 25 countries in one plan, and takes longest to compile: 26 ms.
        self._patterns = {"+1": _compiled("+1")}

    def fault(self, number: str) -> str | None:
        """Why `number` is refused, in words that do not repeat it; None if it is valid E.164."""
        patterns = self._patterns
        for digits in (3, 2, 4):  # "+1", "+44", "+852": most numbers have two digits
            pattern = patterns.get(number[:digits])
            if pattern is not None and pattern.fullmatch(number):
                return None
        if not _E164.fullmatch(number):
            return _form_fault(number)
        code = _country_code(number)
        if code is None:
            return "no country has this country code; after the + comes one, 86 for China"
        if code not in patterns:
            patterns[code] = _compiled(code)
            if patterns[code].fullmatch(number):
                return None
        return _plan_fault(number)

    def undialled(self, number: str) -> str | None:
        """`number` (+ and digits) without what is dialled only inside its country; None if none is
        valid.

        Examples are +44 07911… and Argentina's 15.
        """
        if not _DIALLED.fullmatch(number):
            return None
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_valid_number(parsed):
            return None
        written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        return written if self.fault(written) is None else None


def _country_code(number: str) -> str | None:
    """The country code with its +. No code begins with another, so the first that fits is the
    one.
    """
    for digits in range(1, COUNTRY_CODE_DIGITS_MAX + 1):
        if int(number[1 : 1 + digits]) in COUNTRY_CODE_TO_REGION_CODE:
            return number[: 1 + digits]
    return None


def _form_fault(number: str) -> str:
    """Why the text is not + and up to 15 digits; None if it is."""
    if not number:
        return f"is empty; write the number in E.164 form, as in {EXAMPLE}"
    if re.fullmatch(r"[0-9]+", number, re.ASCII):
        if number.startswith("00"):
            return f"begins with 00; write + instead, as in {EXAMPLE}"
        return f"has no +; write + and the country code first, as in {EXAMPLE}"
    if re.fullmatch(r"\+[0-9]{16,}", number, re.ASCII):
        return f"has more than {DIGITS_MAX} digits"
    if re.fullmatch(r"\+[0-9]?", number, re.ASCII):
        return "is too short to be a telephone number"
    if re.fullmatch(r"\+0[0-9]*", number, re.ASCII):
        return "has 0 after the +; no country code begins with 0"
    if re.fullmatch(r"[+0-9 ().\-/]+", number, re.ASCII):
        return f"has other signs than one + and digits; leave them out, as in {EXAMPLE}"
    return f"is not a telephone number; write it in E.164 form, as in {EXAMPLE}"


def _plan_fault(number: str) -> str | None:
    """phonenumbers' own verdict on + and digits; None if it is valid and already in E.164 form."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "is too short to be a telephone number"
    place = f"+{parsed.country_code}"
    if phonenumbers.is_valid_number(parsed):
        written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        if written == number:
            return None
        return f"has digits after {place} that are dialled only inside the country; leave them out"
    today = canonical(number)
    if today != number and phonenumbers.is_valid_number(phonenumbers.parse(today)):
        longer = len(today) > len(number)
        how = "write a 9 before its last 8 digits" if longer else "leave out the digit behind it"
        return f"is in a form that {place} does not use any more; {how}"
    digits = len(number) - len(place)
    match phonenumbers.is_possible_number_with_reason(parsed):
        case ValidationResult.TOO_SHORT:
            return f"is too short: {digits} digits after {place}"
        case ValidationResult.TOO_LONG:
            return f"is too long: {digits} digits after {place}"
        case ValidationResult.INVALID_LENGTH:
            return f"has a length, {digits} digits after {place}, that does not occur there"
        case _:
            return f"is not a number of the plan of {place}: no such range is assigned"


@cache
def _compiled(code: str) -> re.Pattern[str]:
    """One pattern for the valid numbers of a country code, written in E.164 form.

    Several regions may share a code. phonenumbers asks them in order. One with leading digits takes
    every number that begins with them, valid or not, from those after it.
    """
    country_code = int(code)
    main = PhoneMetadata.metadata_for_region_or_calling_code(
        country_code, region_code_for_country_code(country_code)
    )
    alternatives: list[str] = []
    taken = ""
    for metadata in _plans(country_code):
        plan = type_pattern(metadata)
        if metadata.leading_digits is None:
            alternatives.append(f"{taken}{plan}")
        else:
            alternatives.append(f"{taken}(?={metadata.leading_digits}){plan}")
            taken += f"(?!{metadata.leading_digits})"
    prefix = main.national_prefix_for_parsing if main is not None else None
    # A number that begins like a national prefix may lose it when parsed, so it is not accepted
    # here. The lookbehind leaves out a prefix pattern that can match nothing (Argentina's).
    stripped = rf"(?!(?:{prefix})(?<!\{code}))" if prefix else ""
    length = rf"(?=\+[0-9]{{2,{DIGITS_MAX}}}\Z)"
    return re.compile(rf"{length}\{code}{stripped}(?:{'|'.join(alternatives)})\Z", re.ASCII)


def _plans(country_code: int) -> Iterator[PhoneMetadata]:
    for region in COUNTRY_CODE_TO_REGION_CODE[country_code]:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
        if metadata is not None:
            yield metadata


def type_pattern(metadata: PhoneMetadata) -> str:
    """A pattern for national numbers of this region: the general description, and one of the
    types.
    """
    types = [
        description_pattern(getattr(metadata, name))
        for name in _TYPES
        if getattr(metadata, name) is not None
        and getattr(metadata, name).national_number_pattern is not None
    ]
    general = metadata.general_desc
    assert general is not None
    return rf"(?={description_pattern(general)})(?:{'|'.join(types) or '(?!)'})"


def description_pattern(description: PhoneNumberDesc) -> str:
    """A pattern for national numbers that this part of a plan describes."""
    lengths = "|".join(rf"[0-9]{{{length}}}" for length in description.possible_length)
    possible = rf"(?=(?:{lengths})\Z)" if lengths else ""
    return rf"{possible}(?:{description.national_number_pattern})\Z"


def country_and_kind(number: str) -> tuple[str | None, str | None]:
    """Country (ISO 3166) and kind of line, as far as the numbering plan tells."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None, None
    kind = phonenumbers.number_type(parsed)
    name = phonenumbers.PhoneNumberType.to_string(kind).lower()
    return phonenumbers.region_code_for_number(parsed), None if name == "unknown" else name
