"""A segment as one SELECT of fixed pieces and parameters.

Owns the translation of every node, and with it the total logic: a predicate about a value that is
missing is false. Must not judge a source (checking.py), nor run anything. No name and no literal
stands in a statement; a test reads all statements of a fuzz for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from campaigns.segments import days, typed
from campaigns.segments.checking import checked, values
from campaigns.segments.names import Moment, Names
from campaigns.segments.pieces import Cast, Parameters, Sql, joined, label, piece
from campaigns.segments.tree import Age, Bucket, Events
from storage.ids import id_at

ANY_KIND: Final = "any"
_TOLD_BEFORE: Final = timedelta(minutes=5)  # an event may be told before its time
_COMPARED: Final = MappingProxyType(
    {
        "=": "equal", "!=": "unequal", "<": "below", "<=": "at_most", ">": "above",
        ">=": "at_least", "in": "in", "not in": "not_in", "contains": "contains",
        "starts": "starts",
    }
)  # fmt: skip


_Table = tuple[str, Sql]  # the piece that names it, and its SELECT


class Selection(msgspec.Struct, frozen=True):
    """A statement and its parameters, in the order of their places."""

    sql: str
    parameters: tuple[object, ...]


class Counting(msgspec.Struct, frozen=True):
    """A statement that counts. `lacking`: what each of its columns `lack_0` … is about."""

    sql: str
    parameters: tuple[object, ...]
    lacking: tuple[str, ...]


def compiled(source: str, names: Names, moment: Moment, *, after: int = 0) -> Selection:
    """A SELECT of `id`: the contacts of the account that are in the segment, in no order.

    It can stand in parentheses within a larger statement: its first parameter is `$after+1`.
    Raises SegmentRefused with every mistake.
    """
    writer = _Writer(names, moment, after)
    condition = writer.node(checked(source, names))
    select = piece(
        "contacts",
        tables=writer.with_tables(),
        joins=writer.joins(),
        account=writer.account,
        condition=condition,
    )
    return Selection(select, tuple(writer.parameters.values))


def counting(source: str, names: Names, moment: Moment, *, sample: int) -> Counting:
    """A SELECT of one row: `contacts` of the account, how many are `inside`, a `sample` of their
    ids. `lack_<n>` says how many contacts lack a value that the segment asks about. Raises as
    `compiled` does.
    """
    writer = _Writer(names, moment, 0, apart=True)
    found = checked(source, names)
    condition = writer.node(found)
    asked = {said: value for value in values(found) if (said := _lackable(value))}
    columns, counts, lacking = [], [], []
    for place, value in enumerate(asked.values()):
        column = label("lack", place)
        columns.append(piece("lacking_column", value=writer.value(value), name=column))
        counts.append(piece("lacking_count", name=column))
        lacking.append(piece("lacking", name=column))
    select = piece(
        "counts",
        tables=writer.with_tables(),
        joins=writer.joins(),
        account=writer.account,
        condition=condition,
        columns=joined(columns),
        counts=joined(counts),
        values=writer.values(),
        lacking=joined(lacking),
        wanted=writer.parameters.add(sample, "small"),
    )
    return Counting(select, tuple(writer.parameters.values), tuple(asked))


def _lackable(value: typed.Value) -> str | None:
    """How a value that may be missing is written; None: it is there for everybody."""
    match value:
        case typed.Attribute():
            return value.name
        case typed.Until():
            return value.attribute.name
        case Age():
            return "birthday"
        case Events(aggregate="days_since"):
            return f"days_since({value.kind})"
    return None


class _Writer:
    """Writes the condition of one segment, and notes which tables it needs beside `contact`.

    `apart`: what is read out of attributes are columns, however often the segment asks about them.
    """

    def __init__(self, names: Names, moment: Moment, after: int, *, apart: bool = False) -> None:
        self.parameters = Parameters(after)
        self.account = self.parameters.add(names.account, "small")
        self._moment = moment
        self._zone = ZoneInfo(moment.zone)
        self._tables: dict[object, tuple[Sql, _Table]] = {}
        self._apart = apart
        self._columns: dict[typed.Attribute, tuple[Sql, Sql]] = {}  # its name, and what it reads

    def with_tables(self) -> Sql:
        """What stands before the SELECT."""
        listed: Sql | None = None
        for table, (form, select) in self._tables.values():
            this = piece(form, name=table, select=select)
            listed = this if listed is None else piece("tables", left=listed, right=this)
        return joined([]) if listed is None else piece("with", tables=listed)

    def joins(self) -> Sql:
        """What is joined to the contacts."""
        return joined(piece("join", name=table) for table, _ in self._tables.values())

    def values(self) -> Sql:
        """The columns of what is read out of attributes, once the condition is written."""
        return joined(
            piece("value_column", value=read, name=name) for name, read in self._columns.values()
        )

    def node(self, node: typed.Typed) -> Sql:
        """True or false, and never NULL."""
        match node:
            case typed.Neither():
                return piece("not", part=self.node(node.part))
            case typed.Together():
                first, *others = [self.node(part) for part in node.parts]
                for other in others:
                    first = piece(node.word, left=first, right=other)
                return first
            case typed.Tagged():
                return piece("tagged", tag=self.parameters.add(node.tag, "small"))
            case typed.From():
                return piece("from", source=self.parameters.add(node.source, "text"))
            case typed.Member():
                return piece("is_member", name=self._members(node.segment))
            case typed.Condition():
                return piece("sure", test=self._test(node))

    def value(self, value: typed.Value) -> Sql:
        """What is held against operands; NULL where it is missing."""
        match value:
            case typed.Attribute():
                return self._attribute(value)
            case typed.Until():
                return self._attribute(value.attribute)
            case Age():
                return self._attribute(typed.Attribute("birthday", "date"))
            case Bucket():
                return piece("bucket", salt=self.parameters.add(value.salt, "text"))
            case Events():
                form = "amount" if value.aggregate == "days_since" else "amount_or_none"
                return piece(form, name=self._events(value))

    def _attribute(self, attribute: typed.Attribute) -> Sql:
        if attribute in self._columns:
            return piece("value", name=self._columns[attribute][0])
        form = {"date": "day", "instant": "day", "money": "number"}
        key = self.parameters.add(attribute.name, "text")
        read = piece(form.get(attribute.type, attribute.type), key=key)
        if not self._apart:
            return read
        self._columns[attribute] = label("value", len(self._columns)), read
        return piece("value", name=self._columns[attribute][0])

    def _test(self, condition: typed.Condition) -> Sql:
        value = self.value(condition.value)
        if condition.operator == "has":
            return piece("has", value=value)
        found = self._days(condition)
        if found is not None:
            return self._within(value, found)
        if isinstance(condition.value, typed.Until):  # a yearly one
            return self._on_anniversaries(value, condition)
        operator, operands = condition.operator, condition.operands
        if operator == "between":
            low, high = (self.parameters.add(each, "number") for each in operands)
            return piece("between", value=value, low=low, high=high)
        if condition.type == "set":
            member = self.parameters.add(operands[0], "text")
            return piece("set_contains", value=value, operand=member)
        one: Cast = "bool" if condition.type == "bool" else "text"
        many: Cast = "texts"
        if condition.type in ("number", "money"):
            one, many = "number", "numbers"
        listed = operator in ("in", "not in")
        given, cast = (list(operands), many) if listed else (operands[0], one)
        operand = self.parameters.add(given, cast)
        return piece(_COMPARED[operator], value=value, operand=operand)

    def _days(self, condition: typed.Condition) -> list[tuple[str, str]] | None:
        """The spans of days in which a date, an instant or a birthday lies; None: it is none."""
        value, today = condition.value, self._moment.today
        numbers = [
            each.toordinal() if isinstance(each, date) else each
            for each in condition.operands
            if isinstance(each, (date, Decimal))
        ]
        match value:
            case Age():
                found = days.births(days.spans(condition.operator, numbers), today)
                return days.texts(found, date.isoformat)
            case typed.Until(yearly=False):
                attribute = value.attribute
                found = days.days_after(days.spans(condition.operator, numbers), today)
            case typed.Attribute(type="date" | "instant"):
                attribute = value
                found = days.spans(condition.operator, numbers)
            case _:
                return None
        if attribute.type == "date":
            return days.texts(found, date.isoformat)
        return days.texts(found, lambda day: days.start_of(day, self._zone))

    def _within(self, value: Sql, found: Sequence[tuple[str, str]]) -> Sql:
        if len(found) == 1:
            low, high = (self.parameters.add(each, "text") for each in found[0])
            return piece("in_span", value=value, low=low, high=high)
        lows = self.parameters.add([low for low, _ in found], "texts")
        highs = self.parameters.add([high for _, high in found], "texts")
        return piece("in_spans", value=value, lows=lows, highs=highs)

    def _on_anniversaries(self, value: Sql, condition: typed.Condition) -> Sql:
        numbers = [each for each in condition.operands if isinstance(each, Decimal)]
        found = days.anniversaries(days.spans(condition.operator, numbers), self._moment.today)
        return piece("anniversary", value=value, operand=self.parameters.add(found, "texts"))

    def _members(self, segment: int) -> Sql:
        if segment not in self._tables:
            place = self.parameters.add(segment, "id")
            table = label("table", len(self._tables))
            self._tables[segment] = table, ("table", piece("members", segment=place))
        return self._tables[segment][0]

    def _events(self, events: Events) -> Sql:
        asked = (events.aggregate, events.kind, events.days)
        if asked not in self._tables:
            table = label("table", len(self._tables))
            self._tables[asked] = table, self._aggregate(events)
        return self._tables[asked][0]

    def _aggregate(self, events: Events) -> _Table:
        """A row a contact. Of one kind engagement has one already."""
        kinds, one = piece("any_kind"), events.kind != ANY_KIND
        if one:
            kinds = piece("one_kind", kind=self.parameters.add(events.kind, "text"))
        form = "plain_table" if one else "table"
        if events.aggregate == "days_since":
            today = self.parameters.add(self._moment.today, "date")
            zone = self.parameters.add(self._moment.zone, "text")
            name = "days_since_one" if one else "days_since"
            return form, piece(name, account=self.account, kinds=kinds, today=today, zone=zone)
        if events.days is None and events.aggregate == "count":
            name = "count_ever_of_one" if one else "count_ever"
            return form, piece(name, account=self.account, kinds=kinds)
        if events.days is None:
            return "table", piece("sum_ever", account=self.account, kinds=kinds)
        now = self._moment.now
        since = now - timedelta(days=events.days)
        return "table", piece(
            events.aggregate,
            account=self.account,
            kinds=kinds,
            oldest=self.parameters.add(id_at(since - _TOLD_BEFORE), "id"),
            after=self.parameters.add(since, "instant"),
            now=self.parameters.add(now, "instant"),
        )
