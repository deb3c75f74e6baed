"""Values that the configuration writes as text: sizes, addresses, rates, URLs.

Owns their syntax and its error messages. Must not know which setting uses them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from ratelimit.spec import RateSpec, parse_rate
from recipients.hours import Hours, parse_span
from recipients.numbers.time_zones import zone_of
from shortlinks.rewrite import InvalidTargetError, normalise_target, parse_base_url

_SIZE = re.compile(r"(\d{1,12}) ?(B|KiB|MiB|GiB)", re.ASCII)
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/]+):(\d{1,5})", re.ASCII)
_PORT_MAX = 65_535


class WrittenValue(ABC):
    """What every class below offers, so that the loader can treat them alike."""

    __slots__ = ()
    syntax: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, value: object) -> Self:
        """The value. Raises ValueError with the end of the sentence "<value> is not …"."""


class Size(int, WrittenValue):
    """A number of bytes, written `"8 MiB"`, `"512 KiB"` or as a plain integer."""

    syntax: ClassVar[str] = "size"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless it is a positive size."""
        size = 0
        if isinstance(value, int) and not isinstance(value, bool):
            size = value
        elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
            size = int(match[1]) * _SIZE_UNITS[match[2]]
        if size < 1:
            raise ValueError('a size such as "8 MiB", "512 KiB" or a number of bytes')
        return cls(size)

    def __str__(self) -> str:
        for unit in ("GiB", "MiB", "KiB"):
            if self and self % _SIZE_UNITS[unit] == 0:
                return f"{int(self) // _SIZE_UNITS[unit]} {unit}"
        return f"{int(self)} B"


class Address(str, WrittenValue):
    """Where to listen, written `"host:port"`, `"[::1]:port"`; port 0 takes a free one."""

    __slots__ = ()
    syntax: ClassVar[str] = "host:port"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless it is host:port with a port in 0..65535."""
        match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[2]) > _PORT_MAX:
            raise ValueError('an address such as "127.0.0.1:8080" or "[::1]:8080"')
        return cls(value)

    @property
    def host(self) -> str:
        """The part before the last colon, without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """0..65535."""
        return int(self.rpartition(":")[2])


class Rate(str, WrittenValue):
    """A pace, written `"500/s"`, `"3000/m"` or `"10/s,burst=5"`; counts parts, not messages."""

    __slots__ = ()
    syntax: ClassVar[str] = "rate"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless ratelimit.spec understands it."""
        if not isinstance(value, str):
            raise ValueError('a rate such as "500/s", "3000/m" or "10/s,burst=5"')
        try:
            parse_rate(value)
        except ValueError as error:
            raise ValueError(f"a rate: {error}") from None
        return cls(value)

    @property
    def spec(self) -> RateSpec:
        """The parsed rate."""
        return parse_rate(self)


class DailyHours(str, WrittenValue):
    """Hours of every day, written `"21:00-08:00"`."""

    __slots__ = ()
    syntax: ClassVar[str] = "hours"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless recipients.hours understands it."""
        if not isinstance(value, str):
            raise ValueError('hours such as "21:00-08:00"')
        parse_span(value)
        return cls(value)

    @property
    def hours(self) -> Hours:
        """The parsed hours."""
        return parse_span(self)


class TimeZone(str, WrittenValue):
    """A zone by its IANA name, `"Asia/Shanghai"`."""

    __slots__ = ()
    syntax: ClassVar[str] = "time zone"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless the time zone database has it."""
        if not isinstance(value, str) or zone_of(value) is None:
            raise ValueError('a time zone such as "Asia/Shanghai"')
        return cls(value)

    @property
    def zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self)


class BaseUrl(str, WrittenValue):
    """What short links begin with: scheme and host, or a bare domain; no last slash."""

    __slots__ = ()
    syntax: ClassVar[str] = "URL"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless links can be made by appending `/code`."""
        if not isinstance(value, str):
            raise ValueError('an address in quotes such as "https://s.example"')
        try:
            return cls(parse_base_url(value))
        except ValueError as error:
            raise ValueError(
                f'an address such as "https://s.example" that short links can begin with: {error}'
            ) from None


class TargetUrl(str, WrittenValue):
    """Where people are led: a whole URL, as it may stand in a Location header."""

    __slots__ = ()
    syntax: ClassVar[str] = "URL"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError for what no link may lead to."""
        if not isinstance(value, str):
            raise ValueError('an address in quotes such as "https://shop.example/gone"')
        try:
            return cls(normalise_target(value))
        except InvalidTargetError as error:
            raise ValueError(
                f'an address such as "https://shop.example/gone" to lead to: {error}'
            ) from None


class DatabaseUrl(str, WrittenValue):
    """`"embedded"` or a PostgreSQL URL. May hold a password: shown only through `redacted`."""

    __slots__ = ()
    syntax: ClassVar[str] = '"embedded" or URL'

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError without repeating the value, since it may hold a password."""
        if isinstance(value, str) and (
            value == "embedded" or value.startswith(("postgresql://", "postgres://"))
        ):
            return cls(value)
        raise ValueError('"embedded" or postgresql://user@host/database')

    def with_password(self, password: str) -> Self:
        """The same with this password for its user.

        Raises ValueError for one that has a password already, or names no user.
        """
        parts = urlsplit(self)
        user, at, host = parts.netloc.rpartition("@")
        if ":" in user:
            raise ValueError("url has a password as well; keep one")
        if not at:
            raise ValueError("url names no user: postgresql://user@host/database")
        netloc = f"{user}:{quote(password, safe='')}@{host}"
        return type(self)(parts._replace(netloc=netloc).geturl())

    @property
    def redacted(self) -> str:
        """The same address with its passwords as ***: before the host and as a parameter."""
        hidden = re.sub(r"(?<=://)([^@/]*?):[^/]*@", r"\1:***@", self)
        return re.sub(r"(?i)([?&]password=)[^&]*", r"\1***", hidden)
