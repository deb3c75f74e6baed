"""Contacts of every shape that segments are asked about, and their rows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from campaigns.segments.names import Moment, Names, SavedSegment
from storage.ids import id_at

if TYPE_CHECKING:
    from campaigns.segments.names import AttributeType
    from storage.pool import Connection

ACCOUNT = 1
MOMENT = Moment.at(datetime(2027, 2, 27, 16, 30, tzinfo=UTC), "Asia/Shanghai")  # the 28th there
ATTRIBUTES: dict[str, AttributeType] = {
    "city": "text", "城市": "text", "level": "number", "balance": "money", "birthday": "date",
    "expires": "date", "seen": "instant", "vip": "bool", "likes": "set",
}  # fmt: skip
TAGS = {"VIP": 1, "员工": 2}
SOURCES = ("shop", "app")
KINDS = ("login", "order_paid", "recall_delivered", "opted_out")
STATIC = 77  # the segment "picked", of every third contact
MICROS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Event:
    kind: str
    at: datetime
    amount: int | None


@dataclass(frozen=True, kw_only=True)
class Person:
    """One contact. `attributes` as they are meant: money in millionths, sets as sets."""

    id: int
    attributes: dict[str, object] = field(default_factory=dict)
    tags: frozenset[int] = frozenset()
    source: str | None = None
    events: tuple[Event, ...] = ()


def names(**segments: SavedSegment) -> Names:
    """What the language knows here."""
    known = {"picked": SavedSegment(STATIC, None), **segments}
    return Names(account=ACCOUNT, attributes=ATTRIBUTES, tags=TAGS, segments=known)


def people(count: int, seed: int) -> list[Person]:
    """Each value is missing for a third of them, and many are on the edge of something."""
    chance = random.Random(seed)
    return [_person(number, chance) for number in range(1, count + 1)]


def _person(number: int, chance: random.Random) -> Person:
    today = MOMENT.today
    around = [today + timedelta(days=days) for days in (-400, -2, -1, 0, 1, 2, 30)]
    offered: dict[str, list[object]] = {
        "city": ["北京", "广州", "", "new \"york\"", "a%b_c", "\\"],
        "城市": ["上海", "上"],
        "level": [0, 1, 2, 2.5, -1, 10**12],
        "balance": [0, 20 * MICROS, 20 * MICROS + 1, -MICROS],
        "birthday": [
            date(1992, 2, 29), date(2004, 2, 28), date(2004, 3, 1), date(1992, 2, 28),
            date(1990, 12, 31), date(1990, 1, 1), date(2001, 3, 2), date(2027, 6, 1),
        ],
        "expires": list(around),
        "seen": [
            datetime(2027, 2, 27, 15, 59, 59, 999_000, UTC),
            datetime(2027, 2, 27, 16, 0, tzinfo=UTC),
            datetime(2027, 2, 28, 15, 59, tzinfo=UTC), datetime(2026, 11, 10, 16, 0, tzinfo=UTC),
            datetime(1970, 1, 1, tzinfo=UTC),
        ],
        "vip": [True, False],
        "likes": [frozenset({"tea"}), frozenset({"tea", "咖啡"}), frozenset[str]()],
    }  # fmt: skip
    attributes = {
        name: chance.choice(values) for name, values in offered.items() if chance.random() < 0.66
    }
    edges = (0, 1, 2, 30, 90, 180, 400)
    events = tuple(
        Event(
            kind=chance.choice(KINDS),
            at=MOMENT.now
            - timedelta(days=chance.choice(edges), seconds=chance.choice((-1, 0, 1, 50_000))),
            amount=chance.choice((None, 20 * MICROS, 5)),
        )
        for _ in range(chance.choice((0, 0, 1, 2, 5)))
    )
    tags = frozenset(tag for tag in TAGS.values() if chance.random() < 0.4)
    source = chance.choice((None, *SOURCES))
    return Person(id=number, attributes=attributes, tags=tags, source=source, events=events)


def stored(value: object) -> object:
    """As an attribute has it."""
    match value:
        case datetime():
            return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case date():
            return value.isoformat()
        case frozenset():
            return sorted(value)
    return value


async def store(connection: Connection, found: list[Person]) -> None:
    """Contacts, events, what these come to, tags, attributes and the members of a segment."""
    await connection.executemany(
        "INSERT INTO contact (id, account, attrs, tags, source) VALUES ($1, $2, $3, $4, $5)",
        [
            (
                each.id, ACCOUNT, {k: stored(v) for k, v in each.attributes.items()},
                sorted(each.tags), each.source,
            )
            for each in found
        ],
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO segment (id, account, name) VALUES ($1, $2, 'picked')", STATIC, ACCOUNT
    )
    await connection.executemany(
        "INSERT INTO segment_member (segment, contact) VALUES ($1, $2)",
        [(STATIC, each.id) for each in found if each.id % 3 == 0],
    )
    await store_events(connection, found)


async def store_events(connection: Connection, found: list[Person]) -> None:
    """Events, and engagement as it is kept of them. Days of the past have no partition."""
    await connection.execute("CREATE TABLE contact_event_old PARTITION OF contact_event DEFAULT")
    told = [(each.id, event) for each in found for event in each.events]
    rows = [
        (id_at(event.at) + number, ACCOUNT, contact, event.kind, event.at, event.amount)
        for number, (contact, event) in enumerate(told)
    ]
    await connection.executemany(
        "INSERT INTO contact_event (id, account, contact, kind, at, amount)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        rows,
    )
    await connection.execute(
        "INSERT INTO engagement (account, contact, kind, first_at, last_at, n)"
        " SELECT account, contact, kind, min(at), max(at), count(*)"
        " FROM contact_event GROUP BY 1, 2, 3"
    )
