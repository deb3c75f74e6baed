"""Values of contacts by their type: what is right, and the one form in which each is stored.

Owns the types of attributes and the reading of dates. Must not know a contact. Pure.

Text of a file is read generously, JSON of a request strictly by type. A date that may be two days
is refused: nobody knows which was meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args
from zoneinfo import available_timezones

import msgspec

AttributeType = Literal["text", "number", "money", "date", "instant", "bool", "set"]
TYPES: tuple[AttributeType, ...] = get_args(AttributeType)
NAME = r"[a-z][a-z0-9_]{0,62}"
# Words of the segment language, and fields that every contact has.
RESERVED = frozenset(
    {
        "and", "or", "not", "in", "between", "contains", "starts", "has", "tag", "segment",
        "source", "count", "sum", "days_since", "days_until", "age", "bucket", "true", "false",
        "date", "money", "text", "today", "now", "time_zone", "external_id", "any",
    }
)  # fmt: skip
ATTRIBUTES_MAX = 200  # of one account
TEXT_CHARACTERS_MAX = 500
SET_ITEMS_MAX = 50
MICROS = 1_000_000
_EXPONENT_MAX = 15
NUMBER_MAX = 10**_EXPONENT_MAX  # readers of JSON lose digits beyond 2 ** 53
SERIAL_MAX = 100_000  # days of a spreadsheet: to 2173

Stored = str | int | float | bool | list[str]
Epoch = Literal["1900", "1904"]
_EPOCHS: Mapping[Epoch, date] = MappingProxyType(
    {"1900": date(1899, 12, 30), "1904": date(1904, 1, 1)}
)
_TRUE = frozenset({"true", "yes", "y", "1", "是", "对", "有"})
_FALSE = frozenset({"false", "no", "n", "0", "否", "不", "无"})
_ISO_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?", re.ASCII)
_PACKED_DATE = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})", re.ASCII)
_EITHER_DATE = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})", re.ASCII)
_SERIAL = re.compile(r"\d{1,6}(?:\.\d+)?", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_BETWEEN = re.compile(r"[,;|，；、]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may know of its contacts. `personal`: it may say who somebody is."""

    name: str
    type: AttributeType
    label: str | None = None
    personal: bool = True


class ValueRefused(Exception):
    """`code` is attr_type, date_ambiguous or too_long; the text says what would be right."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


def name_fault(name: str) -> str | None:
    """Why no attribute can have this name; None if one can."""
    if re.fullmatch(NAME, name, re.ASCII) is None:
        return "a name is a small letter, then up to 62 small letters, digits and _"
    if name in RESERVED:
        return "this word has a meaning of its own in segments"
    return None


def stored(kind: AttributeType, value: object, epoch: Epoch = "1900") -> Stored:
    """The value as it is kept: of JSON by its type, of text as people write it.

    Raises ValueRefused.
    """
    if isinstance(value, str):
        value = value.strip()
        if len(value) > TEXT_CHARACTERS_MAX:
            raise ValueRefused("too_long", f"it has more than {TEXT_CHARACTERS_MAX} characters")
    try:
        return _READERS[kind](value, epoch)
    except (ArithmeticError, ValueError):  # beyond what a time, a float or an int can be
        raise ValueRefused("attr_type", "the value is out of range") from None


def plain(text: str) -> str:
    """The text without what no database and no screen shows."""
    return _CONTROL.sub(" ", text).strip()


def _text(value: object, _epoch: Epoch) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueRefused("attr_type", "a text is wanted")
    text = value if isinstance(value, str) else number_text(value)
    if len(text) > TEXT_CHARACTERS_MAX:  # a number may have thousands of digits
        raise ValueRefused("too_long", f"it has more than {TEXT_CHARACTERS_MAX} characters")
    return plain(text)


def _number(value: object, _epoch: Epoch) -> int | float:
    if isinstance(value, str):
        try:
            parsed = Decimal(value.replace(",", "").replace("，", ""))
        except InvalidOperation:
            raise ValueRefused("attr_type", "a number is wanted, such as 12.5") from None
        if not parsed.is_finite() or parsed.adjusted() > _EXPONENT_MAX:  # int() writes them out
            raise ValueRefused("attr_type", f"a number between -{NUMBER_MAX} and {NUMBER_MAX}")
        value = int(parsed) if parsed == parsed.to_integral_value() else float(parsed)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueRefused("attr_type", "a number is wanted, such as 12.5")
    if not -NUMBER_MAX <= value <= NUMBER_MAX:  # false for NaN
        raise ValueRefused("attr_type", f"a number between -{NUMBER_MAX} and {NUMBER_MAX}")
    return value


def _money(value: object, _epoch: Epoch) -> int:
    text = number_text(value) if isinstance(value, int | float) else value
    if isinstance(value, bool) or not isinstance(text, str):
        raise ValueRefused("attr_type", 'an amount is wanted, such as "129.90"')
    text = text.lstrip("¥￥$€ ").replace(",", "")
    if _DECIMAL.fullmatch(text) is None:
        raise ValueRefused("attr_type", "an amount has at most 12 digits and 6 places: 129.90")
    return int(Decimal(text) * MICROS)


def _date(value: object, epoch: Epoch) -> str:
    if isinstance(value, bool):
        raise ValueRefused("attr_type", "a date is wanted, such as 2026-11-11")
    if isinstance(value, int | float):
        return _serial(float(value), epoch)
    if not isinstance(value, str):
        raise ValueRefused("attr_type", "a date is wanted, such as 2026-11-11")
    text = value.split("T")[0].split(" ")[0]
    found = _ISO_DATE.fullmatch(text) or _PACKED_DATE.fullmatch(text)
    if found is not None:
        return _day(int(found[1]), int(found[2]), int(found[3]))
    either = _EITHER_DATE.fullmatch(text)
    if either is not None:
        one, other, year = int(either[1]), int(either[2]), int(either[3])
        if one <= 12 and other <= 12 and one != other:
            raise ValueRefused("date_ambiguous", "day and month may be either; write 2026-11-05")
        return _day(year, other, one) if one > 12 else _day(year, one, other)
    if _SERIAL.fullmatch(text):
        return _serial(float(text), epoch)
    raise ValueRefused("attr_type", "a date is wanted, such as 2026-11-11")


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        raise ValueRefused("attr_type", "there is no such day; write 2026-11-11") from None


def _serial(days: float, epoch: Epoch) -> str:
    if not 1 <= days <= SERIAL_MAX:
        raise ValueRefused("attr_type", "a date is wanted, such as 2026-11-11")
    return (_EPOCHS[epoch] + timedelta(days=int(days))).isoformat()


def _instant(value: object, _epoch: Epoch) -> str:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueRefused("attr_type", "a time with its offset, such as 2026-11-11T10:00:00+08:00")
    return instant_text(moment)


def instant_text(moment: datetime) -> str:
    """An aware time as it is kept: of one length, so that texts sort as times do."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def _bool(value: object, _epoch: Epoch) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower() if isinstance(value, str | int | float) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueRefused("attr_type", "true or false is wanted")


def _set(value: object, _epoch: Epoch) -> list[str]:
    items: Sequence[object]
    if isinstance(value, str):
        items = _BETWEEN.split(value)
    elif isinstance(value, list):
        items = value
    else:
        raise ValueRefused("attr_type", "a list of texts is wanted")
    if not all(isinstance(item, str) for item in items):
        raise ValueRefused("attr_type", "a list of texts is wanted")
    words = sorted({word for item in items if (word := plain(str(item)))})
    if len(words) > SET_ITEMS_MAX or any(len(word) > TEXT_CHARACTERS_MAX for word in words):
        raise ValueRefused("too_long", f"at most {SET_ITEMS_MAX} texts, and none too long")
    return words


_READERS: Mapping[AttributeType, Callable[[object, Epoch], Stored]] = MappingProxyType(
    {
        "text": _text, "number": _number, "money": _money, "date": _date, "instant": _instant,
        "bool": _bool, "set": _set,
    }
)  # fmt: skip


def number_text(value: float) -> str:
    """A number of a spreadsheet as it was typed: 13812345678.0 is 13812345678."""
    if isinstance(value, float) and value.is_integer() and abs(value) < NUMBER_MAX:
        return str(int(value))
    return str(value)


def zone_known(name: str) -> bool:
    """Whether this names a time zone, as in Asia/Shanghai."""
    return name in _zones()


@cache
def _zones() -> frozenset[str]:
    """It looks into some hundred files. This machine's own zone is in no other's list."""
    return frozenset(available_timezones() - {"localtime"})
