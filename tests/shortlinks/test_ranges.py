"""Ranges of link numbers: never given twice, found again by any of them, bounded in memory."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.code import LINK_SEQUENCES
from shortlinks.lookup import LookupUnavailableError
from shortlinks.range_memory import LinkRange, RangeRow
from shortlinks.ranges import (
    LINKS_GONE,
    SEQUENCES_PER_BLOCK,
    LinkNumbersExhaustedError,
    LinkSequence,
    TargetCache,
    delete_expired,
    forget_expired,
    insert_range,
    plan_range,
)
from storage.pool import Connection, Database, Dedicated, connect
from tests.shortlinks.conftest import Clock, Links

SOON = datetime(2030, 1, 1, tzinfo=UTC)


def url(name: object) -> str:
    return f"https://shop.example/{name}"


def target(held: LinkRange, link_seq: int, slot: int) -> str:
    found = held.destination(link_seq, slot)
    return "" if found is None else found.target


@given(st.lists(st.lists(st.integers(0, 20).map(url), max_size=8), min_size=1, max_size=30))
def test_a_planned_range_gives_each_message_its_own_links(messages: list[list[str]]) -> None:
    numbered = [(1000 + number, targets) for number, targets in enumerate(messages)]
    if not any(messages):
        with pytest.raises(ValueError, match="links per message"):
            plan_range(50, numbered, SOON)
        return
    row = plan_range(50, numbered, SOON)
    assert len(row.targets) == len(set(row.targets))
    found = LinkRange(row)
    for number, targets in enumerate(messages):
        got = [target(found, 50 + number, slot) for slot in range(8)]
        if targets:
            leads = found.destination(50 + number, 0)
            assert leads is not None and leads.message_id == 1000 + number
        assert got == targets + [""] * (8 - len(targets))


def test_a_stored_target_that_is_no_url_leads_nowhere() -> None:
    row = RangeRow(0, 2, [1], ["javascript:alert(1)", "https://a.example/\r\nX: y"], [1, 2], SOON)
    assert [target(LinkRange(row), 0, slot) for slot in (0, 1)] == ["", ""]


def test_a_damaged_row_answers_nothing_instead_of_raising() -> None:
    found = LinkRange(RangeRow(0, 2, [1, 2], [url("a")], [1, 9], SOON))
    assert [target(found, seq, slot) for seq in (0, 1) for slot in (0, 1)] == [url("a"), "", "", ""]


async def test_numbers_are_contiguous_and_never_given_twice(
    connection: Connection, database_url: str
) -> None:
    other = await connect(database_url, application_name="other")
    sequences = [LinkSequence(), LinkSequence()]
    given_out: list[tuple[int, int]] = []
    for count in (1, 500, SEQUENCES_PER_BLOCK - 500, 7, 16_000, 3):
        for sequence, where in zip(sequences, (connection, other), strict=True):
            given_out.append((await sequence.reserve(where, count), count))
    spans = sorted(given_out)
    assert all(a + n <= b for (a, n), (b, _) in itertools.pairwise(spans))
    await other.close()


async def test_two_flushes_may_lease_at_the_same_time(
    connection: Connection, database_url: str
) -> None:
    other = await connect(database_url, application_name="other")
    sequence = LinkSequence()
    at_once = await asyncio.gather(sequence.reserve(connection, 300), sequence.reserve(other, 5))
    firsts = [*at_once, await sequence.reserve(connection, 16_000)]
    taken = [
        set(range(first, first + n)) for first, n in zip(firsts, (300, 5, 16_000), strict=True)
    ]
    assert not taken[0] & taken[1] and not taken[1] & taken[2] and not taken[0] & taken[2]
    await other.close()


async def test_a_rolled_back_flush_gives_its_numbers_to_nobody(connection: Connection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    first = await LinkSequence().reserve(connection, 1)
    await transaction.rollback()
    assert await LinkSequence().reserve(connection, 1) >= first + SEQUENCES_PER_BLOCK


async def test_counts_and_the_end_of_all_numbers_are_refused(connection: Connection) -> None:
    for count in (0, SEQUENCES_PER_BLOCK + 1):
        with pytest.raises(ValueError, match="link numbers at once"):
            await LinkSequence().reserve(connection, count)
    await connection.execute(
        "SELECT setval('link_block', $1)", LINK_SEQUENCES // SEQUENCES_PER_BLOCK
    )
    with pytest.raises(LinkNumbersExhaustedError):
        await LinkSequence().reserve(connection, 1)


async def test_a_range_is_stored_once_even_when_the_commit_was_in_doubt(
    connection: Connection,
) -> None:
    row = plan_range(5, [(1, [url("a")])], SOON)
    await insert_range(connection, row)
    await insert_range(connection, row, again=True)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert_range(connection, row)
    await insert_range(connection, plan_range(6, [(2, [url("b")])], SOON), again=True)
    assert await connection.fetchval("SELECT count(*) FROM link_range") == 2


async def test_lookup_finds_every_number_of_a_range_and_none_beside_it(
    links: Links, targets: TargetCache
) -> None:
    first, _ = await links.store([(10, [url("a"), url("b")]), (11, [url("a")])])
    later, _ = await links.store([(12, [url("c")])], expires_in=-1.0)
    for seq, slot, name, message_id in (
        (first, 1, "b", 10),
        (first + 1, 0, "a", 11),
        (later, 0, "c", 12),
    ):
        held = await targets.find(seq)
        assert held is not None
        found = held.destination(seq, slot)
        assert found is not None
        assert (found.target, found.message_id) == (url(name), message_id)
        assert (found.expires_at > links.clock()) == (name != "c")
    held = await targets.find(first)
    assert held is not None
    assert (held.destination(first + 1, 1), held.destination(first, 7)) == (None, None)
    for seq in (first - 1, later + 1, 0):
        assert await targets.find(seq) is None


async def test_concurrent_misses_on_one_range_cost_one_query_each_batch(
    links: Links, targets: TargetCache
) -> None:
    first, _ = await links.store([(n, [url("a")]) for n in range(100)])
    found = await asyncio.gather(*(targets.find(first + n % 100) for n in range(1000)))
    assert all(item is found[0] and item is not None for item in found)
    assert targets.queries == 1
    await targets.find(first + 5)
    assert (targets.queries, targets.hits) == (1, 1)


async def test_numbers_that_do_not_exist_are_remembered_briefly_and_boundedly(
    links: Links, lookups: Dedicated, clock: Clock
) -> None:
    cache = TargetCache(lookups, clock, misses_max=3)
    assert [await cache.find(n) for n in (1, 1, 1)] == [None, None, None]
    assert cache.queries == 1
    for n in (2, 3, 4):  # the fourth pushes the first out
        await cache.find(n)
    await cache.find(1)
    assert cache.queries == 5
    clock.now += 11.0
    await cache.find(1)
    assert cache.queries == 6
    await cache.close()


async def test_the_cache_keeps_the_ranges_used_last_within_both_bounds(
    links: Links, lookups: Dedicated, clock: Clock
) -> None:
    firsts = [(await links.store([(n, [url(n)])]))[0] for n in range(4)]
    cache = TargetCache(lookups, clock, ranges_max=2)
    for first in (firsts[0], firsts[1], firsts[0], firsts[2]):
        await cache.find(first)
    assert len(cache) == 2
    assert [cache.cached(first) is not None for first in firsts] == [True, False, True, False]
    held = cache.bytes_held
    await cache.close()

    small = TargetCache(lookups, clock, bytes_max=held)
    for number, first in enumerate(firsts):
        held_range = await small.find(first)
        assert held_range is not None
        link = held_range.destination(first, 0)
        assert link is not None and link.message_id == number
    assert small.bytes_held <= held
    tiny = TargetCache(lookups, clock, bytes_max=1)
    assert await tiny.find(firsts[0]) is not None  # answered although it cannot be kept
    assert (len(tiny), tiny.bytes_held) == (0, 0)
    await small.close()
    await tiny.close()


async def test_too_many_waiting_lookups_are_refused_and_cost_no_second_connection(
    lookups: Dedicated, clock: Clock, database: Database
) -> None:
    cache = TargetCache(lookups, clock, waiting_max=50)
    results = await asyncio.gather(*(cache.find(n) for n in range(60)), return_exceptions=True)
    assert results[:50] == [None] * 50
    assert all(isinstance(result, LookupUnavailableError) for result in results[50:])
    names = await database.read.fetch(
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
    )
    assert sum(row[0].endswith(":links") for row in names) == 1
    await cache.close()


async def test_a_database_that_is_down_is_said_and_not_remembered(
    links: Links, lookups: Dedicated, targets: TargetCache
) -> None:
    first, _ = await links.store([(1, [url("a")])])
    server = await lookups.connection()
    async with links.connection.transaction():
        await links.connection.execute("LOCK TABLE link_range")
        asking = asyncio.create_task(targets.find(first))
        while not await links.connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1", server.get_server_pid()
        ):
            assert not asking.done()
        await links.connection.execute("SELECT pg_terminate_backend($1)", server.get_server_pid())
        with pytest.raises(LookupUnavailableError):
            await asking
    assert await targets.find(first) is not None


async def test_expired_ranges_are_deleted_in_bounded_steps(links: Links) -> None:
    for n in range(5):
        await links.store([(n, [url(n)])], expires_in=-10.0 if n % 2 else 10.0)
    before = datetime.fromtimestamp(links.clock(), UTC) - timedelta(seconds=5)
    steps, after = [], 0
    while True:
        deleted, last = await delete_expired(links.connection, before, after_seq=after, rows_max=2)
        steps.append(deleted)
        if last is None:
            break
        after = last
    assert sum(steps) == 2
    assert max(steps) <= 2
    left = await links.connection.fetch("SELECT message_ids[1] FROM link_range ORDER BY 1")
    assert [row[0] for row in left] == [0, 2, 4]


async def test_what_expired_long_ago_is_forgotten_in_one_turn(links: Links) -> None:
    for n in range(3):
        await links.store([(n, [url(n)])], expires_in=-10.0 if n % 2 else 10.0)
    now = datetime.fromtimestamp(links.clock(), UTC) + LINKS_GONE
    await forget_expired(links.connection, now - timedelta(seconds=11))
    assert await links.connection.fetchval("SELECT count(*) FROM link_range") == 3
    await forget_expired(links.connection, now)
    left = await links.connection.fetch("SELECT message_ids[1] FROM link_range ORDER BY 1")
    assert [row[0] for row in left] == [0, 2]


async def test_the_newest_ranges_are_known_before_anybody_asks(
    links: Links, targets: TargetCache
) -> None:
    older = [(await links.store([(n, [url(n)])]))[0] for n in range(3)]
    assert await targets.follow() == 3
    newer, _ = await links.store([(9, [url("new")])])
    assert [await targets.follow(), await targets.follow()] == [1, 0]
    assert all(targets.cached(first) is not None for first in (*older, newer))
    assert targets.queries == 0
