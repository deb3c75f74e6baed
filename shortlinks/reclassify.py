"""Clicks judged again: once when their receipts had time to come, and later under newer rules.

Owns both walks through `click`, and the table `click_review`. Must not know a rule (judging.py).

A step, or a whole day, is one transaction. Killed anywhere, what is not committed is judged again.
So a figure never has one part of a day under one version, and the rest under another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from shortlinks.classify import RULES, ClickClass, RequestFacts, classify_user_agent
from shortlinks.judging import (
    BURST_MESSAGES_MIN,
    BURST_MS,
    Delivery,
    Evidence,
    Verdict,
    verdict,
)
from storage.ids import id_at, unix_ms_of
from storage.partitions import id_bounds
from storage.periodic import while_full
from storage.sql import load

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection

SETTLE_AFTER = timedelta(minutes=2)  # most receipts are there then
CLICKS_PER_STEP = 1_000
STEPS_PER_TURN_MAX = 20
AGENTS_REMEMBERED_MAX = 4_096
_TIME_BITS = 22  # of an id, below its milliseconds
_DAY_OF_IDS = id_at(datetime(2024, 1, 2, tzinfo=UTC))

_SQL = load("shortlinks")


class Changed(msgspec.Struct, frozen=True, gc=False):
    """A click that is another's than was told."""

    id: int
    slot: int
    message_id: int
    before: ClickClass
    after: ClickClass
    reasons: list[str]
    revision: int


Told = Callable[["Connection", Sequence[Changed]], Awaitable[None]]


class Reviewed(msgspec.Struct):
    """A day's outcome. `moved`: (class before, class after) and how many."""

    day: date
    clicks: int = 0
    changed: int = 0
    moved: dict[tuple[ClickClass, ClickClass], int] = msgspec.field(default_factory=dict)


Note = Callable[["Connection", Reviewed], Awaitable[None]]
# Hears of clicks on recipients' links, by their ids: those that are settled to be a person's, and
# those that were and are not.
People = Callable[["Connection", Sequence[int], Sequence[int]], Awaitable[None]]


class ReviewRunsError(Exception):
    """Another process judges history at this moment. Try again."""


class Reviewer:
    """Counts since start: `settled` clicks, and `changed` of them."""

    def __init__(
        self, told: Told | None = None, *, people: People | None = None, agents_days: int = 0
    ) -> None:
        """`told` hears of clicks with another class, in the transaction that changes them. `people`
        hears there of those that turned out to be a person's, or to be none.

        `agents_days`: how long user agents are kept; 0: as long as their click.
        """
        self._agents_days = agents_days
        self._people = people
        self.settled = 0
        self.changed = 0
        self._told = told
        self._agent_class = lru_cache(AGENTS_REMEMBERED_MAX)(classify_user_agent)

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Judge again what has waited for receipts, in bounded steps."""
        before = id_at(now - SETTLE_AFTER)
        await while_full(
            lambda: self._settle(connection, before),
            CLICKS_PER_STEP,
            times_max=STEPS_PER_TURN_MAX,
        )

    async def end_agents(self, connection: Connection, now: datetime) -> None:
        """User agents that are old enough give way to what they spoke for, in bounded steps."""
        if not self._agents_days:
            return
        before = id_at(now - timedelta(days=self._agents_days))

        async def step() -> int:
            ended: int = await connection.fetchval(_SQL["agents_end"], before, CLICKS_PER_STEP)
            return ended

        await while_full(step, CLICKS_PER_STEP, times_max=STEPS_PER_TURN_MAX)

    async def days(
        self, connection: Connection, since: date, until: date, *, again: bool = False
    ) -> list[date]:
        """The days from `since` on, before `until`, that these rules have not looked at since the
        day ended. Before, a process of an older version may add clicks.

        `again`: also those that they have.
        """
        wanted = [since + timedelta(days=number) for number in range((until - since).days)]
        rows = await connection.fetch(_SQL["click_days"], wanted, RULES)
        return [row["day"] for row in rows if again or row["clicks"] is None]

    async def day(
        self, connection: Connection, day: date, *, note: Note | None = None, dry_run: bool = False
    ) -> Reviewed:
        """Judge all clicks of one day (UTC) again, in one transaction. Raises ReviewRunsError.

        `note` puts the outcome on record, in that transaction.
        """
        found = Reviewed(day)
        first, end = id_bounds(day)
        transaction = connection.transaction()
        await transaction.start()
        try:
            if not await connection.fetchval(_SQL["click_review_alone"]):
                raise ReviewRunsError("another process judges history at this moment")
            while True:
                rows = await connection.fetch(_SQL["clicks_step"], first, end, CLICKS_PER_STEP)
                if not rows:
                    break
                await self._judge(connection, [row["id"] for row in rows], found)
                first = rows[-1]["id"] + 1
            counts = found.clicks, found.changed
            await connection.execute(_SQL["click_reviewed"], RULES, day, *counts)
            if note is not None:
                await note(connection, found)
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.rollback() if dry_run else transaction.commit())
        return found

    async def _settle(self, connection: Connection, before: int) -> int:
        found = Reviewed(date.min)
        async with connection.transaction():
            rows = await connection.fetch(_SQL["clicks_to_settle"], before, CLICKS_PER_STEP)
            if rows:
                await self._judge(connection, [row["id"] for row in rows], found)
        self.settled += found.clicks
        self.changed += found.changed
        return found.clicks

    async def _judge(self, connection: Connection, ids: Sequence[int], found: Reviewed) -> None:
        lowest, highest = ids[0], ids[-1]
        rows = await connection.fetch(_SQL["click_evidence"], ids, lowest, highest, _DAY_OF_IDS)
        bursts = await _bursts(connection, lowest, highest)
        changed: list[tuple[Record, Verdict]] = []
        for row in rows:
            judged = verdict(self._evidence(row, bursts))
            if judged != (row["class"], list(row["reasons"])):
                changed.append((row, judged))
        found.clicks += len(rows)
        found.changed += len(changed)
        told = [_changed(row, judged) for row, judged in changed]
        for each in told:
            move = (each.before, each.after)
            found.moved[move] = found.moved.get(move, 0) + 1
        await _write(connection, told, lowest, highest)
        written = {each.id for each in told}
        left = [row["id"] for row in rows if not row["settled"] and row["id"] not in written]
        if left:
            await connection.execute(_SQL["clicks_settled"], left, lowest, highest)
        others = [each for each in told if each.before is not each.after]
        classes = {each.id: each.after for each in told}
        if self._people is not None:
            people, no_more = _people(rows, classes)
            if people or no_more:
                await self._people(connection, people, no_more)
        if self._told is not None and others:
            await self._told(connection, others)

    def _evidence(self, row: Record, bursts: frozenset[tuple[int, str, str]]) -> Evidence:
        at, kept = unix_ms_of(row["id"]), row["agent"]
        stretch = (row["id"] >> _TIME_BITS) // BURST_MS
        agent = (
            self._agent_class(row["user_agent"])
            if kept is None
            else (ClickClass(int(kept[0])), kept[1])
        )
        return Evidence(
            at,
            row["method"],
            RequestFacts(*row["facts"]) if row["facts"] else None,
            agent,
            agent_kept=kept is None,
            reasons=frozenset(row["reasons"]),
            delivery=Delivery(row["submitted"], row["done"], row["told"]),
            burst=(stretch, row["ip_prefix"], row["user_agent"]) in bursts,
        )


def _people(
    rows: Sequence[Record], classes: Mapping[int, ClickClass]
) -> tuple[list[int], list[int]]:
    """The clicks that are a person's from now on, and those that were until now. `classes`: theirs,
    where they have changed.
    """
    people: list[int] = []
    no_more: list[int] = []
    for row in rows:
        before = row["settled"] and row["class"] == ClickClass.HUMAN
        after = classes.get(row["id"], row["class"]) == ClickClass.HUMAN
        if row["message_id"] and before is not after:
            (people if after else no_more).append(row["id"])
    return people, no_more


async def _bursts(
    connection: Connection, lowest: int, highest: int
) -> frozenset[tuple[int, str, str]]:
    first = (lowest >> _TIME_BITS) // BURST_MS * BURST_MS << _TIME_BITS
    end = ((highest >> _TIME_BITS) // BURST_MS + 1) * BURST_MS << _TIME_BITS
    rows = await connection.fetch(_SQL["click_bursts"], first, end, BURST_MS, BURST_MESSAGES_MIN)
    return frozenset((row["stretch"], row["ip_prefix"], row["user_agent"]) for row in rows)


def _changed(row: Record, judged: Verdict) -> Changed:
    before, after = ClickClass(row["class"]), judged[0]
    return Changed(
        row["id"],
        row["slot"],
        row["message_id"],
        before,
        after,
        judged[1],
        row["revision"] + (before is not after),
    )


async def _write(
    connection: Connection, changed: Sequence[Changed], lowest: int, highest: int
) -> None:
    if changed:
        await connection.execute(
            _SQL["clicks_judged"],
            [each.id for each in changed],
            [int(each.after) for each in changed],
            [" ".join(each.reasons) for each in changed],
            [each.revision for each in changed],
            [lowest, highest],
            RULES,
        )
