"""Lists of messages over the real tables: every filter, every page, and bounds that hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from messages.models import Prepared, Verdict
from messages.reading import listing
from messages.reading.listing import MessageFilter, list_messages
from messages.reading.statuses import Standing, standings
from storage.ids import id_at
from storage.names import Registry
from storage.partitions import ensure_partitions
from storage.pool import Connection
from tests.messages.accept.world import ACCOUNT, CONNECTOR, VAULT, World, accepting, prepared
from tests.plans import scans

REGISTRY = Registry({}, {"carrier-a": CONNECTOR})


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


async def stored(world: World, *items: Prepared, batch_id: int | None = None) -> list[int]:
    answers = await world.accepter.accept(items, batch_id=batch_id)
    return [answer.id for answer in answers if isinstance(answer, Verdict)]


async def result(world: World, message_id: int, status: Status) -> None:
    row = SubmissionRow(
        id=message_id + 1, message_id=message_id, part=1, parts=1, account=ACCOUNT, category=1,
        connector=CONNECTOR, status=status,
    )  # fmt: skip
    await insert_submissions(world.connection, [row])
    await world.connection.execute("DELETE FROM outbox WHERE id = $1", message_id)


async def page(
    world: World, below: int | None = None, limit: int = 100, account: int = ACCOUNT, **wanted: Any
) -> tuple[list[int], int | None]:
    now = datetime.now(UTC)
    span = {"since": now - timedelta(days=1), "until": now + timedelta(days=1), **wanted}
    to = span.get("to")
    records, stopped_at = await list_messages(
        world.connection, REGISTRY, account, MessageFilter(**span),
        None if to is None else VAULT.indexes(to), below, limit,
    )  # fmt: skip
    return [record.id for record in records], stopped_at


async def everything(world: World, limit: int, **wanted: Any) -> list[int]:
    """All pages, one after the other."""
    found: list[int] = []
    below: int | None = None
    for _ in range(100):
        ids, below = await page(world, below, limit, **wanted)
        found += ids
        if below is None:
            return found
    raise AssertionError("no end")


async def test_newest_first_and_every_message_on_one_page_only(world: World) -> None:
    ids = await stored(world, *(prepared(n) for n in range(7)))
    await stored(world, prepared(9, account=ACCOUNT + 1))
    assert await page(world) == (ids[::-1], None)
    for limit in (1, 3, 7):
        assert await everything(world, limit) == ids[::-1]
    assert await page(world, limit=7) == (ids[::-1], None)


async def test_each_filter_finds_its_own(world: World) -> None:
    batch = 5 + max(await stored(world, prepared(0)))
    one, two = await stored(world, prepared(1, client_ref="r"), prepared(2), batch_id=batch)
    three, four = await stored(
        world, prepared(1, campaign_id="c"), prepared(4, tags=("x", "y"), campaign_id="c")
    )
    assert await page(world, to=prepared(1).to) == ([three, one], None)
    assert await page(world, client_ref="r") == ([one], None)
    assert await everything(world, 1, batch_id=batch) == [two, one]
    assert await page(world, campaign_id="c") == ([four, three], None)
    assert await page(world, tag="y") == ([four], None)
    assert await page(world, to=prepared(1).to, campaign_id="c") == ([three], None)
    assert await page(world, to=prepared(1).to, account=ACCOUNT + 1) == ([], None)
    assert await page(world, since=datetime.now(UTC) + timedelta(hours=1)) == ([], None)


async def test_by_status_as_the_message_says_it_itself(world: World) -> None:
    ids = await stored(world, *(prepared(n) for n in range(6)))
    for message_id, status in zip(
        ids, (Status.SENT, Status.UNCONFIRMED, Status.DELIVERED, Status.UNCONFIRMED), strict=False
    ):
        await result(world, message_id, status)
    later = SubmissionRow(
        id=ids[3] + 2, message_id=ids[3], part=1, parts=1, account=ACCOUNT, category=1,
        connector=CONNECTOR, status=Status.DELIVERED,
    )  # fmt: skip
    await insert_submissions(world.connection, [later])  # submitted again after the doubt
    assert await page(world, status="unconfirmed") == ([ids[1]], None)
    assert await everything(world, 1, status="delivered") == [ids[3], ids[2]]
    assert await everything(world, 2, status="queued") == [ids[5], ids[4]]
    assert await page(world, status="canceled") == ([], None)


async def test_a_rare_status_is_found_wherever_it_stands_and_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are looked at at once the longer it takes, in slices that end anywhere."""
    asked: list[int] = []

    async def counted(connection: Connection, ids: Sequence[int]) -> Mapping[int, Standing]:
        asked.append(len(ids))
        return await standings(connection, ids)

    monkeypatch.setattr(listing, "CHUNK", 2)
    monkeypatch.setattr(listing, "CHUNK_MAX", 8)
    monkeypatch.setattr(listing, "standings", counted)
    ids = await stored(world, *(prepared(n) for n in range(24)))
    rare = [ids[place] for place in (23, 17, 16, 9, 2, 0)]
    for message_id in rare:
        await result(world, message_id, Status.DELIVERED)
    for limit in (1, 2, 5, 6, 7):
        assert await everything(world, limit, status="delivered") == rare
    asked.clear()
    assert await page(world, status="delivered") == (rare, None)
    assert asked == [2, 4, 8, 8, 2]


async def test_what_one_page_looks_through_is_bounded_and_the_next_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WALK_MAX", 4)
    monkeypatch.setattr(listing, "STATUSES_MAX", 3)
    ids = await stored(
        world, *(prepared(n, campaign_id="c" if n in (0, 9) else None) for n in range(10))
    )
    await result(world, ids[1], Status.SENT)
    assert await page(world, campaign_id="c") == ([ids[9]], ids[6])
    assert await everything(world, 10, campaign_id="c") == [ids[9], ids[0]]
    assert await page(world, status="sent") == ([], ids[7])
    assert await everything(world, 10, status="sent") == [ids[1]]


@pytest.mark.parametrize("by", ["to", "client_ref", "batch_id"])
async def test_what_has_an_index_is_looked_up_by_it(world: World, by: str) -> None:
    """And no day is read whole, whatever the planner makes of its statistics.

    Of so few rows it would always read them all.
    """
    ids = await stored(world, *(prepared(n, client_ref=f"ref-{n}") for n in range(50)))
    await world.connection.execute("ANALYZE message")
    nobodys: dict[str, Any] = {"to": "+8613999999999", "client_ref": "none", "batch_id": ids[0]}
    before = await whole_reads(world)
    assert await page(world, **{by: nobodys[by]}) == ([], None)
    assert await whole_reads(world) == before
    await world.connection.execute("SELECT count(text) FROM message")
    assert await whole_reads(world) > before


async def whole_reads(world: World) -> int:
    """How often a partition of messages was read from end to end, so far."""
    await world.connection.execute("SELECT pg_stat_force_next_flush()")
    await world.connection.execute("SELECT 1")
    await world.connection.execute("SELECT pg_stat_clear_snapshot()")
    return int(
        await world.connection.fetchval(
            "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables"
            " WHERE relname LIKE 'message\\_2%'"
        )
    )


async def days(world: World, count: int) -> tuple[int, int]:
    """Messages over so many days, one in ten in doubt; the span of their ids."""
    now = datetime.now(UTC)
    for back in range(count):
        await ensure_partitions(world.connection, (now - timedelta(days=back)).date(), 0)
    first, end = id_at(now - timedelta(days=count - 1)), id_at(now)
    step = (end - first) // 2_000
    await world.connection.execute(
        "INSERT INTO message (id, account, category, connector, data_coding, parts, sender, to_enc,"
        " to_idx, text, campaign_id)"
        " SELECT $1 + n::bigint * $2, $3, 1, $4, 0, 1, 's', '\\x00', int8send(n::bigint), 't', 'c'"
        " FROM generate_series(0, 1999) AS n",
        first, step, ACCOUNT, CONNECTOR,
    )  # fmt: skip
    await world.connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status)"
        " SELECT id + 1, id, 1, 1, account, 1, connector, CASE WHEN n % 10 = 0 THEN 5 ELSE 60 END"
        " FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM message) AS m",
    )
    return first, end


async def test_o12_what_is_in_doubt_is_read_once_whatever_days_there_are(world: World) -> None:
    """Also without statistics: then the planner believes anything."""
    first, end = await days(world, 6)
    connection = world.connection
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    await connection.execute("SET enable_seqscan = off")  # as with more rows than a test has
    statement = listing._SQL["messages_in_doubt"]
    for prepare in ("SELECT", "ANALYZE message, submission"):
        await connection.execute(prepare)
        for campaign in (None, "c"):
            [explained] = await connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}",
                ACCOUNT,
                first,
                end,
                campaign,
                None,
                50,
            )
            read = scans(explained["Plan"])
            tables = [each for each in read if each["Relation Name"].startswith("submission")]
            assert len({each["Relation Name"] for each in tables}) == len(tables) >= 5
            assert {each["Actual Loops"] for each in tables} == {1}
            looked_up = [each for each in read if each["Relation Name"].startswith("message")]
            assert {each["Index Name"][-5:] for each in looked_up} == {"_pkey"}
            # Each message in doubt is looked for in its own partition and in no other.
            assert sum(each["Actual Loops"] for each in looked_up) == 200


async def test_o12_a_walk_reads_from_the_newest_and_stops(world: World) -> None:
    first, end = await days(world, 6)
    connection = world.connection
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    for prepare in ("SELECT", "ANALYZE message, submission"):
        await connection.execute(prepare)
        for name, values in (
            ("messages_walked", (ACCOUNT, first, end, "c", None, 20, 100)),
            ("walk_end", (first, end, 100)),
        ):
            [explained] = await connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {listing._SQL[name]}", *values
            )
            read = scans(explained["Plan"])
            assert {each["Scan Direction"] for each in read} == {"Backward"}
            assert sum(each["Actual Rows"] for each in read) <= 101


async def test_o12_pages_of_what_is_in_doubt_are_complete(world: World) -> None:
    await days(world, 3)
    now = datetime.now(UTC)
    found = await everything(world, 60, since=now - timedelta(days=3), status="unconfirmed")
    assert len(found) == len(set(found)) == 200
    assert found == sorted(found, reverse=True)
