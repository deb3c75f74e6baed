"""The names that reports tell for small numbers: accounts, connectors, countries, operators.

Owns that wiring. Must not number anything.
"""

from __future__ import annotations

from collections.abc import Callable

from storage.names import Registry


class ReportNames:
    """Implements dlr.grouping.Names. Number 0 is a country or operator that is not known."""

    def __init__(
        self,
        registry: Registry,
        country: Callable[[int], str | None],
        operator: Callable[[int], str | None],
    ) -> None:
        self.account_name = registry.account_name
        self.connector_name = registry.connector_name
        self._country = country
        self._operator = operator

    def country_name(self, number: int) -> str | None:
        """Of a country; None where it is not known."""
        return (self._country(number) or f"country {number}") if number else None

    def operator_name(self, number: int) -> str | None:
        """Of an operator; None where it is not known."""
        return (self._operator(number) or f"operator {number}") if number else None
