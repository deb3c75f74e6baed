"""A segment whose names are known and whose literals fit: what the compiler is given.

Owns these shapes. Must not judge anything (checking.py), nor know SQL.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from campaigns.segments.names import AttributeType
from campaigns.segments.tree import Age, Bucket, Events, Operator


class Attribute(msgspec.Struct, frozen=True):
    """A field with its type."""

    name: str
    type: AttributeType


class Until(msgspec.Struct, frozen=True):
    """Days from today to a date or instant. `yearly`: to its next anniversary."""

    attribute: Attribute
    yearly: bool


Operand = str | Decimal | date | bool
Value = Attribute | Events | Until | Age | Bucket


class Condition(msgspec.Struct, frozen=True):
    """A value held against operands of its type. Money is in millionths, an instant's is a day."""

    value: Value
    type: AttributeType
    operator: Operator
    operands: tuple[Operand, ...]


class Tagged(msgspec.Struct, frozen=True):
    """Has the tag of this id."""

    tag: int


class From(msgspec.Struct, frozen=True):
    """Came from this source."""

    source: str


class Member(msgspec.Struct, frozen=True):
    """Is in the static segment of this id."""

    segment: int


class Neither(msgspec.Struct, frozen=True):
    """The part is not so."""

    part: Typed


class Together(msgspec.Struct, frozen=True):
    """All parts, or any of them, are so."""

    word: Literal["and", "or"]
    parts: tuple[Typed, ...]


Typed = Condition | Tagged | From | Member | Neither | Together
