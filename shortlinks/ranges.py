"""Ranges of link numbers: which message a number belongs to, and where its links lead.

Owns the table `link_range`, and what of it is in memory. Must not know codes (shortlinks/code.py)
or HTTP. One row serves a whole accept flush, not one row per recipient.

A redirect needs its range from memory. What is not there is fetched by one query at a time, on one
connection. While it runs the next numbers gather. So many misses, or somebody walking through
codes, never cost a second connection.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shortlinks.code import LINK_SEQUENCES, SLOTS
from shortlinks.lookup import LookupUnavailableError
from shortlinks.range_memory import LinkRange, RangeMemory, RangeRow
from storage.group_commit import GroupCommit, QueueClosed, QueueFull
from storage.sql import load

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection, Dedicated

SEQUENCES_PER_BLOCK = 16_384  # of one nextval: one round trip for 33 flushes of 500
RANGES_CACHED_MAX = 65_536
RANGE_BYTES_CACHED_MAX = 64 * 1024 * 1024  # 5 million links in ranges of 500
MISSES_CACHED_MAX = 16_384
MISS_SECONDS = 10.0
LOOKUPS_PER_QUERY_MAX = 40  # a range of 500 takes 0.1 ms to unpack; the loop is held 5 ms at most
LOOKUPS_WAITING_MAX = 2_000
LOOKUP_SECONDS_MAX = 5.0
RECENT_RANGES_MAX = 2_000  # known ahead of their first click, in case the database goes away
RECENT_LATE = timedelta(seconds=30)  # a range's transaction may last so long
LINKS_GONE = timedelta(days=30)  # how long an expired link says so before it is unknown

_SQL = load("shortlinks")


class LinkNumbersExhaustedError(Exception):
    """All 9.0e12 link numbers are leased. The operator must act: a longer code is needed."""


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


class TargetCache:
    """The ranges in use and the newest ones, in memory. The least recently used go.

    Counts since start: hits, misses, and queries of look-ups. Numbers that no range holds are
    remembered for 10 s.
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
        self._database = database
        self._asking = asyncio.Lock()  # one connection: look-ups and the newest take turns
        self._clock = clock
        self._misses_max = misses_max
        self._memory = RangeMemory(ranges_max=ranges_max, bytes_max=bytes_max)
        self._recent_since: datetime | None = None
        self._missing_until: OrderedDict[int, float] = OrderedDict()
        self._lookups: GroupCommit[int, LinkRange | None] = GroupCommit(
            self._fetch,
            name="link_range",
            items_per_flush_max=LOOKUPS_PER_QUERY_MAX,
            items_waiting_max=waiting_max,
        )

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def bytes_held(self) -> int:
        """About the octets that the ranges in memory take."""
        return self._memory.bytes_held

    async def close(self) -> None:
        """Finish the look-ups under way, and take no more."""
        await self._lookups.close()

    def cached(self, link_seq: int) -> LinkRange | None:
        """The range that holds this number, if it is in memory."""
        return self._memory.find(link_seq)

    async def find(self, link_seq: int) -> LinkRange | None:
        """The range that holds this number; None: there is none. Raises LookupUnavailableError."""
        found = self._memory.find(link_seq)
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

    async def follow(self) -> int:
        """Take the newest ranges into memory, before anybody asks for them. Returns how many.

        At most RECENT_RANGES_MAX at once, and those of the last moments only once it has looked.
        Raises what the database does.
        """
        rows = await self._query("recent_ranges", self._recent_since, RECENT_RANGES_MAX)
        # The oldest first: of what does not fit all, the newest stay.
        unknown = [each["first_seq"] for each in rows if each["first_seq"] not in self._memory]
        unknown.reverse()
        for start in range(0, len(unknown), LOOKUPS_PER_QUERY_MAX):
            step = unknown[start : start + LOOKUPS_PER_QUERY_MAX]
            for row in await self._query("find_ranges", step):
                self._memory.keep(LinkRange(_range_row(row)))
        if rows:
            self._recent_since = rows[0]["created_at"] - RECENT_LATE
        return len(unknown)

    async def _fetch(self, link_seqs: list[int], _attempt: int) -> list[LinkRange | None]:
        """Answer a batch of look-ups with one query, or with none where the last one brought
        them.
        """
        wanted = [link_seq for link_seq in link_seqs if self.cached(link_seq) is None]
        if wanted:
            self.queries += 1
            rows = await self._query("find_ranges", wanted)
            # This batch is answered from `fetched`: the bounds of the cache may be smaller than one
            # answer.
            fetched = [LinkRange(_range_row(row)) for row in rows]
        else:
            fetched = []
        found = [self.cached(link_seq) or _holding(fetched, link_seq) for link_seq in link_seqs]
        for link_range in fetched:
            self._memory.keep(link_range)
        for link_seq, answer in zip(link_seqs, found, strict=True):
            if answer is None:
                self._keep_missing(link_seq)
        return found

    async def _query(self, name: str, *arguments: object) -> list[Record]:
        async with self._asking:
            connection = await self._database.connection()
            try:
                return await connection.fetch(_SQL[name], *arguments, timeout=LOOKUP_SECONDS_MAX)
            except TimeoutError:
                connection.terminate()  # it may still be busy with what we gave up
                raise

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
