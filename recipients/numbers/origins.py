"""Where a number is from: its country, and the operator its range was assigned to.

Owns the look-up in the data of `phonenumbers`, and what makes it quick. Must not know routes, nor
how a country is found (regions.py). Pure.

A range says who issued a number. A subscriber who took it to another operator is still found here.
"""

from __future__ import annotations

from collections.abc import Mapping

from recipients.numbers.regions import NumberRegions


class NumberOrigins:
    """Countries and operators by number. `operator` loads its data, some 11 MB, at its first
    call.
    """

    def __init__(self) -> None:
        self._regions = NumberRegions()
        self._operators: Mapping[str, Mapping[str, str]] | None = None
        self._longest = 0

    def country(self, number: str) -> str | None:
        """ISO 3166-1 alpha-2 of a valid E.164 number; None for an international service."""
        return self._regions.country(number)

    def operator(self, number: str) -> str | None:
        """The English name of the operator of the number's range, lower case; None where not
        known.
        """
        names = self._operators or self._load()
        digits = number[1:]
        for length in range(min(self._longest, len(digits)), 0, -1):
            found = names.get(digits[:length])
            if found is not None:
                return found.get("en", "").lower() or None
        return None

    def operators(self) -> frozenset[str]:
        """The names of all operators, lower case."""
        names = self._operators or self._load()
        return frozenset(found["en"].lower() for found in names.values() if "en" in found)

    def _load(self) -> Mapping[str, Mapping[str, str]]:
        # Here and not above: most gateways never ask.
        from phonenumbers.carrierdata import (
            CARRIER_DATA,
            CARRIER_LONGEST_PREFIX,
        )

        self._operators = CARRIER_DATA
        self._longest = CARRIER_LONGEST_PREFIX
        return CARRIER_DATA
