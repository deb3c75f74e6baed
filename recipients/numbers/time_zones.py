"""The time zones a number may be in, as far as its digits tell.

Owns the choice. Must not decide what time it is. The country comes first, then what `phonenumbers`
says of the area, else of the country. A mobile number may be anywhere in its country. Then it has
several zones, and all of them count.

For some countries phonenumbers names a foreign zone (Bucharest's for Kaliningrad, Canary's for
Morocco). Those clocks change on other days, or at all. There the country's own zones of the same
winter time are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from types import MappingProxyType
from zoneinfo import ZoneInfo

from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from dlr.zones import ZoneUnknown, zone_named
from recipients.numbers.regions import NumberRegions, Region, country_code_of

Zones = tuple[ZoneInfo, ...]
_WINTER = datetime(2026, 1, 15, tzinfo=UTC)  # any year in which no country changed its zone


class RecipientZones:
    """Zones by number. One for the process, with an entry per prefix in the tables and per
    region.
    """

    def __init__(self) -> None:
        self._regions = NumberRegions()
        self._by_code: dict[str, Zones] = {}  # country codes whose numbers are all in the same
        self._by_place: dict[tuple[Region, str], Zones] = {}
        self._by_names: dict[tuple[str, ...], Zones] = {}
        self._countries: _CountryZones | None = None

    def of(self, number: str) -> Zones:
        """The zones of an E.164 number; none if unknown."""
        for end in (3, 2, 4):  # "86", "1", "852": most codes have two digits
            zones = self._by_code.get(number[1:end])
            if zones is not None:
                return zones
        region = self._regions.of(number)
        if region is None:
            return ()
        prefix = _longest_prefix(number[1:]) if region.placed else region.country_code
        key = (region, prefix)
        zones = self._by_place.get(key)
        if zones is None:
            if self._countries is None:
                self._countries = _CountryZones()
            zones = self._by_place[key] = self._loaded(self._countries.names(region, prefix))
            if self._countries.undivided(region.country_code):
                self._by_code[region.country_code] = zones
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
    """The zone with this IANA name; None if there is none."""
    try:
        return zone_named(name)
    except ZoneUnknown:
        return None


def zone_countries() -> Mapping[str, str]:
    """The country (ISO 3166) of each zone that the IANA lists; old names of zones have none."""
    return _zone_table()[0]


class _CountryZones:
    """Which country each zone belongs to (the IANA's zone.tab), for names in phonenumbers'
    table.
    """

    def __init__(self) -> None:
        self._country, self._zones = _zone_table()
        self._divided = {
            code
            for prefix, names in TIMEZONE_DATA.items()
            if (code := country_code_of(f"+{prefix}")) is not None and names != TIMEZONE_DATA[code]
        }

    def undivided(self, country_code: str) -> bool:
        """Whether all numbers of a code are in one country, and no area has zones of its own."""
        one = len(COUNTRY_CODE_TO_REGION_CODE[int(country_code)]) == 1
        return one and country_code not in self._divided

    def names(self, region: Region, prefix: str) -> tuple[str, ...]:
        """The zones of the numbers of a region that begin with a prefix of the table."""
        if region.code is None:
            return tuple(TIMEZONE_DATA.get(region.country_code, ()))
        own = self._own(TIMEZONE_DATA.get(prefix, ()), region)
        if not own and prefix != region.country_code:
            own = self._own(TIMEZONE_DATA.get(region.country_code, ()), region)
        return tuple(own or self._zones.get(region.code, ()))

    def _own(self, names: Sequence[str], region: Region) -> list[str]:
        """Those of these names that are a region's, without zones of others of the same code."""
        code = region.code
        if (
            code is None or code not in self._zones
        ):  # Kosovo, Ascension: the IANA lists no zone for them
            return list(names)
        sharing = COUNTRY_CODE_TO_REGION_CODE[int(region.country_code)]
        own: dict[str, None] = {}  # a set that keeps the order
        for name in names:
            country = self._country.get(name, code)  # an old name of a zone is in no list
            if country == code:
                own[name] = None
            elif country not in sharing:
                own.update(dict.fromkeys(_alike(name, self._zones[code])))
        return list(own)


def _longest_prefix(digits: str) -> str:
    """The longest beginning of a number that is in the tables."""
    for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        if digits[:length] in TIMEZONE_DATA:
            return digits[:length]
    return ""


def _zone_table() -> tuple[Mapping[str, str], Mapping[str, Sequence[str]]]:
    """The country of each zone, and the zones of each country."""
    country: dict[str, str] = {}
    zones: dict[str, list[str]] = {}
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    for line in table.splitlines():
        if line and not line.startswith("#"):
            code, _place, name = line.split("\t")[:3]
            country[name] = code
            zones.setdefault(code, []).append(name)
    return MappingProxyType(country), MappingProxyType(zones)


def _alike(name: str, candidates: Iterable[str]) -> list[str]:
    """Those zones that keep the same time in winter."""
    wanted = _winter_offset(name)
    return [each for each in candidates if _winter_offset(each) == wanted]


def _winter_offset(name: str) -> timedelta | None:
    zone = zone_of(name)
    if zone is None:
        return None
    moment = _WINTER.astimezone(zone)
    offset, summer = moment.utcoffset(), moment.dst()
    return None if offset is None else offset - (summer or timedelta())
