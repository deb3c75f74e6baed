"""Reports of clicks as the API gives them: names, pages, money and steps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from campaigns.click_desk import ClickReports, ClickWish
from dlr.report_desk import GroupPage
from dlr.thresholds import thresholds_of
from storage.ids import format_id
from storage.names import Registry
from storage.pool import Connection, Database
from tests.campaigns.test_clicks import clicked, convert
from tests.dlr.rows import World
from tests.dlr.test_report_desk import ALL, asked, database, names, registry, span

__all__ = ["database", "registry", "span"]  # fixtures

WISH = ClickWish(timedelta(days=400), 100, ("login", "order"))


@pytest.fixture
def reports(database: Database, registry: Registry) -> ClickReports:
    return ClickReports(database.read, names(registry), thresholds_of())


async def test_groups_have_names_pages_money_and_steps(
    connection: Connection,
    registry: Registry,
    reports: ClickReports,
    span: tuple[datetime, datetime],
) -> None:
    shop, world = registry.accounts["shop"], World()
    messages = [
        await world.message(connection, account=shop, campaign_id=name) for name in ("june", "may")
    ]
    made = [await clicked(connection, each, world) for each in messages]
    await convert(connection, world, messages[0], "login", click_id=made[0])
    await convert(connection, world, messages[0], click_id=made[0], value=(129_900_000, "CNY"))
    question = asked(shop, span, "campaign", "message")
    first = await reports.clicks(question, WISH, GroupPage(1))
    assert first.more_after is not None
    second = await reports.clicks(question, WISH, GroupPage(1, first.more_after))
    assert [each.key for each in (*first.groups, *second.groups)] == [
        {"campaign": name, "message": format_id("msg", message)}
        for name, message in zip(("june", "may"), messages, strict=True)
    ]
    assert second.more_after is None
    [june] = first.groups
    assert june.revenue == {"CNY": "129.9"}
    assert [(each.event, each.people, each.of_previous.value) for each in june.steps] == [
        ("login", 1, 1.0), ("order", 1, 1.0)
    ]  # fmt: skip
    total = first.total
    assert (total.rates["uv_share"].numerator, total.rates["uv_share"].denominator) == (2, 100)
    assert [each.of_clicked.value for each in total.steps] == [0.5, 0.5]
    assert total.half_life_hours == 1


async def test_of_nothing_the_report_has_the_same_figures(
    registry: Registry, reports: ClickReports, span: tuple[datetime, datetime]
) -> None:
    report = await reports.clicks(asked(registry.accounts["shop"], span, "hour"), WISH, ALL)
    assert list(report.groups) == []
    assert set(report.total.counts.values()) == {0}
    assert [each.people for each in report.total.steps] == [0, 0]
    assert all(
        rate.value is None for name, rate in report.total.rates.items() if name != "uv_share"
    )
