"""A contact's values for the variables of a template, in words as the API takes them.

Owns which value a source names, and how it is said. Previews and campaigns both ask here, so they
say the same. Must not read a contact, nor judge whether a value fits. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from campaigns.contacts.attributes import MICROS, number_text
from campaigns.templates.content import Version

OF_ATTRIBUTES, OF_CONTACT = "attr", "contact"
CONTACT_FIELDS = frozenset({"external_id", "source", "time_zone"})


class Person(NamedTuple):
    """What texts may say of somebody. `attrs` as they are kept."""

    attrs: Mapping[str, object] = {}
    external_id: str | None = None
    source: str | None = None
    time_zone: str | None = None


def params_of(version: Version, person: Person, money: Collection[str]) -> dict[str, str]:
    """By the names of variables; what is missing is left out, and so is what is true or false.

    A variable without a source is the attribute of its own name. `money`: attributes that are kept
    in millionths.
    """
    found = {}
    for name, variable in version.content.variables.items():
        words = _sourced(person, variable.source or name, money)
        if words is not None:
            found[name] = words
    return found


def _sourced(person: Person, source: str, money: Collection[str]) -> str | None:
    """What a source names, as in `attr.city`; one without a dot is an attribute, too."""
    kind, dot, name = source.rpartition(".")
    if kind == OF_CONTACT and name in CONTACT_FIELDS:
        known: str | None = getattr(person, name)
        return known
    if dot and kind != OF_ATTRIBUTES:
        return None
    return _said(person.attrs.get(name), money=name in money)


def _said(value: object, *, money: bool) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    if money and isinstance(value, int):
        amount = Decimal(value) / MICROS
        exact = amount == round(amount, 2) != amount.to_integral_value()
        return f"{amount:.2f}" if exact else f"{amount:f}"
    if isinstance(value, int | float):
        return number_text(value)
    return "、".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
