"""The funnel as the API gives it: names for numbers, pages, and when clicks were lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.funnel import CLICK_COUNTS
from campaigns.funnel_desk import FunnelReports
from dlr.report_desk import GroupPage
from dlr.status import Status
from dlr.thresholds import thresholds_of
from storage.names import Registry
from storage.pool import Connection, Database
from tests.dlr.rows import World
from tests.dlr.test_report_desk import (
    ALL,
    HOUR,
    asked,
    database,
    many_campaigns,
    names,
    registry,
    span,
    submitted,
)

__all__ = ["database", "registry", "span"]  # fixtures


@pytest.fixture
def reports(database: Database, registry: Registry) -> FunnelReports:
    return FunnelReports(database.read, names(registry), thresholds_of())


async def test_the_funnel_of_nothing_has_the_same_figures_as_any_other(
    connection: Connection,
    registry: Registry,
    reports: FunnelReports,
    span: tuple[datetime, datetime],
) -> None:
    nothing = await reports.funnel(asked(registry.accounts["shop"], span), ALL)
    await submitted(connection, World(), registry, "carrier-a", Status.DELIVERED)
    something = await reports.funnel(asked(registry.accounts["shop"], span), ALL)
    assert set(nothing.total.counts) == set(something.total.counts)
    assert set(nothing.total.rates) == set(something.total.rates)
    assert set(CLICK_COUNTS) <= set(nothing.total.counts)


async def test_the_funnel_names_its_groups(
    connection: Connection,
    registry: Registry,
    reports: FunnelReports,
    span: tuple[datetime, datetime],
) -> None:
    shop = registry.accounts["shop"]
    world = World()
    for variant in ("a", "b", "b"):
        await world.message(connection, account=shop, campaign_id="spring", variant=variant)
    report = await reports.funnel(asked(shop, span, "account", "campaign", "variant"), ALL)
    assert [(group.key, group.counts["accepted"]) for group in report.groups] == [
        ({"account": "shop", "campaign": "spring", "variant": "a"}, 1),
        ({"account": "shop", "campaign": "spring", "variant": "b"}, 2),
    ]


async def test_f1_the_funnel_pages_alike(
    connection: Connection,
    registry: Registry,
    reports: FunnelReports,
    span: tuple[datetime, datetime],
) -> None:
    await many_campaigns(connection, registry, 3)
    shop = registry.accounts["shop"]
    first = await reports.funnel(asked(shop, span, "campaign"), GroupPage(3))
    assert first.more_after is not None
    second = await reports.funnel(asked(shop, span, "campaign"), GroupPage(3, first.more_after))
    campaigns = [group.key["campaign"] for group in (*first.groups, *second.groups)]
    assert (campaigns, second.more_after) == (["c0000", "c0001", "c0002", None], None)
    assert first.total == second.total


async def test_o10_a_funnel_says_when_clicks_were_not_kept(
    connection: Connection,
    registry: Registry,
    reports: FunnelReports,
    span: tuple[datetime, datetime],
) -> None:
    shop = registry.accounts["shop"]
    for hours, lost in ((-3, 7), (0, 2)):
        await connection.execute(
            "INSERT INTO click_gap (id, since, until, lost) VALUES ($1, $2, $2, $3)",
            lost, datetime.now(UTC) + hours * HOUR, lost,
        )  # fmt: skip
    report = await reports.funnel(
        asked(
            shop,
            span,
        ),
        ALL,
    )
    assert [gap.clicks_lost for gap in report.click_gaps] == [2]
