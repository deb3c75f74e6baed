"""Small numbers for where a phone number is from, as they are stored with each message.

Owns both numberings. A country's is computed from its two letters. An operator's stands in
`operators.csv`, to which names are only ever appended. Must not know what is done with them. Pure.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from recipients.numbers.regions import NumberRegions, country_code_of

NOT_KNOWN = 0
OPERATORS = Path(__file__).parent / "operators.csv"

_LETTERS = 26
_FIRST = ord("A")


def country_number(code: str) -> int:
    """The number of an ISO 3166-1 alpha-2 code: AA is 1, AB is 2, ZZ is 676."""
    first, second = (ord(letter) - _FIRST for letter in code)
    return 1 + _LETTERS * first + second


def country_code(number: int) -> str | None:
    """The two letters; None for NOT_KNOWN."""
    if number == NOT_KNOWN:
        return None
    first, second = divmod(number - 1, _LETTERS)
    return chr(_FIRST + first) + chr(_FIRST + second)


def operator_numbers() -> Mapping[str, int]:
    """Number by name, lower case, of every operator that ever had one."""
    with OPERATORS.open(encoding="utf-8", newline="") as file:
        return {row["name"]: int(row["number"]) for row in csv.DictReader(file)}


def operator_names() -> Mapping[int, str]:
    """The same the other way round."""
    return {number: name for name, number in operator_numbers().items()}


class OriginNumbers:
    """Countries and operators of phone numbers, as numbers. Holds some 30 000 prefixes."""

    def __init__(self) -> None:
        self._regions = NumberRegions()
        # Of country codes with one country; with several, the digits have to be looked at.
        self._countries = {
            str(code): country_number(regions[0])
            for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
            if len(regions) == 1 and regions[0].isalpha()
        }
        self._prefixes, self._lengths = _prefixes()

    def of(self, number: str) -> tuple[int, int]:
        """(country, operator) of a valid E.164 number; NOT_KNOWN for either."""
        code = country_code_of(number)
        if code is None:
            return NOT_KNOWN, NOT_KNOWN
        country = self._countries.get(code)
        if country is None:
            found = self._regions.country(number)
            country = NOT_KNOWN if found is None else country_number(found)
        prefixes = self._prefixes
        for length in self._lengths.get(code, ()):
            operator = prefixes.get(number[:length])
            if operator is not None:
                return country, operator
        return country, NOT_KNOWN


def _prefixes() -> tuple[Mapping[str, int], Mapping[str, tuple[int, ...]]]:
    """Operators by prefix with its +, and which lengths a country code has, the longest first."""
    from phonenumbers.carrierdata import CARRIER_DATA  # some 11 MB, for who needs it

    numbers = operator_numbers()
    prefixes: dict[str, int] = {}
    lengths: dict[str, set[int]] = {}
    for digits, names in CARRIER_DATA.items():
        prefix = f"+{digits}"
        code = country_code_of(prefix)
        if code is not None:
            prefixes[prefix] = numbers.get(names.get("en", "").lower(), NOT_KNOWN)
            lengths.setdefault(code, set()).add(len(prefix))
    return prefixes, {code: tuple(sorted(each, reverse=True)) for code, each in lengths.items()}
