"""What a segment means, said in Python: sources beside what must hold for a person.

Owes nothing to the parser, the checker or the compiler: each source is written here together with
its meaning.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.campaigns.segments.people import (
    KINDS,
    MICROS,
    MOMENT,
    SOURCES,
    TAGS,
    Event,
    Person,
)

ZONE = ZoneInfo(MOMENT.zone)
NOTHING_DONE = ("recall_delivered", "opted_out")
Meaning = Callable[[Person], bool]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """A source and whether it holds; `event_predicates` in it."""

    source: str
    holds: Meaning
    event_predicates: int = 0


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(value: object) -> str:
    """A literal."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case date():
            return value.isoformat()
    return str(value)


def bucket(salt: str, contact: int) -> int:
    digest = hashlib.sha256(f"{salt}|{contact}".encode()).digest()
    return int.from_bytes(digest[:4], "big") * 10_000 >> 32


def days_to(day: date) -> int:
    return (day - MOMENT.today).days


def days_to_local(moment: datetime) -> int:
    return days_to(local_day(moment))


def age(born: date, today: date = MOMENT.today) -> int:
    """Whole years: one less before the birthday of this year."""
    years = today.year - born.year
    return years if anniversary(born, today.year) <= today else years - 1


def anniversary(day: date, year: int) -> date:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    number = 28 if (day.month, day.day) == (2, 29) and not is_leap else day.day
    return date(year, day.month, number)


def to_birthday(born: date, today: date = MOMENT.today) -> int:
    """Day by day, until there is one."""
    for days in range(400):
        day = today + timedelta(days=days)
        if anniversary(born, day.year) == day:
            return days
    raise AssertionError(born)


def counted(person: Person, kind: str, days: int | None) -> list[Event]:
    events = [each for each in person.events if is_kind(each, kind)]
    if days is None:
        return events
    since = MOMENT.now - timedelta(days=days)
    return [each for each in events if since < each.at <= MOMENT.now]


def is_kind(event: Event, kind: str) -> bool:
    return event.kind == kind or (kind == "any" and event.kind not in NOTHING_DONE)


def days_since(person: Person, kind: str) -> int | None:
    latest = max((each.at for each in counted(person, kind, None)), default=None)
    return None if latest is None else (MOMENT.today - latest.astimezone(ZONE).date()).days


Read = Callable[[Person], Any]


def attribute(name: str, made: Callable[[Any], Any] = lambda value: value) -> Read:
    """Its value, None where there is none."""
    return lambda person: None if (v := person.attributes.get(name)) is None else made(v)


def local_day(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def decimals(*among: str) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(each) for each in among])


NUMBERS = decimals("0", "1", "2", "2.5", "-1", "30", "34", "35", "1000000000000")
AMOUNTS = decimals("0", "20", "20.00", "0.000005", "-1", "40")
DAYS = st.sampled_from([MOMENT.today + timedelta(days=days) for days in (-400, -110, -1, 0, 1, 30)])
TEXTS = st.sampled_from(["北京", "广州", "", 'new "york"', "a%b_c", "\\", "上", "zz"])
WINDOWS = st.sampled_from([1, 2, 30, 90])
KIND = st.sampled_from([*KINDS, "any", "never_heard_of"])


Value = tuple[str, Read, st.SearchStrategy[Any], int]


@st.composite
def values(draw: st.DrawFn) -> Value:
    """An ordered value, how it is read, what it is held against, and its event predicates."""
    kind, days = draw(KIND), draw(st.none() | WINDOWS)
    window = "" if days is None else f", {days}d"
    salt = draw(st.sampled_from(["cmp_1", "盐"]))
    buckets = decimals("0", "1957", "4708", "5000", "9767", "9999")

    def total(person: Person) -> Decimal:
        amounts = [each.amount or 0 for each in counted(person, kind, days)]
        return Decimal(sum(amounts)) / MICROS

    found: Value = draw(
        st.sampled_from(
            [
                ("level", attribute("level", lambda v: Decimal(str(v))), NUMBERS, 0),
                ("balance", attribute("balance", lambda v: Decimal(v) / MICROS), AMOUNTS, 0),
                ("birthday", attribute("birthday"), DAYS, 0),
                ("expires", attribute("expires"), DAYS, 0),
                ("seen", attribute("seen", local_day), DAYS, 0),
                ("age", attribute("birthday", age), NUMBERS, 0),
                ("days_until(expires)", attribute("expires", days_to), NUMBERS, 0),
                ("days_until(seen)", attribute("seen", days_to_local), NUMBERS, 0),
                ("days_until(birthday)", attribute("birthday", to_birthday), NUMBERS, 0),
                (f"bucket({quoted(salt)})", lambda person: bucket(salt, person.id), buckets, 0),
                (f"count({kind}{window})", lambda p: len(counted(p, kind, days)), NUMBERS, 1),
                (f"sum({kind}{window})", total, AMOUNTS, 1),
                (f"days_since({kind})", lambda person: days_since(person, kind), NUMBERS, 1),
            ]
        )
    )  # fmt: skip
    return found


@st.composite
def ordered(draw: st.DrawFn) -> Said:
    """A value held against one literal, several, or two."""
    name, read, literals, events = draw(values())
    form = draw(st.sampled_from(["compare", "in", "not in", "between"]))
    if form == "compare":
        sign, literal = draw(st.sampled_from(sorted(COMPARISONS))), draw(literals)
        return _sure(
            f"{name} {sign} {written(literal)}", read,
            lambda value: COMPARISONS[sign](value, literal), events,
        )  # fmt: skip
    if form == "between":
        low, high = sorted([draw(literals), draw(literals)])
        return _sure(
            f"{name} between {written(low)} and {written(high)}", read,
            lambda value: low <= value <= high, events,
        )  # fmt: skip
    return _listed(name, read, form, draw(st.lists(literals, min_size=1, max_size=4)), events)


def _sure(source: str, read: Read, test: Callable[[Any], bool], events: int = 0) -> Said:
    """A predicate about a value that is missing is false."""
    return Said(source, lambda person: (v := read(person)) is not None and test(v), events)


def _listed(name: str, read: Read, form: str, among: Sequence[Any], events: int = 0) -> Said:
    source = f"{name} {form} ({', '.join(map(written, among))})"
    return _sure(source, read, lambda value: (value in among) == (form == "in"), events)


@st.composite
def texts(draw: st.DrawFn) -> Said:
    """A text."""
    name = draw(st.sampled_from(["city", "城市"]))
    form = draw(st.sampled_from(["=", "!=", "in", "not in", "contains", "starts"]))
    if form in ("in", "not in"):
        among = draw(st.lists(TEXTS, min_size=1, max_size=3))
        return _listed(name, attribute(name), form, among)
    literal = draw(TEXTS)
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda value: value == literal,
        "!=": lambda value: value != literal,
        "contains": lambda value: literal in value,
        "starts": lambda value: value.startswith(literal),
    }
    return _sure(f"{name} {form} {written(literal)}", attribute(name), tests[form])


@st.composite
def others(draw: st.DrawFn) -> Said:
    """What has neither order nor letters."""
    field = draw(st.sampled_from(["city", "level", "balance", "birthday", "seen", "vip", "likes"]))
    sign, truth = draw(st.sampled_from(["=", "!="])), draw(st.booleans())
    liked = draw(st.sampled_from(["tea", "咖啡", "te"]))
    tag, source = draw(st.sampled_from(sorted(TAGS))), draw(st.sampled_from([*SOURCES, "web"]))
    return draw(
        st.sampled_from(
            [
                Said(f"has {field}", lambda person: field in person.attributes),
                _sure(
                    f"vip {sign} {written(truth)}", attribute("vip"),
                    lambda value: COMPARISONS[sign](value, truth),
                ),
                _sure(f"likes contains {quoted(liked)}", attribute("likes"), lambda v: liked in v),
                Said(f"tag({quoted(tag)})", lambda person: TAGS[tag] in person.tags),
                Said(f"source({quoted(source)})", lambda person: person.source == source),
                Said('segment("picked")', lambda person: person.id % 3 == 0),
            ]
        )
    )  # fmt: skip


def _not(part: Said) -> Said:
    return Said(f"not ({part.source})", lambda p: not part.holds(p), part.event_predicates)


def _joined(word: str, parts: Sequence[Said]) -> Said:
    every = all if word == "and" else any
    return Said(
        f" {word} ".join(f"({part.source})" for part in parts),
        lambda person: every(part.holds(person) for part in parts),
        sum(part.event_predicates for part in parts),
    )


SEGMENTS: st.SearchStrategy[Said] = st.recursive(
    ordered() | texts() | others(),
    lambda parts: st.one_of(
        parts.map(_not),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: _joined("and", found)),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: _joined("or", found)),
    ),
    max_leaves=6,
).filter(lambda said: said.event_predicates <= 8)
