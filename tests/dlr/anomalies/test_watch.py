"""A quarter of an hour is looked at once, from rollups in a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.anomalies.rows import AnomalyFilter, AnomalyList
from dlr.anomalies.series import Names
from dlr.anomalies.watch import AnomalyWatch, Suspicion
from dlr.reasons import Reason
from dlr.rollups.columns import COUNTS, QUARTERS_PER_DAY, RECEIPT, quarter_of, start_of_quarter
from dlr.rollups.latency import bucket_of
from dlr.status import Status
from storage.categories import Category
from storage.ids import id_at
from tests.dispatch.told import somebody_asks, told_others
from tests.dispatch.world import World, running

QUARTER = quarter_of(datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
CARRIER, SENDER = 1, 1


@dataclass
class Days:
    """A month of traffic in the rollups, and one watch over it."""

    world: World
    now: datetime = start_of_quarter(QUARTER + 1) + timedelta(minutes=8)
    suspicions: list[Suspicion] = field(default_factory=list)
    opens: bool = False
    otp: bool = False
    dies: Exception | None = None

    def __post_init__(self) -> None:
        self.watch = self.another()

    def another(self) -> AnomalyWatch:
        async def trip(suspicion: Suspicion) -> bool:
            if self.dies is not None:
                raise self.dies
            self.suspicions.append(suspicion)
            return self.opens

        return AnomalyWatch(
            self.world.database.dedicated(f"anomalies-{id(object())}"),
            names=Names(
                connector={CARRIER: "carrier-a"}.get, account={1: "shop"}.get,
                operator={7: "china mobile"}.get,
            ),
            ids=self.world.ids,
            now=lambda: self.now,
            ended=asyncio.Task.cancelled,
            trip=trip,
            otp=lambda: self.otp,
        )  # fmt: skip

    async def cell(
        self, quarter: int, category: Category = Category.MARKETING, **counts: int
    ) -> None:
        """Of one sender, over one carrier, to one operator."""
        key = await self.world.connection.fetchval(
            "INSERT INTO rollup_key (account, category, connector, sender, country, operator,"
            " campaign, variant) VALUES (1, $1, $2, $3, 1, 7, 0, 0)"
            " ON CONFLICT (account, category, connector, sender, country, operator, campaign,"
            " variant) DO UPDATE SET account = 1 RETURNING id",
            category, CARRIER, SENDER,
        )  # fmt: skip
        values = dict.fromkeys(COUNTS, 0) | counts
        places = ", ".join(f"${at}" for at in range(3, 3 + len(COUNTS)))
        await self.world.connection.execute(
            f"INSERT INTO rollup_cell (quarter, key, {', '.join(COUNTS)})"
            f" VALUES ($1, $2, {places})",
            quarter, key, *(values[name] for name in COUNTS),
        )  # fmt: skip

    async def usual(self, share: float = 0.95, sent: int = 1000) -> None:
        """The same quarters of 28 days: so many sent, this share delivered, most at once."""
        for day in range(1, 29):
            for hour in (0, 3):
                good = round(sent * share) + day % 3
                await self.cell(
                    QUARTER - day * QUARTERS_PER_DAY - hour, accepted=sent, sent=sent,
                    delivered=good, d5m=good, d1h=good,
                )  # fmt: skip
        await self.merged()

    async def merged(self) -> None:
        """The rollups have counted up to now."""
        await self.world.connection.execute(
            "INSERT INTO rollup_state (cursor, merged_at) VALUES ($1, $2)"
            " ON CONFLICT (singleton) DO UPDATE SET cursor = $1, merged_at = $2",
            id_at(self.now - timedelta(minutes=2)), self.now,
        )  # fmt: skip

    async def found(self) -> list[tuple[str, str, str, str | None]]:
        listed = await AnomalyList(self.world.database.read).listed(
            AnomalyFilter(), before=None, limit=100
        )
        return sorted(
            (each.finding.detector, each.scope, each.subject, each.about) for each in listed
        )


@pytest.fixture
async def days(database_url: str) -> AsyncIterator[Days]:
    async with running(database_url) as world:
        await world.connection.execute("INSERT INTO rollup_name (kind, name) VALUES (1, 'SHOP')")
        yield Days(world)


EVERYWHERE = (("connector", "carrier-a"), ("operator", "carrier-a:china mobile"),
              ("sender", "shop:SHOP"))  # fmt: skip


async def test_a_drop_is_found_stored_told_and_offered(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)
    await somebody_asks(days.world.connection, "anomaly.detected")
    await days.watch.turn()
    assert await days.found() == [("drop", *place, None) for place in EVERYWHERE]
    assert days.watch.told == {"drop": 3}
    told = await told_others(days.world.connection)
    assert {(kind, account) for kind, account, *_ in told} == {
        ("anomaly.detected", 0), ("anomaly.detected", 1),
    }  # fmt: skip
    assert all(data["observed"] is None for _, account, _, data in told if account == 0)
    assert {each.place.scope for each in days.suspicions} == {"connector", "operator", "sender"}
    (suspicion, *_) = days.suspicions
    assert suspicion.baseline == pytest.approx(0.951, abs=0.001)
    assert suspicion.began_at == start_of_quarter(QUARTER)


async def test_a_usual_quarter_is_no_anomaly(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=940, d5m=940, d1h=940)
    await days.watch.turn()
    assert await days.found() == []


async def test_a_quarter_is_looked_at_once_by_whichever_process(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)
    other = days.another()
    await asyncio.gather(days.watch.turn(), other.turn())
    await days.watch.turn()
    assert len(await days.found()) == 3
    assert sum(days.watch.told.values()) + sum(other.told.values()) == 3


async def test_it_waits_until_the_rollups_have_counted_the_quarter(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)
    end = start_of_quarter(QUARTER + 1)
    late = end + timedelta(minutes=4), id_at(end)
    behind = days.now, id_at(end) - 1
    for merged_at, cursor in (late, behind):
        await days.world.connection.execute(
            "UPDATE rollup_state SET merged_at = $1, cursor = $2", merged_at, cursor
        )
        await days.watch.turn()
        assert await days.found() == []
    await days.merged()
    await days.watch.turn()
    assert len(await days.found()) == 3


async def test_a_key_alarms_once_in_six_hours_and_is_offered_each_time(days: Days) -> None:
    await days.usual()
    for step in range(3):
        await days.cell(QUARTER + step, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)
    for day in range(1, 29):
        for step in (1, 2):
            await days.cell(
                QUARTER + step - day * QUARTERS_PER_DAY, accepted=1000, sent=1000, delivered=950,
                d5m=950, d1h=950,
            )  # fmt: skip
    for _ in range(3):
        await days.merged()
        await days.watch.turn()
        days.now += timedelta(minutes=15)
    assert len(await days.found()) == 3
    assert len(days.suspicions) == 9


async def test_silence_is_found(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=30, sent=30)
    await days.watch.turn()
    assert await days.found() == [("silence", *place, None) for place in EVERYWHERE]


async def test_a_surge_is_found_and_opens_nothing(days: Days) -> None:
    await days.usual(sent=100)
    await days.cell(QUARTER, accepted=400, sent=400, delivered=380, d5m=380, d1h=380)
    await days.watch.turn()
    assert await days.found() == [("surge", *place, None) for place in EVERYWHERE]
    assert days.suspicions == []


@pytest.mark.parametrize("otp", [False, True])
async def test_g23_one_time_passwords_alone_are_no_evidence(days: Days, otp: bool) -> None:
    days.otp = otp
    for day in range(1, 29):
        await days.cell(
            QUARTER - day * QUARTERS_PER_DAY, Category.OTP, accepted=500, sent=500, delivered=475,
            d5m=475, d1h=475,
        )  # fmt: skip
    await days.cell(QUARTER, Category.OTP, accepted=500, sent=500, delivered=200, d5m=200, d1h=200)
    await days.merged()
    await days.watch.turn()
    assert len(await days.found()) == 3
    assert len(days.suspicions) == (3 if otp else 0)


async def test_a_reason_that_rises_and_receipts_that_take_longer(days: Days) -> None:
    await days.usual()
    late = QUARTER - 3  # an hour over
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=950, d5m=950, d1h=950)
    await days.cell(late, accepted=1000, sent=1000, delivered=940, d5m=940, d1h=940)
    key = await days.world.connection.fetchval("SELECT id FROM rollup_key")

    async def failed(quarter: int, messages: int) -> None:
        await days.world.connection.execute(
            "INSERT INTO rollup_reason VALUES ($1, $2, $3, $4, 0, $5)",
            quarter, key, Status.UNDELIVERED, Reason.HANDSET_UNREACHABLE, messages,
        )  # fmt: skip

    async def took(quarter: int, counts: dict[int, int]) -> None:
        await days.world.connection.execute(
            "INSERT INTO rollup_latency VALUES ($1, 1, $2, $3, $4, $5, $6)",
            quarter, Category.MARKETING, CARRIER, RECEIPT,
            [bucket_of(ms) for ms in counts], list(counts.values()),
        )  # fmt: skip

    for day in range(1, 29):
        await failed(late - day * QUARTERS_PER_DAY, 10)
        await took(late - day * QUARTERS_PER_DAY, {1000: 960, 5000: 40})
    await failed(late, 60)
    await took(late, {1000: 500, 60_000: 450})
    await days.watch.turn()
    told: list[Any] = await days.found()
    assert told == [("reason", "connector", "carrier-a", "handset_unreachable")]
    await days.world.connection.execute("DELETE FROM anomaly")
    await days.world.connection.execute("DELETE FROM rollup_reason")
    await days.world.connection.execute("UPDATE anomaly_state SET quarter = 0")
    await days.another().turn()
    assert await days.found() == [("latency", "connector", "carrier-a", "receipt")]


@pytest.mark.parametrize("known", [28, 3])
async def test_complaints_that_cluster(days: Days, known: int) -> None:
    """Where three days are known nobody can say what is usual."""
    await days.usual()
    await days.world.connection.execute(
        "DELETE FROM rollup_cell WHERE quarter < $1", QUARTER - known * QUARTERS_PER_DAY
    )
    for number in range(9):
        await days.world.connection.execute(
            "INSERT INTO complaint (id, account, reference, fingerprint, to_idx, to_enc, source,"
            " at, connector, sender, campaign_id) VALUES ($1, 1, $2, '', '', '', 'app', now(), $3,"
            " 'SHOP', 'summer')",
            id_at(days.now - timedelta(hours=3)) + number, str(number), CARRIER,
        )  # fmt: skip
    await days.watch.turn()
    if known == 3:
        assert await days.found() == []
        return
    assert await days.found() == [
        ("complaints", "campaign", "shop:summer", None),
        ("complaints", "connector", "carrier-a", None),
        ("complaints", "sender", "shop:SHOP", None),
    ]
    assert len(days.suspicions) == 3


async def test_what_opened_a_breaker_says_so(days: Days) -> None:
    days.opens = True
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)
    await days.watch.turn()
    opened = await days.world.connection.fetchval("SELECT count(*) FROM anomaly WHERE opened")
    assert opened == 3


async def test_killed_before_its_commit_it_has_done_nothing(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)

    class Killed(Exception):
        pass

    async def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("dlr.anomalies.watch.tell", dies)
        with pytest.raises(Killed):
            await days.watch.turn()
    assert await days.found() == []
    await days.another().turn()
    assert len(await days.found()) == 3


async def test_killed_before_it_was_offered_it_is_offered_by_the_next(days: Days) -> None:
    await days.usual()
    await days.cell(QUARTER, accepted=1000, sent=1000, delivered=700, d5m=700, d1h=700)

    class Killed(Exception):
        pass

    days.dies = Killed()
    with pytest.raises(Killed):
        await days.watch.turn()
    assert (len(await days.found()), days.suspicions) == (3, [])
    days.dies, days.opens = None, True
    await days.another().turn()
    assert len(days.suspicions) == 3
    opened = await days.world.connection.fetch("SELECT opened FROM anomaly")
    assert [row["opened"] for row in opened] == [True] * 3, "told once, and each opened"
    await days.another().turn()
    assert len(days.suspicions) == 3
