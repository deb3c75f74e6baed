"""The time zones a number may be in, as far as its digits tell.

Owns the lookup in the tables of `phonenumbers` and the zones it has loaded. A mobile number of a
large country may be anywhere in it: then there are several, and all of them count. Must not decide
what time it is.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

Zones = tuple[ZoneInfo, ...]
COUNTRY_CODE_DIGITS_MAX = 3


class RecipientZones:
    """Zones by number. One for the process: it holds one entry per prefix that the tables have."""

    def __init__(self) -> None:
        self._by_prefix: dict[tuple[str, int], Zones] = {}
        self._by_names: dict[tuple[str, ...], Zones] = {}

    def of(self, number: str) -> Zones:
        """The zones of an E.164 number, one for each clock it may live by; none if unknown."""
        digits = number[1:]
        prefix = _longest_prefix(digits)
        key = (prefix, len(digits))
        zones = self._by_prefix.get(key)
        if zones is None:
            zones = self._by_prefix[key] = self._loaded(_names(number, prefix))
        return zones

    def named(self, name: str) -> ZoneInfo | None:
        """The zone with this IANA name, kept from its first use on."""
        zones = self._loaded((name,))
        return zones[0] if zones else None

    def _loaded(self, names: tuple[str, ...]) -> Zones:
        zones = self._by_names.get(names)
        if zones is None:
            found = [zone for zone in map(zone_of, names) if zone is not None]
            zones = self._by_names[names] = tuple(found)
        return zones


def zone_of(name: str) -> ZoneInfo | None:
    """The zone with this IANA name, if there is one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _longest_prefix(digits: str) -> str:
    """The longest beginning of a number that the tables have."""
    for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        if digits[:length] in TIMEZONE_DATA:
            return digits[:length]
    return ""


def _country_code(prefix: str) -> str:
    """The country code a prefix of the tables begins with."""
    return next(
        prefix[:length]
        for length in range(1, COUNTRY_CODE_DIGITS_MAX + 1)
        if int(prefix[:length]) in COUNTRY_CODE_TO_REGION_CODE
    )


def _names(number: str, prefix: str) -> tuple[str, ...]:
    if not prefix:
        return ()
    if prefix == _country_code(prefix):
        return tuple(TIMEZONE_DATA[prefix])
    # An area code, unless the number belongs to no area: that takes the numbering plan.
    names = timezone.time_zones_for_number(phonenumbers.parse(number))
    return tuple(name for name in names if name != timezone.UNKNOWN_TIMEZONE)
