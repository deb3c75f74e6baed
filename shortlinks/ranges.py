"""Ranges of link numbers: which message a number belongs to, and where its links lead.

Owns the table `link_range` and its copy in memory. Must not know codes (shortlinks/code.py) or
HTTP. One row serves a whole accept flush, not one row per recipient.

A redirect needs its range from memory. What is not there is fetched by one query at a time, on one
connection. While it runs the next numbers gather. So many misses, or somebody walking through
codes, never cost a second connection.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from shortlinks.code import LINK_SEQUENCES, SLOTS
from shortlinks.rewrite import OPT_OUT_TARGET, is_location
from storage.group_commit import GroupCommit, QueueClosed, QueueFull
from storage.sql import load

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection, Dedicated

SEQUENCES_PER_BLOCK = 16_384  # of one nextval: one round trip for 33 flushes of 500
RANGES_CACHED_MAX = 4_096
RANGE_BYTES_CACHED_MAX = 32 * 1024 * 1024
MISSES_CACHED_MAX = 16_384
MISS_SECONDS = 10.0
LOOKUPS_PER_QUERY_MAX = 40  # a range of 500 takes 0.1 ms to unpack; the loop is held 5 ms at most
LOOKUPS_WAITING_MAX = 2_000
LOOKUP_SECONDS_MAX = 5.0
LINKS_GONE = timedelta(days=30)  # how long an expired link says so before it is unknown

_BYTES_PER_RANGE = 500  # of an empty LinkRange and its place in the tables, as measured
_BYTES_PER_STRING = 57

_SQL = load("shortlinks")


class LinkNumbersExhaustedError(Exception):
    """All 9.0e12 link numbers are leased. The operator must act: a longer code is needed."""


class LookupUnavailableError(Exception):
    """The range cannot be read now: the database is down, or too many look-ups wait. Try again."""


class RangeRow(msgspec.Struct, gc=False):
    """A row of `link_range`: message k of the flush has link_seq = first_seq + k."""

    first_seq: int
    slots: int  # links per message in this row, 1..8
    message_ids: list[int]
    targets: list[str]  # distinct
    target_index: list[int]  # [k * slots + slot] -> index into targets from 1 on; 0: none
    expires_at: datetime


def plan_range(
    first_seq: int, messages: Sequence[tuple[int, Sequence[str]]], expires_at: datetime
) -> RangeRow:
    """The row for one flush: each message's id and the targets of its slots, in reserved order.

    Raises ValueError without messages, or for a message of more than 8 targets.
    """
    slots = max((len(targets) for _, targets in messages), default=0)
    if not 1 <= slots <= SLOTS:
        raise ValueError(f"{slots} links per message: expected 1..{SLOTS}")
    numbers: dict[str, int] = {}
    target_index: list[int] = []
    for _, targets in messages:
        target_index += [numbers.setdefault(target, len(numbers) + 1) for target in targets]
        target_index += [0] * (slots - len(targets))
    message_ids = [message_id for message_id, _ in messages]
    return RangeRow(first_seq, slots, message_ids, list(numbers), target_index, expires_at)


async def insert_range(connection: Connection, row: RangeRow, *, again: bool = False) -> None:
    """Store one range inside the caller's transaction. `again`: after a COMMIT in doubt."""
    await connection.execute(
        _SQL["insert_range"],
        row.first_seq,
        row.slots,
        row.message_ids,
        row.targets,
        row.target_index,
        row.expires_at,
        again,
    )


async def forget_expired(connection: Connection, now: datetime) -> None:
    """Forget the ranges whose links expired some time ago; until then they answer 410."""
    after_seq: int | None = 0
    while after_seq is not None:
        _, after_seq = await delete_expired(connection, now - LINKS_GONE, after_seq=after_seq)


async def delete_expired(
    connection: Connection, before: datetime, *, after_seq: int = 0, rows_max: int = 1_000
) -> tuple[int, int | None]:
    """One bounded step of the retention walk. Returns (rows deleted, where to go on or None at the
    end).

    `before` lies some time behind now: a range that is still there answers 410, then 404.
    """
    row = await connection.fetchrow(_SQL["delete_expired"], before, after_seq, rows_max)
    return (row["deleted"], row["last_seq"]) if row is not None else (0, None)


class LinkSequence:
    """Link numbers for this process, in blocks leased from the database's sequence.

    A number is never given twice, not even after a rollback or a crash. The rest of a block that is
    too short for a flush stays unused.
    """

    __slots__ = ("_end", "_next")

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def reserve(self, connection: Connection, count: int) -> int:
        """The first of `count` (1..16 384) consecutive numbers.

        Raises LinkNumbersExhaustedError, ValueError, or what the connection raises.
        """
        if not 1 <= count <= SEQUENCES_PER_BLOCK:
            raise ValueError(f"{count} link numbers at once: expected 1..{SEQUENCES_PER_BLOCK}")
        if self._next + count <= self._end:
            self._next += count
            return self._next - count
        block: int = await connection.fetchval(_SQL["lease_block"])
        first = block * SEQUENCES_PER_BLOCK
        if first + SEQUENCES_PER_BLOCK > LINK_SEQUENCES:
            raise LinkNumbersExhaustedError(f"link number block {block}")
        # Two flushes on two connections may both have leased a block. The fuller one is kept.
        if SEQUENCES_PER_BLOCK - count > self._end - self._next:
            self._next = first + count
            self._end = first + SEQUENCES_PER_BLOCK
        return first


class LinkRange:
    """One range in memory: 12 octets a message with one link, and its targets."""

    __slots__ = (
        "_message_ids",
        "_target_index",
        "_targets",
        "bytes_held",
        "end_seq",
        "expires_at",
        "first_seq",
        "slots",
    )

    def __init__(self, row: RangeRow) -> None:
        self.first_seq = row.first_seq
        self.end_seq = row.first_seq + len(row.message_ids)
        self.slots = row.slots
        self.expires_at = row.expires_at.timestamp()  # Unix seconds
        self._message_ids = array("q", row.message_ids)
        self._target_index = array("i", row.target_index)
        # Whatever wrote the row: only a URL may reach a Location header.
        self._targets = [
            "",
            *(
                target if target == OPT_OUT_TARGET or is_location(target) else ""
                for target in row.targets
            ),
        ]
        self.bytes_held = (
            _BYTES_PER_RANGE
            + len(self._message_ids) * self._message_ids.itemsize
            + len(self._target_index) * self._target_index.itemsize
            + sum(_BYTES_PER_STRING + len(target) for target in self._targets)
        )

    def target(self, link_seq: int, slot: int) -> str:
        """Where this link of a message in the range leads; "" when the message has no such link.

        OPT_OUT_TARGET is no URL: the recipient's own opt-out page.
        """
        if slot >= self.slots:
            return ""
        place = (link_seq - self.first_seq) * self.slots + slot
        number = self._target_index[place] if place < len(self._target_index) else 0
        return self._targets[number] if 0 <= number < len(self._targets) else ""

    def message_id(self, link_seq: int) -> int:
        """The message that this number of the range belongs to."""
        return self._message_ids[link_seq - self.first_seq]


class Link(msgspec.Struct, frozen=True, gc=False):
    """One short link: where it leads, whose it is, and whether its time is over."""

    target: str
    message_id: int
    expired: bool


class TargetCache:
    """The ranges in use, in memory: at most 4 096 of them and 32 MiB. The least recently used go.

    Counts since start: hits, misses, queries. Numbers that no range holds are remembered for 10 s.
    """

    def __init__(
        self,
        database: Dedicated,
        clock: Callable[[], float],
        *,
        ranges_max: int = RANGES_CACHED_MAX,
        bytes_max: int = RANGE_BYTES_CACHED_MAX,
        misses_max: int = MISSES_CACHED_MAX,
        waiting_max: int = LOOKUPS_WAITING_MAX,
    ) -> None:
        """`database`: a connection for look-ups alone. `clock`: Unix time in seconds."""
        self.hits = 0
        self.misses = 0
        self.queries = 0
        self.bytes_held = 0
        self._database = database
        self._clock = clock
        self._ranges_max = ranges_max
        self._bytes_max = bytes_max
        self._misses_max = misses_max
        self._ranges: OrderedDict[int, LinkRange] = OrderedDict()
        self._first_seqs: list[int] = []  # of the cached ranges, sorted; they never overlap
        self._missing_until: OrderedDict[int, float] = OrderedDict()
        self._lookups: GroupCommit[int, LinkRange | None] = GroupCommit(
            self._fetch,
            name="link_range",
            items_per_flush_max=LOOKUPS_PER_QUERY_MAX,
            items_waiting_max=waiting_max,
        )

    def __len__(self) -> int:
        return len(self._ranges)

    async def close(self) -> None:
        """Finish the look-ups under way, and take no more."""
        await self._lookups.close()

    def cached(self, link_seq: int) -> LinkRange | None:
        """The range that holds this number, if it is in memory."""
        place = bisect_right(self._first_seqs, link_seq) - 1
        if place < 0:
            return None
        first_seq = self._first_seqs[place]
        found = self._ranges[first_seq]
        if link_seq >= found.end_seq:
            return None
        self._ranges.move_to_end(first_seq)
        return found

    async def find(self, link_seq: int) -> LinkRange | None:
        """The range that holds this number; None if there is none. Raises
        LookupUnavailableError.
        """
        found = self.cached(link_seq)
        if found is not None:
            self.hits += 1
            return found
        if self._missing_until.get(link_seq, 0.0) > self._clock():
            self.hits += 1
            return None
        self.misses += 1
        try:
            (result,) = await self._lookups.submit([link_seq])
        except (QueueFull, QueueClosed) as error:
            raise LookupUnavailableError("too many link lookups are waiting") from error
        if isinstance(result, BaseException):
            raise LookupUnavailableError("the database cannot be asked for a link") from result
        return result

    async def lookup(self, link_seq: int, slot: int) -> Link | None:
        """The link with this number and slot; None if there is none. Raises
        LookupUnavailableError.
        """
        found = await self.find(link_seq)
        target = found.target(link_seq, slot) if found is not None else ""
        if found is None or not target:
            return None
        return Link(target, found.message_id(link_seq), found.expires_at <= self._clock())

    async def _fetch(self, link_seqs: list[int], _attempt: int) -> list[LinkRange | None]:
        """Answer a batch of look-ups with one query, or with none where the last one brought
        them.
        """
        wanted = [link_seq for link_seq in link_seqs if self.cached(link_seq) is None]
        if wanted:
            rows = await self._query(wanted)
            # This batch is answered from `fetched`: the bounds of the cache may be smaller than one
            # answer.
            fetched = [LinkRange(_range_row(row)) for row in rows]
        else:
            fetched = []
        found = [self.cached(link_seq) or _holding(fetched, link_seq) for link_seq in link_seqs]
        for link_range in fetched:
            self._keep(link_range)
        for link_seq, answer in zip(link_seqs, found, strict=True):
            if answer is None:
                self._keep_missing(link_seq)
        return found

    async def _query(self, link_seqs: list[int]) -> list[Record]:
        self.queries += 1
        connection = await self._database.connection()
        try:
            return await connection.fetch(
                _SQL["find_ranges"], link_seqs, timeout=LOOKUP_SECONDS_MAX
            )
        except TimeoutError:
            connection.terminate()  # it may still be busy with what we gave up
            raise

    def _keep(self, link_range: LinkRange) -> None:
        if link_range.first_seq in self._ranges:
            return
        self._ranges[link_range.first_seq] = link_range
        insort(self._first_seqs, link_range.first_seq)
        self.bytes_held += link_range.bytes_held
        while self._ranges and (
            len(self._ranges) > self._ranges_max or self.bytes_held > self._bytes_max
        ):
            first_seq, oldest = self._ranges.popitem(last=False)
            del self._first_seqs[bisect_right(self._first_seqs, first_seq) - 1]
            self.bytes_held -= oldest.bytes_held

    def _keep_missing(self, link_seq: int) -> None:
        self._missing_until[link_seq] = self._clock() + MISS_SECONDS
        self._missing_until.move_to_end(link_seq)
        while len(self._missing_until) > self._misses_max:
            self._missing_until.popitem(last=False)


def _holding(ranges: Sequence[LinkRange], link_seq: int) -> LinkRange | None:
    return next((found for found in ranges if found.first_seq <= link_seq < found.end_seq), None)


def _range_row(row: Record) -> RangeRow:
    return RangeRow(
        row["first_seq"],
        row["slots"],
        row["message_ids"],
        row["targets"],
        row["target_index"],
        row["expires_at"],
    )
