"""Events of what the gateway itself knows of contacts: deliveries, clicks, replies, conversions …

Owns one transaction at a time: it takes rows of `contact_event_due` out and puts events in, each
source once. What has turned out otherwise it has taken back (undoing.py). Killed before its COMMIT
it has done nothing. Must not decide what has happened (naming.py hears of it), nor sum events
(folding.py).

It holds what whoever deletes or merges contacts holds, too. So no event is made of a contact that
goes meanwhile. While the number key changes it waits: a number may have either index.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType

import asyncpg
import msgspec

from campaigns.events import undoing
from campaigns.events.naming import What
from campaigns.events.undoing import NewlyListed, Undoing
from campaigns.running.stopping import PREFIX
from shortlinks.classify import ClickClass
from storage import sql
from storage.crypto import NumberVault
from storage.ids import IdSource, parse_id, time_of
from storage.partitions import ensure_leaf
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

ROWS_PER_STEP_MAX = 200
IDS_PER_STEP_MAX = 4_000
STEPS_PER_TURN_MAX = 50
GATHER_SECONDS = 2.0
RECALL = "recall"  # the goal of a campaign whose deliveries are told apart

DELIVERED, RECALL_DELIVERED, FAILED = "delivered", "recall_delivered", "failed"
CLICK, REPLY, OPTED_OUT, COMPLAINT = "click", "reply", "opted_out", "complaint"
KINDS = (DELIVERED, RECALL_DELIVERED, FAILED, CLICK, REPLY, OPTED_OUT, COMPLAINT)
OTHER = "other"  # a conversion, counted: its name is the account's

_KIND = MappingProxyType(
    {
        What.DELIVERED: DELIVERED,
        What.FAILED: FAILED,
        What.CLICK: CLICK,
        What.PAGE_OPT_OUT: OPTED_OUT,
        What.COMPLAINT: COMPLAINT,
    }
)
_READ_BY = MappingProxyType(
    {
        What.DELIVERED: "due_messages",
        What.FAILED: "due_messages",
        What.CLICK: "due_clicks",
        What.INBOUND: "due_inbound",
        What.PAGE_OPT_OUT: "due_messages",
        What.COMPLAINT: "due_complaints",
        What.CONVERSION: "due_conversions",
        What.PAID: "due_conversions",
    }
)
_KNOWN = sorted(What)  # a row of a later release is left to it

_SQL = sql.load("campaigns")


class Happening(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to a contact. `source`: the id of the row that says so."""

    source: int
    what: int
    account: int
    contact: int
    kind: str
    at: datetime
    amount: int | None = None


class Gathering:
    """One process's turns at it. Counts since start: events `made` and `undone`, by kind."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
        zone: str,
        ended: Ended,
    ) -> None:
        """`zone`: of contacts that have none."""
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms
        self._days: set[date] = set()  # whose leaves are there
        self._task = PeriodicTask("contact events", self.turn, lambda: GATHER_SECONDS, ended=ended)
        self._undoing = Undoing(zone=zone)
        self.made: Counter[str] = Counter()
        self.undone: Counter[str] = Counter()
        self.waiting = 0  # ids, when last looked
        self.late_seconds = 0.0  # so long the first of them had waited

    def start(self) -> None:
        """Make events from now on."""
        self._task.start()

    async def stop(self) -> None:
        """Stop; any process goes on."""
        await self._task.stop()

    async def turn(self) -> None:
        """Make events of what there is, in bounded steps."""
        self._days.clear()  # retention may have dropped some
        async with self._dedicated.guarded() as connection:
            for _ in range(STEPS_PER_TURN_MAX):
                if self._vault.moving or not await self.step(connection):
                    break
                await asyncio.sleep(0)
            row = await connection.fetchrow(_SQL["event_due_waiting"])
            assert row is not None  # an aggregate
            self.waiting, self.late_seconds = row["ids"], row["seconds"]

    async def step(self, connection: Connection) -> bool:
        """One transaction. Returns whether there was anything to do."""
        rows = await _next(connection)
        if not rows:
            return False
        await self._make_room(connection, rows)
        async with connection.transaction():
            cursor: int = await connection.fetchval(_SQL["engagement_hold"])
            # Whoever had it before us may have taken some of them.
            rows = await _next(connection)
            if not _days(rows) <= self._days:
                return True
            lists = await undoing.listed(connection, _ids(rows, What.LISTED))
            made = await self._make(connection, rows, lists.new)
            gone = [*lists.gone, *await undoing.no_person(connection, _ids(rows, What.NO_PERSON))]
            undone = await self._undoing.take_back(connection, gone, cursor)
            await connection.execute(_SQL["event_due_done"], [row["id"] for row in rows])
        for kind, number in made.items():
            self.made[kind if kind in KINDS else OTHER] += number
        self.undone += undone
        return True

    async def _make_room(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        """A leaf for each day of these ids. A source may be older than the first one made."""
        for day in sorted(_days(rows) - self._days):
            await ensure_leaf(connection, "contact_event_source", day)
            self._days.add(day)

    async def _make(
        self, connection: Connection, rows: Sequence[asyncpg.Record], listed: Sequence[NewlyListed]
    ) -> Counter[str]:
        """The events of these rows, as far as there are none, and of who was listed; how many by
        kind.
        """
        found: dict[tuple[int, int, str], Happening] = {}
        for row in rows:
            if row["what"] in _READ_BY:
                for each in await self._found(connection, row):
                    found[each.source, each.what, each.kind] = each
        happened = [*found.values(), *(self._listing(each) for each in listed)]
        if not happened:
            return Counter()
        happened.sort(key=lambda each: (each.at, each.source, each.kind))
        ids = self._ids.take(len(happened))
        claimed = await _claim(connection, happened, ids)
        new = [
            (number, each)
            for number, each in zip(ids, happened, strict=True)
            if each.what == What.LISTED or (each.source, each.what) in claimed
        ]
        if new:
            await connection.execute(_SQL["events_gate_share"])
            numbers = [number for number, _ in new]
            columns = _columns([each for _, each in new])
            await connection.execute(_SQL["events_make"], numbers, *columns)
        return Counter(each.kind for _, each in new)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)

    def _listing(self, listed: NewlyListed) -> Happening:
        return Happening(
            source=listed.contact,
            what=What.LISTED,
            account=listed.account,
            contact=listed.contact,
            kind=OPTED_OUT,
            at=min(self._now(), listed.since),
        )

    async def _found(self, connection: Connection, due: asyncpg.Record) -> list[Happening]:
        """What one row is about, as far as it is about contacts."""
        what, ids = What(due["what"]), sorted(set(due["ids"]))
        more = (ClickClass.HUMAN,) if what is What.CLICK else ()
        rows = await connection.fetch(_SQL[_READ_BY[what]], ids, ids[0], ids[-1], *more)
        recalls = await _recalls(connection, rows) if what is What.DELIVERED else frozenset()
        # Told when it is made: a clock that was set back must not hide an event in the future.
        now = self._now()
        at = due["at"] if what is What.PAGE_OPT_OUT else None
        return [
            Happening(
                source=row["source"],
                what=what,
                account=row["account"],
                contact=row["contact"],
                kind=kind,
                at=min(now, at or row.get("at") or time_of(row["source"])),
                amount=row["value_micros"] if what is What.PAID else None,
            )
            for row in rows
            for kind in _kinds(what, row, recalls)
        ]


def _kinds(
    what: What, row: asyncpg.Record, recalls: Collection[tuple[str, int]]
) -> tuple[str, ...]:
    match what:
        case What.DELIVERED if (row["campaign_id"], row["account"]) in recalls:
            return (DELIVERED, RECALL_DELIVERED)
        case What.INBOUND:
            return (OPTED_OUT if row["opts_out"] else REPLY,)
        case What.CONVERSION | What.PAID:
            return (str(row["event"]),)
    return (_KIND[what],)


async def _recalls(
    connection: Connection, rows: Sequence[asyncpg.Record]
) -> frozenset[tuple[str, int]]:
    """(label, account) of those campaigns of these messages that call people back."""
    labels = {row["campaign_id"] for row in rows}
    numbers = {number: label for label in labels if (number := _campaign(label)) is not None}
    if not numbers:
        return frozenset()
    found = await connection.fetch(_SQL["campaigns_with_goal"], sorted(numbers), RECALL)
    return frozenset((numbers[row["id"]], row["account"]) for row in found)


async def _next(connection: Connection) -> Sequence[asyncpg.Record]:
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        _SQL["event_due_next"], ROWS_PER_STEP_MAX, IDS_PER_STEP_MAX, _KNOWN
    )
    return rows


def _days(rows: Sequence[asyncpg.Record]) -> set[date]:
    """Of sources."""
    return {time_of(each).date() for row in rows if row["what"] in _READ_BY for each in row["ids"]}


def _ids(rows: Sequence[asyncpg.Record], what: What) -> list[int]:
    """All that rows of a kind name, once each."""
    return sorted({each for row in rows if row["what"] == what for each in row["ids"]})


async def _claim(
    connection: Connection, happened: Sequence[Happening], ids: Sequence[int]
) -> set[tuple[int, int]]:
    """Those sources of these, each with its `what`, of which there was no event. `ids`: of events.

    What may be taken back is found again by its event.
    """
    events = {
        (each.source, each.what): number if each.what == What.CLICK else None
        for each, number in zip(happened, ids, strict=True)
        if each.what != What.LISTED
    }
    order = sorted(events)
    rows = await connection.fetch(
        _SQL["event_sources_claim"],
        [source for source, _ in order],
        [what for _, what in order],
        [events[each] for each in order],
    )
    return {(row["source"], row["what"]) for row in rows}


def _campaign(label: str | None) -> int | None:
    """The campaign that a message names; None: it is the account's own label."""
    try:
        return None if label is None else parse_id(PREFIX, label)
    except ValueError:
        return None


def _columns(new: Sequence[Happening]) -> list[list[object]]:
    return [
        [getattr(each, name) for each in new]
        for name in ("account", "contact", "kind", "at", "amount", "what")
    ]
