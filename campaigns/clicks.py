"""What the clicks on an account's messages led to, counted from the messages.

Owns the counting and the rates over it. Must not know names (campaigns/click_desk.py), nor write.
A click counts whenever it comes: it belongs to its message, and the message to its moment.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from campaigns.click_steps import EVENTS_MAX, people_by_step
from dlr.counting import SCAN_MESSAGES_MAX, Question, SpanTooLarge, fewer_messages
from dlr.grouping import Grouping, Key
from dlr.rates import NO_THRESHOLDS, Rate, rate_of
from dlr.report import GROUPS_MAX, NO_GROUPING, TooManyRows, messages_within
from dlr.thresholds import Threshold
from dlr.zones import UNITS, Edge
from shortlinks.classify import ClickClass
from shortlinks.conversions import LANDING_EVENT
from storage import sql
from storage.ids import EPOCH_UNIX_MS, id_at
from storage.pool import Connection

COLUMNS = ("category", "campaign", "variant", "batch", "message", "link", "unit")
CLICK_KEYS = (*COLUMNS[:-1], *UNITS)
COUNTS = (
    "messages",
    "delivered",
    "clicks",
    "human_clicks",
    "human_clicks_delivered",
    "uv",
    "clicked_recipients_delivered",
    "landed_clicks",
    "visitors",
    "conversions",
    "conversions_without_click",
    "converted_recipients",
    "converted_recipients_delivered",
    "converted_visitors",
)
WALKS_MAX = 100_000
DECAY_HOURS = 72
RANGES_APART = timedelta(hours=1)  # a flush holds what was accepted within seconds
_HOUR = timedelta(hours=1)

_SQL = sql.load("campaigns")


class ClickQuestion(msgspec.Struct, frozen=True):
    """The messages that an account created in [since, until), and what to tell apart.

    `within`: clicks so long after acceptance count. `steps`: events in the order of a funnel.
    """

    account: int
    since: datetime
    until: datetime
    now: datetime
    grouping: Grouping = NO_GROUPING
    units: Sequence[Edge] = ()
    within: timedelta = timedelta(days=400)
    steps: tuple[str, ...] = ()


class FirstClick(msgspec.Struct, frozen=True):
    """Seconds from the receipt of delivery to a person's first click: half, 95 % and 99 % of so
    many delivered messages took at most that.
    """

    messages: int
    p50: float
    p95: float
    p99: float


class Counted(msgspec.Struct):
    """What was counted of one group. `hours`: clicks of people by full hours since acceptance.
    `revenue`: micros by currency. `people`: how many did each step.
    """

    counts: dict[str, int]
    first_click: FirstClick | None = None
    hours: list[int] = msgspec.field(default_factory=list)
    revenue: dict[str, int] = msgspec.field(default_factory=dict)
    people: list[int] = msgspec.field(default_factory=list)


async def counted_clicks(
    connection: Connection, question: ClickQuestion
) -> tuple[dict[Key, Counted], Counted]:
    """(groups, all together). It takes several statements, so the connection is in a transaction
    that sees one state. Raises TooManyRows, and SpanTooLarge where too many messages would be read.
    """
    first, end = id_at(question.since), id_at(question.until)
    most = SCAN_MESSAGES_MAX + 1
    messages = await messages_within(connection, first, end, most, question.account)
    if messages >= most:
        fewer = Question(
            question.account, question.since, question.until, min(question.until, question.now)
        )
        raise SpanTooLarge(messages, await fewer_messages(connection, fewer))
    # A person or a message may be in several groups.
    whole = msgspec.structs.replace(question, grouping=NO_GROUPING, units=())
    total = (await _groups(connection, whole)).get((), _nothing(question))
    if not question.grouping.keys:
        return ({(): total} if total.counts["messages"] else {}), total
    return await _groups(connection, question), total


def click_rates(
    counts: Mapping[str, int], thresholds: Mapping[str, Threshold] = NO_THRESHOLDS
) -> dict[str, Rate]:
    """The rates over COUNTS, with bounds.

    `ctr_delivered` is clicks a message: it may exceed 1, and so has no bounds. `landing_rate`:
    clicks of people of which the landing page told. `cvr_visit`: converted of those who landed.
    """

    def share(name: str, numerator: str, denominator: str) -> Rate:
        return rate_of(counts[numerator], counts[denominator], thresholds.get(name))

    clicks, delivered = counts["human_clicks_delivered"], counts["delivered"]
    value = clicks / delivered if delivered else None
    return {
        "ctr_delivered": Rate(clicks, delivered, value, low=None, high=None),
        "uctr_delivered": share("uctr_delivered", "clicked_recipients_delivered", "delivered"),
        "landing_rate": share("landing_rate", "landed_clicks", "human_clicks"),
        "cvr_click": share("cvr_click", "converted_recipients", "uv"),
        "cvr_delivered": share("cvr_delivered", "converted_recipients_delivered", "delivered"),
        "cvr_visit": share("cvr_visit", "converted_visitors", "visitors"),
    }


def uv_share(uv: int, site_uv: int) -> Rate:
    """The people who came by a link, of all whom the site counted. A site that counts fewer counts
    otherwise, and the rate has no bounds.
    """
    if uv > site_uv:
        return Rate(uv, site_uv, uv / site_uv if site_uv else None, low=None, high=None)
    return rate_of(uv, site_uv)


def half_life_hours(hours: Sequence[int]) -> int | None:
    """The number of hours in which half of the clicks of DECAY_HOURS came; None: there are none."""
    total, seen = sum(hours), 0
    for number, clicks in enumerate(hours, 1):
        seen += clicks
        if clicks and 2 * seen >= total:
            return number
    return None


async def _groups(connection: Connection, question: ClickQuestion) -> dict[Key, Counted]:
    asked = _Asking(connection, question)
    groups: dict[Key, Counted] = {}
    for row in await asked.rows("click_figures", LANDING_EVENT, GROUPS_MAX + 1):
        groups[asked.key(row)] = Counted(
            {name: row[name] for name in COUNTS},
            FirstClick(row["first_clicks"], *row["first_seconds"]) if row["first_clicks"] else None,
            people=[0] * len(question.steps),
        )
    if len(groups) > GROUPS_MAX:
        raise TooManyRows
    decay = msgspec.structs.replace(question, within=min(question.within, DECAY_HOURS * _HOUR))
    for row in await _Asking(connection, decay).rows("click_hours"):
        hours = groups[asked.key(row)].hours
        hours += [0] * (row["hour"] + 1 - len(hours))
        hours[row["hour"]] = row["clicks"]
    for row in await asked.rows("click_revenue", LANDING_EVENT):
        groups[asked.key(row)].revenue[row["currency"]] = int(row["micros"])
    if question.steps:
        await _walk(asked, question.steps, groups)
    return groups


async def _walk(asked: _Asking, steps: Sequence[str], groups: Mapping[Key, Counted]) -> None:
    rows = await asked.rows("click_steps", sorted(set(steps)), WALKS_MAX + 1, EVENTS_MAX)
    if len(rows) > WALKS_MAX:
        raise TooManyRows
    walks: dict[Key, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in rows:
        walks[asked.key(row)][tuple(row["did"])] += row["people"]
    for key, found in walks.items():
        groups[key].people = people_by_step(steps, found.items())


class _Asking:
    """The statements of one question, all by the same keys."""

    def __init__(self, connection: Connection, question: ClickQuestion) -> None:
        self._connection = connection
        self._columns = question.grouping.columns
        self._values = (
            id_at(question.since),
            id_at(question.until),
            question.account,
            ClickClass.HUMAN,
            question.within // timedelta(milliseconds=1),
            *(column in self._columns for column in COLUMNS),
            [unit.quarter for unit in question.units],
            EPOCH_UNIX_MS // 1000,
            id_at(question.since + RANGES_APART) - id_at(question.since),
        )

    async def rows(self, name: str, *more: object) -> list[asyncpg.Record]:
        return await self._connection.fetch(_SQL[name], *self._values, *more)

    def key(self, row: asyncpg.Record) -> Key:
        return tuple(row[column] for column in self._columns)


def _nothing(question: ClickQuestion) -> Counted:
    return Counted(dict.fromkeys(COUNTS, 0), people=[0] * len(question.steps))
