"""Who is in a capped segment is read again and again, and a bad segment harms no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.caps import members
from campaigns.caps.members import EVERY_SECONDS, CapMembers
from tests.campaigns.running.shop import Shop, shopping
from tests.messages.accept.world import ACCOUNT, wall_ms

NOBODY: set[int] = set()


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


class Reading:
    """A process's readings, at a time of the test's own."""

    def __init__(self, shop: Shop, name: str = "members") -> None:
        self.shop = shop
        self.later = 0.0
        self.members = CapMembers(
            shop.world.database.dedicated(name),
            zone_of=lambda account: "Asia/Shanghai",
            wall_ms=lambda: wall_ms() + int(self.later * 1000),
            monotonic=lambda: self.later,
            ended=lambda task: None,
        )

    async def turn(self) -> None:
        await self.members.turn()

    async def cap(self, name: str, source: str | None) -> tuple[int, int]:
        """(segment, cap)."""
        segment, cap = self.shop.ids.take(2)
        await self.shop.connection.execute(
            "INSERT INTO segment (id, account, name, source) VALUES ($1, $2, $3, $4)",
            segment, ACCOUNT, name, source,
        )  # fmt: skip
        await self.shop.connection.execute(
            "INSERT INTO group_cap (id, account, segment, week) VALUES ($1, $2, $3, 1)",
            cap, ACCOUNT, segment,
        )  # fmt: skip
        return segment, cap

    async def inside(self, cap: int) -> set[int]:
        rows = await self.shop.connection.fetch(
            "SELECT contact FROM group_cap_member WHERE cap = $1", cap
        )
        return {row["contact"] for row in rows}

    async def said(self, cap: int) -> tuple[int | None, str | None]:
        row = await self.shop.connection.fetchrow(
            "SELECT members, fault FROM group_cap WHERE id = $1", cap
        )
        assert row is not None
        return row["members"], row["fault"]


async def test_people_come_and_go_with_their_segment(shop: Shop) -> None:
    reading = Reading(shop)
    south = set(await shop.people(3))
    [north] = await shop.people(1, attrs={"city": "北京"})
    _, cap = await reading.cap("south", 'city = "广州"')
    assert await reading.said(cap) == (None, None)
    await reading.turn()
    assert await reading.inside(cap) == south
    assert await reading.said(cap) == (3, None)
    gone = min(south)
    await shop.connection.execute("UPDATE contact SET attrs = '{}' WHERE id = $1", gone)
    await shop.connection.execute(
        'UPDATE contact SET attrs = \'{"city": "广州"}\' WHERE id = $1', north
    )
    await reading.turn()
    assert await reading.inside(cap) == south, "it was read a moment ago"
    reading.later = EVERY_SECONDS + 1
    await reading.turn()
    assert await reading.inside(cap) == south - {gone} | {north}
    await shop.connection.execute("DELETE FROM group_cap WHERE id = $1", cap)
    assert await reading.inside(cap) == NOBODY


async def test_a_static_segment_has_its_members_and_those_they_became(shop: Shop) -> None:
    reading = Reading(shop)
    kept, merged, _ = await shop.people(3)
    segment, cap = await reading.cap("named", None)
    await shop.connection.execute("UPDATE contact SET merged_into = $1 WHERE id = $2", kept, merged)
    await shop.connection.execute(
        "INSERT INTO segment_member (segment, contact) VALUES ($1, $2)", segment, merged
    )
    await reading.turn()
    assert await reading.inside(cap) == {kept}


async def test_what_cannot_be_read_stays_as_it_was_and_stops_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Reading(shop)
    people = set(await shop.people(2))
    segment, bad = await reading.cap("bad", "has city")
    await reading.turn()
    _, good = await reading.cap("good", "has city")
    await shop.connection.execute("UPDATE segment SET source = 'gone = 1' WHERE id = $1", segment)
    reading.later = EVERY_SECONDS + 1
    await reading.turn()
    assert await reading.inside(bad) == await reading.inside(good) == people
    assert await reading.said(bad) == (2, "segment_invalid")
    assert reading.members.failed == 1
    await shop.connection.execute("UPDATE segment SET source = 'has city' WHERE id = $1", segment)
    monkeypatch.setattr(members, "READING_SECONDS_MAX", 0.002)
    slow = members._SQL["capped_audience"] + " CROSS JOIN LATERAL (SELECT pg_sleep(1)) AS slow"
    monkeypatch.setattr(members, "_SQL", {**members._SQL, "capped_audience": slow})
    await reading.turn()
    assert (await reading.said(bad))[1] == "too_slow"
    monkeypatch.undo()
    await reading.turn()
    assert await reading.said(bad) == (2, None)


async def test_one_process_reads_at_a_time(shop: Shop) -> None:
    one, other = Reading(shop), Reading(shop, "others")
    await shop.people(1)
    _, cap = await one.cap("some", "has city")
    async with shop.connection.transaction():
        assert await shop.connection.fetchval("SELECT pg_try_advisory_xact_lock(7307061169)")
        await other.turn()
    assert await one.said(cap) == (None, None)
    await other.turn()
    assert await one.said(cap) == (1, None)
    before = datetime.now(UTC) - timedelta(seconds=EVERY_SECONDS)
    at = await shop.connection.fetchval("SELECT members_at FROM group_cap WHERE id = $1", cap)
    assert at > before
