"""Holds a tree against what its names stand for: all mistakes of meaning at once.

Owns types, references and the bounds of the whole. Must not know the grammar, nor SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, NamedTuple

from campaigns.segments import limits, tree, typed
from campaigns.segments.mistakes import INVALID, TOO_COMPLEX, Mistake, SegmentRefused
from campaigns.segments.names import AttributeType, Names, SavedSegment
from campaigns.segments.parser import parsed, read

BIRTHDAY: Final = "birthday"
_MICROS: Final = 1_000_000
_HINTS_MAX: Final = 5  # of one segment
_HINT_NAMES_MAX: Final = 200  # that are compared for a hint: 10 000 tags take 0.1 s
_MONEY_MAX: Final = Decimal(10) ** 12
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
_EQUAL: Final = ("=", "!=")
_ORDERED: Final = (*_EQUAL, "<", "<=", ">", ">=", "in", "not in", "between")
_OPERATORS: Final[Mapping[AttributeType, tuple[str, ...]]] = MappingProxyType(
    {
        "text": (*_EQUAL, "in", "not in", "contains", "starts"),
        "number": _ORDERED,
        "money": _ORDERED,
        "date": _ORDERED,
        "instant": _ORDERED,
        "bool": _EQUAL,
        "set": ("contains",),
    }
)
_LITERAL: Final[Mapping[AttributeType, str]] = MappingProxyType(
    {
        "text": "a text in quotes",
        "number": "a number",
        "money": "an amount such as 20.00",
        "date": "a date such as 2026-11-11",
        "instant": "a date such as 2026-11-11",
        "bool": "true or false",
        "set": "a text in quotes",
    }
)


def checked(source: str, names: Names) -> typed.Typed:
    """The segment, ready to be compiled. Raises SegmentRefused with every mistake.

    What is referred to is read no further than the bounds of the whole allow.
    """
    checker = _Checker(names)
    said = read(source)
    if said.whole is None:
        for term in said.terms:
            checker.node(term)
        raise SegmentRefused([*said.mistakes, *checker.mistakes])
    found = checker.node(said.whole)
    if found is None or checker.mistakes:
        raise SegmentRefused(checker.mistakes)
    faults = _size(found, {}).faults()
    if faults:
        raise SegmentRefused([Mistake(1, "; ".join(faults), TOO_COMPLEX)])
    return found


def references(source: str) -> tuple[str, ...]:
    """The names of the segments that it refers to, each once; also where it has mistakes. Raises
    SegmentRefused for a source that is too long.
    """
    terms = read(source).terms
    named = (each.name for each in terms if isinstance(each, tree.Named) and each.what == "segment")
    return tuple(dict.fromkeys(named))


def walked(node: typed.Typed) -> Iterator[typed.Typed]:
    """This node and all below it. One that stands twice comes twice."""
    yield node
    if isinstance(node, typed.Neither):
        yield from walked(node.part)
    elif isinstance(node, typed.Together):
        for part in node.parts:
            yield from walked(part)


def values(node: typed.Typed) -> Iterator[typed.Value]:
    """The value of each condition in it."""
    return (each.value for each in walked(node) if isinstance(each, typed.Condition))


class _Size(NamedTuple):
    """How much there is in a node and below it, a shared node counted wherever it stands."""

    nodes: int
    listed: int
    events: int

    def faults(self) -> list[str]:
        """What is too much."""
        bounds = (
            (self.nodes, limits.NODES_MAX, "predicates with their and, or and not"),
            (self.listed, limits.LIST_VALUES_MAX, "values in lists"),
            (self.events, limits.EVENT_PREDICATES_MAX, "predicates about events"),
        )
        said = "at most {} {}, found {}, with those of segments referred to"
        return [said.format(most, what, found) for found, most, what in bounds if found > most]


def _size(node: typed.Typed, known: dict[int, _Size]) -> _Size:
    """`known` by the identity of a node: what is shared is not gone through again."""
    found = known.get(id(node))
    if found is not None:
        return found
    match node:
        case typed.Neither():
            parts = [_size(node.part, known)]
        case typed.Together():
            parts = [_size(part, known) for part in node.parts]
        case _:
            parts = []
    listed = events = 0
    if isinstance(node, typed.Condition):
        listed = len(node.operands) if node.operator in ("in", "not in") else 0
        events = int(isinstance(node.value, tree.Events))
    size = _Size(
        1 + sum(part.nodes for part in parts),
        listed + sum(part.listed for part in parts),
        events + sum(part.events for part in parts),
    )
    known[id(node)] = size
    return size


def _named(node: tree.Node) -> Iterator[tree.Named]:
    if isinstance(node, tree.Named) and node.what == "segment":
        yield node
    elif isinstance(node, tree.Not):
        yield from _named(node.part)
    elif isinstance(node, tree.Joined):
        for part in node.parts:
            yield from _named(part)


class _Checker:
    """Checks one source and what it refers to."""

    def __init__(self, names: Names) -> None:
        self.mistakes: list[Mistake] = []
        self._names = names
        self._nodes = self._listed = 0  # that were looked at, each once
        self._cut = False  # more is referred to than the whole may have
        self._way: list[str] = []  # segments that led here, the first source not among them
        self._known: dict[str, typed.Typed | None] = {}
        self._heights: dict[str, int] = {}  # how deep the references of a segment go
        self._hints = 0  # that were looked for
        self._column = 0  # in the first source, of the reference that led here

    def node(self, node: tree.Node) -> typed.Typed | None:
        """The node with its names known; None where there was a mistake."""
        self._nodes += 1
        match node:
            case tree.Not():
                part = self.node(node.part)
                return None if part is None else typed.Neither(part)
            case tree.Joined():
                parts = [self.node(part) for part in node.parts]
                good = tuple(part for part in parts if part is not None)
                return typed.Together(node.word, good) if len(good) == len(parts) else None
            case tree.Named():
                return self._named(node)
            case tree.Predicate():
                return self._predicate(node)

    def _note(self, column: int, detail: str, code: str = INVALID) -> None:
        if self._way:
            detail = f'in segment("{self._way[-1]}"), column {column}: {detail}'
            column = self._column
        self.mistakes.append(Mistake(column, detail, code))

    def _unknown(self, column: int, what: str, name: str, known: Mapping[str, object]) -> None:
        near: list[str] = []
        if self._hints < _HINTS_MAX and len(known) <= _HINT_NAMES_MAX:
            self._hints += 1
            near = get_close_matches(name, list(known), n=1)
        hint = f"; is it {near[0]}?" if near else ""
        self._note(column, f"expected {what}, found {name}{hint}")

    def _named(self, node: tree.Named) -> typed.Typed | None:
        if node.what == "source":
            return typed.From(node.name)
        if node.what == "segment":
            return self._segment(node)
        tag = self._names.tags.get(node.name)
        if tag is None:
            self._unknown(node.column, "a tag of the account", node.name, self._names.tags)
            return None
        return typed.Tagged(tag)

    def _segment(self, node: tree.Named) -> typed.Typed | None:
        name = node.name
        first = [] if self._names.itself is None else [self._names.itself]
        if name in (*first, *self._way):
            circle = " -> ".join([*first, *self._way, name])
            self._note(node.column, f"it would refer to itself: {circle}")
            return None
        saved = self._names.segments.get(name)
        if saved is None:
            known = self._names.segments
            self._unknown(node.column, "a segment of the account", name, known)
            return None
        if len(self._way) + self._heights.get(name, 1) > limits.REFERENCES_DEEP_MAX:
            detail = f"references are at most {limits.REFERENCES_DEEP_MAX} deep"
            self._note(node.column, detail, TOO_COMPLEX)
            return None
        if name not in self._known and self._full(node.column):
            return None
        if name not in self._known:
            self._known[name] = self._followed(node, saved)
        return self._known[name]

    def _full(self, column: int) -> bool:
        """Whether so much was looked at that the whole is too complex, whatever else there is."""
        if self._nodes <= limits.NODES_MAX and self._listed <= limits.LIST_VALUES_MAX:
            return False
        if not self._cut:
            bounds = f"{limits.NODES_MAX} predicates and {limits.LIST_VALUES_MAX} values in lists"
            self._note(column, f"at most {bounds}, with those of segments referred to", TOO_COMPLEX)
        self._cut = True
        return True

    def _followed(self, node: tree.Named, saved: SavedSegment) -> typed.Typed | None:
        if saved.source is None:
            return typed.Member(saved.id)
        if not self._way:
            self._column = node.column
        self._way.append(node.name)
        try:
            below = parsed(saved.source)
            found = self.node(below)
            heights = [self._heights.get(each.name, 1) for each in _named(below)]
            self._heights[node.name] = 1 + max(heights, default=0)
        except SegmentRefused as refused:
            for mistake in refused.mistakes:
                self._note(mistake.column, mistake.detail, mistake.code)
            found = None
        finally:
            self._way.pop()
        return found

    def _predicate(self, node: tree.Predicate) -> typed.Condition | None:
        known = self._value(node.value)
        if known is None:
            return None
        value, kind = known
        if node.operator == "has":
            return typed.Condition(value, kind, "has", ())
        if node.operator not in _OPERATORS[kind]:
            able = ", ".join(_OPERATORS[kind])
            self._note(node.column, f"{kind} takes {able}, found {node.operator}")
            return None
        if node.operator in ("in", "not in"):
            self._listed += len(node.literals)
        operands = [self._operand(kind, literal) for literal in node.literals]
        good = tuple(each for each in operands if each is not None)
        if len(good) < len(operands):
            return None
        if node.operator == "between" and good[0] > good[1]:  # type: ignore[operator]  # one type
            self._note(node.literals[0].column, "expected the lower end of `between` first")
            return None
        return typed.Condition(value, kind, node.operator, good)

    def _value(self, value: tree.Value) -> tuple[typed.Value, AttributeType] | None:
        match value:
            case tree.Field():
                attribute = self._attribute(value)
                return None if attribute is None else (attribute, attribute.type)
            case tree.Events():
                return value, "money" if value.aggregate == "sum" else "number"
            case tree.Bucket():
                return value, "number"
            case tree.Age():
                if self._names.attributes.get(BIRTHDAY) == "date":
                    return value, "number"
                self._note(value.column, f"age is known by an attribute {BIRTHDAY} of type date")
                return None
            case tree.DaysUntil():
                attribute = self._attribute(value.field)
                if attribute is None:
                    return None
                if attribute.type in ("date", "instant"):
                    yearly = attribute == typed.Attribute(BIRTHDAY, "date")
                    return typed.Until(attribute, yearly), "number"
                detail = f"expected a date or an instant, found {attribute.type} {attribute.name}"
                self._note(value.field.column, detail)
                return None

    def _attribute(self, field: tree.Field) -> typed.Attribute | None:
        kind = self._names.attributes.get(field.name)
        if kind is None:
            known = self._names.attributes
            self._unknown(field.column, "an attribute of the account", field.name, known)
            return None
        return typed.Attribute(field.name, kind)

    def _operand(self, kind: AttributeType, said: tree.Said) -> typed.Operand | None:
        wanted = {"set": "text", "instant": "date"}.get(kind, kind)
        value = said.value
        if said.kind != wanted and not (kind == "money" and said.kind == "number"):
            self._note(said.column, f"expected {_LITERAL[kind]}, found a {said.kind}")
            return None
        if isinstance(value, date) and not _FIRST_DAY <= value <= _LAST_DAY:
            self._note(said.column, f"expected a day from {_FIRST_DAY} to {_LAST_DAY}")
            return None
        if kind != "money":
            return value
        assert isinstance(value, Decimal)
        micros = value * _MICROS
        if abs(value) > _MONEY_MAX or micros != micros.to_integral_value():
            detail = f"expected an amount of up to {_MONEY_MAX:,} with at most six decimals"
            self._note(said.column, detail)
            return None
        return micros.to_integral_value()
