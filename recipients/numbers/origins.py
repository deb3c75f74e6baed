"""Where a number is from: its country, and the operator its range was assigned to.

Owns the look-up in the data of `phonenumbers` and what makes it quick. Pure. Ranges say who a
number was issued by: a subscriber who took the number to another operator is still found here.
Must not know routes, nor how a country is found (accept/number_regions.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from recipients.numbers.regions import NumberRegions


class NumberOrigins:
    """`operator` loads its data, some 11 MB, when it is first asked."""

    def __init__(self) -> None:
        self._regions = NumberRegions()
        self._operators: Mapping[str, Mapping[str, str]] | None = None
        self._longest = 0

    def country(self, number: str) -> str | None:
        """ISO 3166-1 alpha-2 of a valid E.164 number; None for an international service."""
        return self._regions.country(number)

    def operator(self, number: str) -> str | None:
        """The operator of the number's range by its English name, lower case; None where not
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
        """Every operator there is, lower case."""
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
