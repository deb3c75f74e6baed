"""A report's figures: from rollups as far as they reach, from messages at the edges and behind.

Owns which of the two is asked for what, and the bounds of both. Must not know names of accounts or
connectors (`dlr/report_desk.py`), nor what a rate is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from dlr.grouping import OTHERS, Grouping, Key, grouping_of
from dlr.report import (
    NO_GROUPING,
    Counted,
    FailureCounts,
    Histograms,
    Span,
    add,
    message_counts,
    message_failures,
    message_latency,
    messages_within,
    total_of,
)
from dlr.rolled import (
    Progress,
    days_open,
    progress,
    rolled_counts,
    rolled_failures,
    rolled_latency,
    rolled_reasons,
)
from dlr.rollups.columns import day_of, quarter_of
from dlr.spans import Pieces, pieces_of, widened
from dlr.zone_days import fits
from dlr.zones import Edge
from storage.ids import id_at, time_of
from storage.pool import Connection

LIVE_MESSAGES_MAX = 50_000  # 0.07 s
SCAN_MESSAGES_MAX = 1_000_000  # 2 to 4 s
Basis = Literal["rollup", "scan"]

_ONE_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")


class SpanTooLarge(Exception):
    """No rollup has what was asked for, and the messages are too many to be read. `instead`:
    parameters that would work.
    """

    def __init__(self, messages: int, instead: Sequence[str]) -> None:
        super().__init__(f"{messages} messages, at most {SCAN_MESSAGES_MAX}")
        self.messages = messages
        self.limit = SCAN_MESSAGES_MAX
        self.instead = tuple(instead)


class Question(msgspec.Struct, frozen=True):
    """The messages that an account created in [since, until), told apart by `group_by`. Units of
    time are those of `zone`.
    """

    account: int
    since: datetime
    until: datetime
    now: datetime
    grouping: Grouping = NO_GROUPING
    zone: ZoneInfo = _UTC


class Told(msgspec.Struct):
    """What was counted, and about which span: `since` and `until` as counted. `as_of`: nothing
    behind it is counted. `provisional`: some of it may still change.
    """

    groups: Counted
    total: dict[str, int]
    units: Sequence[Edge]
    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    basis: Basis = "rollup"


class Reach(msgspec.Struct, frozen=True):
    """A span as it is counted, and from what."""

    since: datetime
    until: datetime
    pieces: Pieces
    as_of: datetime
    cursor: int

    def without_days(self) -> Pieces:
        """The same in quarters alone, for what has no day table."""
        return pieces_of(self.since, self.until, self.cursor, by_day=False)


async def told(connection: Connection, question: Question) -> Told:
    """The figures asked for.

    Raises TooManyRows, SpanTooLarge and ZoneNotQuarterly. It takes several statements, so the
    connection is in a transaction that sees one state.
    """
    if question.grouping.scanned:
        return await _scanned(connection, question)
    reach = await reach_of(connection, question.since, question.until, question.now)
    units = question.grouping.units(question.zone, reach.since, reach.until)
    groups = await _rolled(connection, question, reach, units)
    for first, end in reach.pieces.ids:
        span = Span(first, end, account=question.account)
        add(groups, await message_counts(connection, span, question.grouping, units))
    if "reason" in question.grouping.keys:
        for counts in groups.values():
            counts.pop("late", None)  # it is not kept by reason
    if {"reason", "tag"} & set(question.grouping.keys):  # a message has several tags, or none
        total = await _total(connection, question, reach)
    else:
        total = total_of(groups)
    return Told(
        groups,
        total,
        units,
        reach.since,
        reach.until,
        reach.as_of,
        await provisional(connection, reach),
    )


def set_beside(
    counted: Told,
    groups: Counted,
    total: Mapping[str, int],
    *,
    names: Sequence[str],
    within: Mapping[str, str],
) -> None:
    """Put further counts, under these names, beside those of the same groups.

    Rollups may be seconds behind what the further counts have seen. So a count that is `within`
    another is never more than that. What belongs to no group yet is told in the total alone.
    """
    placed: Counted = {}
    for key, counts in groups.items():
        add(placed, {_as_others(key, counted.groups): counts})
    for key, counts in counted.groups.items():
        _set_beside(counts, placed.get(key, {}), names, within)
    _set_beside(counted.total, total, names, within)


def _as_others(key: Key, known: Counted) -> Key:
    """The group in which this one is counted: it may be one of many others."""
    if key in known:
        return key
    return next((each for each in known if _holds(each, key)), key)


def _holds(group: Key, key: Key) -> bool:
    return all(a in (b, OTHERS) for a, b in zip(group, key, strict=True))


def _set_beside(
    counts: dict[str, int],
    further: Mapping[str, int],
    names: Sequence[str],
    within: Mapping[str, str],
) -> None:
    for name in names:
        count = further.get(name, 0)
        counts[name] = min(count, counts[within[name]]) if name in within else count


async def failures_told(connection: Connection, account: int, reach: Reach) -> FailureCounts:
    """Messages that were not delivered, by what the carriers said. Raises TooManyRows."""
    found = await rolled_failures(connection, account, reach.without_days().quarters)
    for first, end in reach.pieces.ids:
        found += await message_failures(connection, Span(first, end, account=account))
    return found


async def latency_told(connection: Connection, account: int, reach: Reach) -> Histograms:
    """How long messages took."""
    found = await rolled_latency(connection, account, reach.pieces)
    for first, end in reach.pieces.ids:
        more = await message_latency(connection, Span(first, end, account=account))
        for key, histogram in more.items():
            found.setdefault(key, Counter()).update(histogram)
    return found


async def reach_of(
    connection: Connection, since: datetime, until: datetime, now: datetime
) -> Reach:
    """How this span is counted: where its edges hold too many messages, in whole quarters."""
    known = await progress(connection)
    pieces = pieces_of(since, until, known.cursor, by_day=True)
    if await _too_wide(connection, pieces, known):
        wide_since, wide_until = widened(since, until)
        since, until = wide_since, until if id_at(until) >= known.cursor else wide_until
        pieces = pieces_of(since, until, known.cursor, by_day=True)
    as_of = min(until, now)
    first, end = pieces.beyond
    if (
        first < end
        and await messages_within(connection, first, end, LIVE_MESSAGES_MAX + 1) > LIVE_MESSAGES_MAX
    ):
        pieces = msgspec.structs.replace(pieces, beyond=(first, first))
        as_of = max(since, time_of(first))
    return Reach(since, until, pieces, as_of, known.cursor)


async def _too_wide(connection: Connection, pieces: Pieces, known: Progress) -> bool:
    """Whether the pieces of quarters cannot be counted from messages: too many, or gone."""
    count = 0
    for first, end in pieces.edges:
        if known.stored_from is None or first < known.stored_from:
            return True
        count += await messages_within(connection, first, end, LIVE_MESSAGES_MAX + 1)
    return count > LIVE_MESSAGES_MAX


async def _rolled(
    connection: Connection, question: Question, reach: Reach, units: Sequence[Edge]
) -> Counted:
    grouping = question.grouping
    by_day = "tag" not in grouping.keys and fits([unit.quarter for unit in units])
    pieces = reach.pieces if by_day else reach.without_days()
    if not pieces.quarters and pieces.days[0] == pieces.days[1]:
        return {}
    counts = await rolled_counts(connection, question.account, pieces, grouping, units)
    if "reason" not in grouping.keys:
        return counts
    quarters = reach.without_days().quarters
    reasons = await rolled_reasons(connection, question.account, quarters, grouping, units)
    return _with_none(counts, reasons, grouping.columns.index("reason"))


def _with_none(counts: Counted, reasons: Counted, place: int) -> Counted:
    """The groups by reason, with those of no reason: what is left of `counts`, which has no
    reasons in its keys.
    """
    for key, ended in reasons.items():
        left = counts.get(key[:place] + key[place + 1 :], {})
        for name in left:
            left[name] -= ended.get(name, 0)
    found = dict(reasons)
    for key, left in counts.items():
        if left["accepted"] > 0:
            none: Key = (*key[:place], 0, *key[place:])
            found[none] = left
    return found


async def _total(connection: Connection, question: Question, reach: Reach) -> dict[str, int]:
    groups = await rolled_counts(connection, question.account, reach.pieces, NO_GROUPING, ())
    for first, end in reach.pieces.ids:
        span = Span(first, end, account=question.account)
        add(groups, await message_counts(connection, span))
    return total_of(groups)


async def provisional(connection: Connection, reach: Reach) -> bool:
    """Whether messages of this span may still change."""
    if reach.since >= reach.until:
        return False
    last = reach.until - timedelta.resolution
    if id_at(reach.until) > reach.cursor:
        return True
    return await days_open(connection, _day(reach.since), _day(last)) > 0


async def _scanned(connection: Connection, question: Question) -> Told:
    """From the messages of the whole span. Its total, and its size, are known from the rollups."""
    whole = await told(connection, msgspec.structs.replace(question, grouping=NO_GROUPING))
    messages = whole.total["accepted"]
    if messages > SCAN_MESSAGES_MAX:
        raise SpanTooLarge(messages, await fewer_messages(connection, question))
    whole.units = question.grouping.units(question.zone, question.since, question.until)
    span = Span(id_at(question.since), id_at(question.until), account=question.account)
    whole.groups = await message_counts(connection, span, question.grouping, whole.units)
    whole.since, whole.until, whole.basis = question.since, question.until, "scan"
    whole.as_of = min(question.until, question.now)
    return whole


async def fewer_messages(connection: Connection, question: Question) -> list[str]:
    """What could be asked: fewer days, or each dimension by itself."""
    by_day = await told(
        connection, msgspec.structs.replace(question, grouping=grouping_of(["day"]), zone=_UTC)
    )
    found = []
    messages, since = 0, None
    for (unit,), counts in sorted(by_day.groups.items(), reverse=True):
        messages += counts["accepted"]
        if messages > SCAN_MESSAGES_MAX:
            break
        since = by_day.units[int(unit or 0)].label
    if since is not None:
        found.append(f"since={since}T00:00:00Z")
    rolled = [name for name in question.grouping.keys if not grouping_of([name]).scanned]
    return found + [f"group_by={name}" for name in rolled]


def _day(moment: datetime) -> int:
    return day_of(quarter_of(moment.astimezone(UTC)))
