"""DeliveryReports as the API gives them: names for numbers, groups that add up to their total."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from dlr.ledger import insert_submissions
from dlr.report import COUNTS
from dlr.report_desk import FAILURE_CODES_MAX, Asked, DeliveryReports, GroupPage, ReportGroup
from dlr.status import Status
from dlr.thresholds import thresholds_of
from gateway.wiring.report_names import ReportNames
from storage.faults import StorageDown
from storage.names import Registry, register
from storage.pool import Connection, Database
from tests.dlr.rows import World

HOUR = timedelta(hours=1)
ALL = GroupPage(1_000)


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
def reports(database: Database, registry: Registry) -> DeliveryReports:
    return DeliveryReports(database.read, names(registry), thresholds_of())


def names(registry: Registry) -> ReportNames:
    return ReportNames(registry)


def asked(account: int, span: tuple[datetime, datetime], *by: str) -> Asked:
    since, until = span
    return Asked(account, since, until, datetime.now(UTC), by)


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
    reports: DeliveryReports,
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
    report = await reports.delivery(
        asked(registry.accounts["shop"], span, "account", "connector"), ALL
    )
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
    reports: DeliveryReports,
    span: tuple[datetime, datetime],
) -> None:
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    report = await reports.delivery(asked(registry.accounts["shop"], span), ALL)
    assert list(report.groups) == []
    assert report.total.counts["delivered"] == 1


async def test_another_account_and_another_time_are_not_counted(
    connection: Connection,
    registry: Registry,
    reports: DeliveryReports,
    span: tuple[datetime, datetime],
) -> None:
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    shop, other = registry.accounts["shop"], registry.accounts["default"]
    since, until = span
    for account, begin, end in ((other, since, until), (shop, since - HOUR, since)):
        report = await reports.delivery(asked(account, (begin, end), "connector"), ALL)
        assert list(report.groups) == []
        assert set(report.total.counts) == set(COUNTS)
        assert not any(report.total.counts.values())
        assert report.total.rates["delivery_rate"].value is None


async def test_numbers_without_a_name_are_told_all_the_same(registry: Registry) -> None:
    assert registry.account_name(999) == "account 999"
    assert registry.connector_name(999) == "connector 999"
    assert registry.connector_name(0) is None
    known = names(registry)
    assert [known.country_name(number) for number in (66, 0)] == ["CN", None]
    assert [known.operator_name(number) for number in (190, 0, 30_000)] == [
        "china mobile", None, "operator 30000",
    ]  # fmt: skip


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
            await DeliveryReports(pool, names(registry), {}).delivery(asked(1, span), ALL)


async def test_f1_more_failure_codes_than_are_told_are_counted_and_said(
    connection: Connection,
    registry: Registry,
    reports: DeliveryReports,
    span: tuple[datetime, datetime],
) -> None:
    shop, world = registry.accounts["shop"], World()
    counted = 0
    for codes, complete in ((FAILURE_CODES_MAX, True), (1, False)):
        counted += codes
        messages = [await world.message(connection, account=shop) for _ in range(codes)]
        await insert_submissions(
            connection,
            [
                world.part(
                    message_id=message_id,
                    account=shop,
                    status=Status.UNDELIVERED,
                    error=f"{complete}{number:03}",
                )
                for number, message_id in enumerate(messages)
            ],
        )
        found = await reports.failures(asked(shop, span))
        assert (len(found.failures), found.complete) == (FAILURE_CODES_MAX, complete)
        assert found.messages == counted


async def many_campaigns(connection: Connection, registry: Registry, count: int) -> None:
    """So many campaigns of one message, without one another message, and one more of the first."""
    world = World()
    first = await world.message(
        connection, account=registry.accounts["shop"], campaign_id="c0000", variant="v"
    )
    for campaign, behind in (("'c' || lpad(n::text, 4, '0')", count), ("NULL", 1)):
        await connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text, campaign_id, variant)"
            " SELECT id + n + $2, account, category, connector, data_coding, parts, sender,"
            f" to_enc, to_idx, text, {campaign}, variant"
            " FROM message, generate_series(0, $3::int - 1) AS n WHERE id = $1",
            first,
            1 if campaign != "NULL" else count + 1,
            behind,
        )


async def pages(
    reports: DeliveryReports,
    account: int,
    span: tuple[datetime, datetime],
    by: list[str],
    limit: int,
) -> AsyncIterator[tuple[list[ReportGroup], int]]:
    """Each page's groups and total."""
    after: tuple[str, ...] | None = ()
    while after is not None:
        report = await reports.delivery(asked(account, span, *by), GroupPage(limit, after))
        assert len(report.groups) <= limit
        after = report.more_after
        yield list(report.groups), report.total.counts["accepted"]


async def test_f1_more_groups_than_a_page_holds_are_all_told_once(
    connection: Connection,
    registry: Registry,
    reports: DeliveryReports,
    span: tuple[datetime, datetime],
) -> None:
    await many_campaigns(connection, registry, 1_006)
    shop = registry.accounts["shop"]
    found = [page async for page in pages(reports, shop, span, ["campaign"], 1_000)]
    assert [len(groups) for groups, _ in found] == [1_000, 7]
    assert {total for _, total in found} == {1_008}
    campaigns = [group.key["campaign"] for groups, _ in found for group in groups]
    assert campaigns == [*(f"c{number:04}" for number in range(1_006)), None]
    assert sum(group.counts["accepted"] for groups, _ in found for group in groups) == 1_008


@pytest.mark.parametrize("by", [["variant", "campaign"], ["campaign", "category", "day"]])
async def test_f1_pages_of_any_size_hold_each_group_once_in_one_order(
    connection: Connection,
    registry: Registry,
    reports: DeliveryReports,
    span: tuple[datetime, datetime],
    by: list[str],
) -> None:
    await many_campaigns(connection, registry, 9)
    shop = registry.accounts["shop"]
    [(whole, _)] = [page async for page in pages(reports, shop, span, by, 100)]
    assert len(whole) == 10
    for limit in (1, 3, 10):
        parts = [page async for page in pages(reports, shop, span, by, limit)]
        assert [group for groups, _ in parts for group in groups] == whole
