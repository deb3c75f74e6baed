"""The variables of a template: of which type, how long, from where, and what stands in for them.

Owns how a value becomes words, or why it cannot. Must not know a template's text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

import msgspec

from campaigns.templates.values import VALUE_CHARACTERS_MAX, cleaned, units

VariableType = Literal["text", "int", "money", "date", "code"]
DateForm = Literal["iso", "month_day", "year_month_day"]
NAME_CHARACTERS_MAX = 32
MAX_UNITS = 200  # of one value; more than this is no part of a sentence

_SOURCE = re.compile(r"attr\.[^\x00-\x20\x7f\s.{}]{1,64}|contact\.(?:external_id|source|time_zone)")
_INT = re.compile(r"-?[0-9]{1,30}")
_CODE = re.compile(r"[A-Za-z0-9-]+")
_PLAIN = re.compile(r"[A-Za-z0-9 .,-]*")  # one septet each in GSM 03.38
_DATE_LENGTHS: Mapping[DateForm, int] = {"iso": 10, "month_day": 6, "year_month_day": 11}


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One variable. `max`: characters as a phone counts them. `source`: where a campaign finds it.

    `source` None: a value of its own name. `fallback` None: who lacks it is skipped.
    """

    type: VariableType
    max: int
    source: str | None = None
    fallback: str | None = None
    form: DateForm = "iso"


class Worded(NamedTuple):
    """A value as it stands in the text. `removed`: what was taken out of it, counted."""

    text: str
    removed: Mapping[str, int]


class Unfit(NamedTuple):
    """Why there are no words: `missing`, `blank`, `too_long` or `invalid`."""

    why: str


def worded(variable: Variable, value: object) -> Worded | Unfit:
    """The value in the form of its type."""
    if value is None:
        return Unfit("missing")
    if isinstance(value, str) and not value.strip():
        return Unfit("blank")
    if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX:
        return Unfit("too_long")
    removed: Mapping[str, int] = {}
    if variable.type == "text":
        if not isinstance(value, (str, int, float, Decimal)) or isinstance(value, bool):
            return Unfit("invalid")
        text, removed = cleaned(str(value))
    else:
        text = _FORMS[variable.type](variable, value) or ""
        if not text:
            return Unfit("invalid")
    if not text:
        return Unfit("blank")
    if units(text) > variable.max:
        return Unfit("too_long")
    return Worded(text, removed)


def longest(variable: Variable) -> str:
    """Words as long as they may be, of the characters that cost most."""
    fallback = variable.fallback or ""
    if variable.type == "text" or not _PLAIN.fullmatch(fallback):
        return "国" * variable.max
    if variable.type == "date":
        return max(_dated(date(2026, 12, 28), variable.form), fallback, key=len)
    return "9" * variable.max


def source_fault(source: str) -> str | None:
    """Why this names no source; None: it does."""
    if _SOURCE.fullmatch(source):
        return None
    return "is attr.<attribute>, contact.external_id, contact.source or contact.time_zone"


def max_fault(variable: Variable) -> str | None:
    """What is wrong with `max`; None: nothing."""
    if not 1 <= variable.max <= MAX_UNITS:
        return f"is 1 to {MAX_UNITS}"
    if variable.type == "date" and variable.max < _DATE_LENGTHS[variable.form]:
        return f"is {_DATE_LENGTHS[variable.form]} or more for a date of this form"
    return None


def fallback_fault(variable: Variable) -> str | None:
    """Why the fallback may not stand in for a value; None: it may, or there is none.

    It may be any words, whatever the type: "若干" for a number is fine.
    """
    if variable.fallback is None:
        return None
    found = worded(Variable(type="text", max=variable.max), variable.fallback)
    if isinstance(found, Unfit):
        return f"is {found.why.replace('_', ' ')}"
    if found.text != variable.fallback:
        return f"would be {found.text!r}: braces, 【】, links and line breaks may not be in it"
    return None


def _int(_variable: Variable, value: object) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return str(int(text)) if _INT.fullmatch(text) else None


def _money(_variable: Variable, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return None
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount.adjusted()) > 30:
            return None
        if amount == amount.to_integral_value():
            return f"{amount:.0f}" if amount else "0"
        return f"{amount:.2f}" if amount == round(amount, 2) else None
    except InvalidOperation:
        return None


def _date(variable: Variable, value: object) -> str | None:
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 10 and text[10] not in "T ":
            return None
        try:
            value = date.fromisoformat(text[:10])
        except ValueError:
            return None
    if isinstance(value, datetime):
        value = value.date()
    return _dated(value, variable.form) if isinstance(value, date) else None


def _dated(day: date, form: DateForm) -> str:
    if form == "month_day":
        return f"{day.month}月{day.day}日"
    if form == "year_month_day":
        return f"{day.year:04}年{day.month}月{day.day}日"
    return day.isoformat()


def _code(_variable: Variable, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    return text if _CODE.fullmatch(text) else None


_FORMS = {"int": _int, "money": _money, "date": _date, "code": _code}
