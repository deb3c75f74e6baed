"""A segment as a tree: what is said, before anybody asks whether the names exist.

Owns these shapes. Must not read a source, nor know a type of a field.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "contains", "starts", "has"
]
Aggregate = Literal["count", "sum", "days_since"]
What = Literal["tag", "segment", "source"]


class Said(msgspec.Struct, frozen=True):
    """One literal of the source. `kind` is what it can only be; a bare number may be money, too."""

    kind: Literal["text", "number", "money", "date", "bool"]
    value: str | Decimal | date | bool
    column: int


class Field(msgspec.Struct, frozen=True):
    """An attribute, by name."""

    name: str
    column: int


class Events(msgspec.Struct, frozen=True):
    """What events of a kind amount to; `days` None: of all time."""

    aggregate: Aggregate
    kind: str
    days: int | None
    column: int


class DaysUntil(msgspec.Struct, frozen=True):
    """Days from today to the date in a field."""

    field: Field
    column: int


class Age(msgspec.Struct, frozen=True):
    """Whole years since the field `birthday`."""

    column: int


class Bucket(msgspec.Struct, frozen=True):
    """0..9999 by a hash of salt and contact."""

    salt: str
    column: int


Value = Field | Events | DaysUntil | Age | Bucket


class Predicate(msgspec.Struct, frozen=True):
    """A value held against literals: none with `has`, two with `between`."""

    value: Value
    operator: Operator
    literals: tuple[Said, ...]
    column: int


class Named(msgspec.Struct, frozen=True):
    """A tag, another segment or a source, by name."""

    what: What
    name: str
    column: int


class Not(msgspec.Struct, frozen=True):
    """What it holds is not so."""

    part: Node
    column: int


class Joined(msgspec.Struct, frozen=True):
    """At least two parts of which all, or any, are so."""

    word: Literal["and", "or"]
    parts: tuple[Node, ...]
    column: int


Node = Predicate | Named | Not | Joined
