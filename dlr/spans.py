"""Which rollups, and which messages beside them, make up a span of time.

Owns that plan. Must not read anything. Pure.

Whole UTC days are read from the day table, what is left at both ends from quarter-hours. Pieces of
quarters, and what the merger has not come to, are counted from the messages themselves. Each
message of the span is in exactly one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from dlr.rollups.columns import QUARTERS_PER_DAY, quarter_of, quarter_of_id, start_of_quarter
from storage.ids import id_at, time_of

Range = tuple[int, int]
"""[first, end); nothing where they are equal."""

NOTHING: Range = (0, 0)


class Pieces(msgspec.Struct, frozen=True):
    """`days` and `quarters` of rollups; `edges` and `beyond` are ids of messages.

    `edges` are the parts of quarters at the ends of the span. `beyond` is what is not rolled up.
    """

    days: Range
    quarters: tuple[Range, ...]
    edges: tuple[Range, ...]
    beyond: Range

    @property
    def ids(self) -> Sequence[Range]:
        """Everything that is counted from messages."""
        return [each for each in (*self.edges, self.beyond) if each[0] < each[1]]


def pieces_of(since: datetime, until: datetime, cursor: int, *, by_day: bool) -> Pieces:
    """The pieces of [since, until), where all messages with ids below `cursor` are rolled up.

    `by_day`: whether whole UTC days may be read as such.
    """
    first_id, end_id = id_at(since), id_at(until)
    head = _first_whole(since)
    if first_id >= end_id:
        return Pieces(NOTHING, (), (), NOTHING)
    if cursor <= _id_of(head):
        whole = (first_id, end_id)
        if end_id <= cursor:
            return Pieces(NOTHING, (), (whole,), NOTHING)
        return Pieces(NOTHING, (), (), whole)
    open_end = end_id >= cursor
    # The last quarter, and the last day, of what is rolled up: nothing behind the cursor is in it.
    tail = quarter_of_id(cursor - 1) + 1 if open_end else quarter_of(until)
    if tail <= head:
        return Pieces(NOTHING, (), ((first_id, end_id),), NOTHING)
    edges = [(first_id, _id_of(head))]
    if not open_end:
        edges.append((_id_of(tail), end_id))
    days, quarters = _days(head, tail, open_end=open_end) if by_day else (NOTHING, [(head, tail)])
    return Pieces(
        days,
        tuple(each for each in quarters if each[0] < each[1]),
        tuple(each for each in edges if each[0] < each[1]),
        (cursor, end_id) if open_end else NOTHING,
    )


def widened(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The span in whole quarters that holds this one."""
    end = quarter_of(until)
    if start_of_quarter(end) < until:
        end += 1
    return start_of_quarter(quarter_of(since)), start_of_quarter(end)


def rolled_until(until: datetime, cursor: int) -> datetime:
    """Up to where rollups alone tell what happened."""
    return min(until, time_of(cursor))


def _days(head: int, tail: int, *, open_end: bool) -> tuple[Range, list[Range]]:
    first = -(-head // QUARTERS_PER_DAY)
    end = -(-tail // QUARTERS_PER_DAY) if open_end else tail // QUARTERS_PER_DAY
    if end <= first:
        return NOTHING, [(head, tail)]
    return (first, end), [(head, first * QUARTERS_PER_DAY), (end * QUARTERS_PER_DAY, tail)]


def _first_whole(since: datetime) -> int:
    quarter = quarter_of(since)
    return quarter if start_of_quarter(quarter) >= since else quarter + 1


def _id_of(quarter: int) -> int:
    return id_at(start_of_quarter(quarter))
