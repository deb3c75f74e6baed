"""Reports as the API gives them: names for numbers, groups that add up to their total."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from msgspec import UNSET, UnsetType

from campaigns.reports import CLICK_COUNTS
from dlr.ledger import insert_submissions
from dlr.report import COUNTS
from dlr.status import Status
from gateway.accept.models import StorageDown
from gateway.registry import Registry, register
from gateway.report_service import Reports
from storage.pool import Connection, Database
from tests.dlr.rows import World

HOUR = timedelta(hours=1)


@pytest.fixture
async def registry(connection: Connection) -> Registry:
    return await register(connection, ["shop"], ["carrier-a", "carrier-b"])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    yield database
    await database.close()


@pytest.fixture
def reports(database: Database, registry: Registry) -> Reports:
    return Reports(database.read, registry)


@pytest.fixture
def span() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - HOUR, now + HOUR


async def submitted(
    connection: Connection, world: World, registry: Registry, carrier: str, status: Status
) -> None:
    shop, connector = registry.accounts["shop"], registry.connectors[carrier]
    message = await world.message(connection, account=shop, connector=connector)
    part = world.part(
        str(message), message_id=message, account=shop, connector=connector, status=status
    )
    await insert_submissions(connection, [part])


async def test_groups_have_names_and_add_up_to_the_total(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    world = World()
    for carrier, status, count in (
        ("carrier-a", Status.DELIVERED, 3),
        ("carrier-a", Status.UNDELIVERED, 1),
        ("carrier-b", Status.SENT, 2),
    ):
        for _ in range(count):
            await submitted(connection, world, registry, carrier, status)
    report = await reports.delivery(registry.accounts["shop"], *span, ["account", "connector"])
    found = {tuple(group.key.items()): group.counts for group in report.groups}
    assert set(found) == {
        (("account", "shop"), ("connector", "carrier-a")),
        (("account", "shop"), ("connector", "carrier-b")),
    }
    for name in COUNTS:
        assert report.total.counts[name] == sum(counts[name] for counts in found.values())
    assert (report.total.counts["accepted"], report.total.counts["delivered"]) == (6, 3)
    rate = report.total.rates["delivery_rate"]
    assert (rate.numerator, rate.value) == (3, 3 / rate.denominator)


async def test_without_groups_only_the_total_is_told(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    report = await reports.delivery(registry.accounts["shop"], *span, [])
    assert list(report.groups) == []
    assert report.total.counts["delivered"] == 1


async def test_another_account_and_another_time_are_not_counted(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    shop, other = registry.accounts["shop"], registry.accounts["default"]
    since, until = span
    for account, begin, end in ((other, since, until), (shop, since - HOUR, since)):
        report = await reports.delivery(account, begin, end, ["connector"])
        assert list(report.groups) == []
        assert set(report.total.counts) == set(COUNTS)
        assert not any(report.total.counts.values())
        assert report.total.rates["delivery_rate"].value is None


async def test_the_funnel_of_nothing_has_the_same_figures_as_any_other(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    nothing = await reports.funnel(registry.accounts["shop"], *span, [])
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    something = await reports.funnel(registry.accounts["shop"], *span, [])
    assert set(nothing.total.counts) == set(something.total.counts)
    assert set(nothing.total.rates) == set(something.total.rates)
    assert set(CLICK_COUNTS) <= set(nothing.total.counts)


async def test_the_funnel_names_its_groups(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    shop = registry.accounts["shop"]
    world = World()
    for variant in ("a", "b", "b"):
        await world.message(connection, account=shop, campaign_id="spring", variant=variant)
    report = await reports.funnel(shop, *span, ["account", "campaign", "variant"])
    assert [(group.key, group.counts["accepted"]) for group in report.groups] == [
        ({"account": "shop", "campaign": "spring", "variant": "a"}, 1),
        ({"account": "shop", "campaign": "spring", "variant": "b"}, 2),
    ]


async def test_numbers_without_a_name_are_told_all_the_same(registry: Registry) -> None:
    assert registry.account_name(999) == "account 999"
    assert registry.connector_name(999) == "connector 999"
    assert registry.connector_name(0) is None


async def test_a_name_keeps_its_number_over_restarts(connection: Connection) -> None:
    first = await register(connection, ["shop"], ["carrier-a"])
    again = await register(connection, ["bank", "shop"], ["carrier-b"])
    assert again.accounts["shop"] == first.accounts["shop"]
    assert set(again.accounts) == {"bank", "default", "shop"}
    assert set(again.connectors) == {"carrier-a", "carrier-b", "sandbox"}
    # A start that finds all its names uses up no numbers of a smallint sequence.
    for _ in range(3):
        await register(connection, ["bank", "shop"], ["carrier-b"])
    later = await register(connection, ["new"], [])
    assert later.accounts["new"] == max(again.accounts.values()) + 1


async def test_a_database_that_is_away_is_storage_down(
    registry: Registry, span: tuple[datetime, datetime]
) -> None:
    pool = asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/nothing", min_size=0, max_size=1)
    async with pool:
        with pytest.raises(StorageDown):
            await Reports(pool, registry).delivery(1, *span, [])


async def test_o10_a_funnel_says_when_clicks_were_not_kept(
    connection: Connection,
    registry: Registry,
    reports: Reports,
    span: tuple[datetime, datetime],
) -> None:
    shop = registry.accounts["shop"]
    for hours, lost in ((-3, 7), (0, 2)):
        await connection.execute(
            "INSERT INTO click_gap (id, since, until, lost) VALUES ($1, $2, $2, $3)",
            lost, datetime.now(UTC) + hours * HOUR, lost,
        )  # fmt: skip
    report = await reports.funnel(shop, *span, [])
    assert not isinstance(report.click_gaps, UnsetType)
    assert [gap.clicks_lost for gap in report.click_gaps] == [2]
    assert (await reports.delivery(shop, *span, [])).click_gaps is UNSET
