"""Whose clock and whose days off count for a recipient: where they live, as far as anybody knows.

Owns that order: the contact's own zone, else the number, else the account's zone. Must not know
windows. Nothing here reads a clock.
"""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from campaigns.running.days_off import DaysOff
from campaigns.running.windows import Day, Days
from recipients.numbers.regions import NumberRegions
from recipients.numbers.time_zones import RecipientZones, zone_countries


class Places:
    """Of one process. `days_off` tells what was asked for and is not known. `zones`: of numbers."""

    def __init__(self) -> None:
        self.days_off = DaysOff()
        self.zones = RecipientZones()
        self._regions = NumberRegions()
        self._countries = zone_countries()

    def named(self, zone: str) -> ZoneInfo | None:
        """The zone with this IANA name; None: there is none. Each name is looked up once."""
        return self.zones.named(zone)

    def clock(self, named: str | None, number: str, account: ZoneInfo) -> ZoneInfo:
        """By which the hours of a window are read. `named`: a zone that goes before the number's;
        of several zones of a number the first.
        """
        if named is not None:
            return self.named(named) or account
        return next(iter(self.zones.of(number)), account)

    def country(self, own: str | None, number: str, account: ZoneInfo) -> str | None:
        """Whose days off count; `own`: the contact's zone. None: nobody knows."""
        found = None if own is None else self._countries.get(own)
        return found or self._regions.country(number) or self._countries.get(account.key)

    def days(self, country: str | None) -> Days:
        """What each day is there."""

        def kind(day: date) -> Day:
            return self.days_off.of(country, day)

        return kind
