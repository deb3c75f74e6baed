"""The names that reports tell for small numbers: accounts, connectors, countries, operators.

Owns that wiring. Must not number anything.
"""

from __future__ import annotations

from recipients.numbers.origin_numbers import country_code, operator_names
from storage.names import Registry


class ReportNames:
    """Implements dlr.grouping.Names. Number 0 is a country or operator that is not known."""

    def __init__(self, registry: Registry) -> None:
        self.account_name = registry.account_name
        self.connector_name = registry.connector_name
        self._operators = operator_names()

    def country_name(self, number: int) -> str | None:
        """Of a country; None where it is not known."""
        return country_code(number)

    def operator_name(self, number: int) -> str | None:
        """Of an operator; None where it is not known."""
        return self._operators.get(number, f"operator {number}") if number else None
