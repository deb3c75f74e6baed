"""Reports of clicks, over a real database: by link, hour and more, with what they led to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns import clicks
from campaigns.clicks import (
    CLICK_KEYS,
    COLUMNS,
    ClickQuestion,
    Counted,
    click_rates,
    counted_clicks,
    half_life_hours,
    uv_share,
)
from dlr.counting import SpanTooLarge
from dlr.grouping import Key, grouping_of
from dlr.report import TooManyRows
from dlr.thresholds import Verdict, thresholds_of
from dlr.zones import Edge
from shortlinks.classify import ClickClass
from shortlinks.ranges import insert_range, plan_range
from storage.ids import id_at, time_of
from storage.partitions import ensure_partitions
from tests.campaigns.test_funnel import click, send, world

if TYPE_CHECKING:
    from storage.pool import Connection
    from tests.dlr.rows import World

__all__ = ["world"]  # fixture

DAY = timedelta(days=1)
A, B = "https://a.example/", "https://b.example/"


async def counted(
    connection: Connection, world: World, *by: str, **fields: object
) -> tuple[dict[Key, Counted], Counted]:
    grouping = grouping_of(by, CLICK_KEYS)
    question = ClickQuestion(1, world.now - DAY, world.now + DAY, world.now, grouping, **fields)  # type: ignore[arg-type]
    return await counted_clicks(connection, question)


async def total(connection: Connection, world: World, **fields: object) -> Counted:
    return (await counted(connection, world, **fields))[1]


async def convert(
    connection: Connection,
    world: World,
    message_id: int,
    event: str = "order",
    *,
    click_id: int | None = None,
    slot: int | None = None,
    value: tuple[int, str] | None = None,
) -> None:
    made = world.ids.next()
    micros, currency = value or (None, None)
    await connection.execute(
        "INSERT INTO conversion (id, account, reference, fingerprint, event, occurred_at,"
        " message_id, click_id, slot, value_micros, currency)"
        " VALUES ($1, 1, $2, '', $3, $4, $5, $6, $7, $8, $9)",
        made, str(made), event, world.now, message_id, click_id, slot, micros, currency,
    )  # fmt: skip


async def clicked(
    connection: Connection, message_id: int, world: World, slot: int = 0, **wait: float
) -> int:
    """A click of a person, so long after now."""
    world.wait(**wait)
    made = world.ids.next()
    await connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix) VALUES ($1, 1, $2, $3, $4, '{}', 'GET', '', '')",
        made, slot, message_id, ClickClass.HUMAN,
    )  # fmt: skip
    return made


async def test_each_rate_is_of_what_it_says(connection: Connection, world: World) -> None:
    messages = [await send(connection, world) for _ in range(10)]
    silent = await send(connection, world, status=20)  # type: ignore[arg-type]
    made = [await clicked(connection, each, world) for each in (*messages[:4], silent)]
    await clicked(connection, messages[0], world)
    for click_class in (ClickClass.PREVIEW, ClickClass.SCANNER):
        await click(connection, world, messages[5], click_class)
    for place in (0, 0, 1):  # a visit told twice is one
        await convert(connection, world, messages[place], "visit", click_id=made[place])
    await convert(connection, world, messages[0], click_id=made[0])
    await convert(connection, world, messages[2], click_id=made[2])
    await convert(connection, world, messages[9])  # nobody clicked there
    counts = (await total(connection, world)).counts
    rates = {name: (each.numerator, each.denominator) for name, each in click_rates(counts).items()}
    assert rates == {
        "ctr_delivered": (5, 10),
        "uctr_delivered": (4, 10),
        "landing_rate": (2, 6),
        "cvr_click": (2, 5),
        "cvr_delivered": (2, 10),
        "cvr_visit": (1, 2),
    }
    assert (counts["clicks"], counts["human_clicks"], counts["uv"]) == (8, 6, 5)
    assert (counts["conversions"], counts["conversions_without_click"]) == (2, 1)


async def test_by_link_a_message_counts_under_each_of_its_links_with_its_own_clicks(
    connection: Connection, world: World
) -> None:
    both = await send(connection, world)
    only = await send(connection, world)
    await send(connection, world)  # without a link
    rows = [(both, [A, B, "optout:"]), (only, [B])]
    await insert_range(connection, plan_range(8, rows, world.now + DAY))
    await clicked(connection, both, world)
    by_b = await clicked(connection, both, world, 1)
    await clicked(connection, only, world)
    await convert(connection, world, both, click_id=by_b, slot=1, value=(5_000_000, "CNY"))
    groups, whole = await counted(connection, world, "link")
    assert {
        key: (each.counts["messages"], each.counts["uv"], each.revenue)
        for key, each in groups.items()
    } == {(A,): (1, 1, {}), (B,): (2, 2, {"CNY": 5_000_000})}
    assert (whole.counts["messages"], whole.counts["uv"]) == (3, 2)
    assert whole.revenue == {"CNY": 5_000_000}
    by_message, _ = await counted(connection, world, "message", "link")
    assert by_message[both, B].counts["conversions"] == 1
    assert by_message[both, A].counts["conversions"] == 0


async def test_by_campaign_variant_batch_and_hour(connection: Connection, world: World) -> None:
    first = await send(connection, world, campaign="a")
    await clicked(connection, first, world)
    world.wait(hours=1)
    second = await send(connection, world, campaign="b")
    quarter = int(time_of(first).timestamp()) // 900
    units = [Edge("one", quarter - quarter % 4), Edge("two", quarter - quarter % 4 + 4)]
    groups, whole = await counted(connection, world, "campaign", "hour", units=units)
    assert {key: each.counts["uv"] for key, each in groups.items()} == {("a", 0): 1, ("b", 1): 0}
    groups, _ = await counted(connection, world, "category", "variant", "batch", "message")
    assert set(groups) == {(3, None, None, first), (3, None, None, second)}
    assert whole.counts["messages"] == 2


async def test_revenue_is_told_by_currency_and_only_of_what_a_click_counts_for(
    connection: Connection, world: World
) -> None:
    message = await send(connection, world)
    made = await clicked(connection, message, world)
    for micros, currency, click_id in (
        (129_900_000, "CNY", made),
        (100_000, "CNY", made),
        (5_000_000, "EUR", made),
        (7_000_000, "CNY", None),
    ):
        await convert(connection, world, message, click_id=click_id, value=(micros, currency))
    await convert(connection, world, message, "visit", click_id=made, value=(1, "CNY"))
    assert (await total(connection, world)).revenue == {"CNY": 130_000_000, "EUR": 5_000_000}


async def test_revenue_of_large_values_has_no_end(connection: Connection, world: World) -> None:
    message = await send(connection, world)
    made = await clicked(connection, message, world)
    most = (10**12 - 1) * 10**6
    for _ in range(10):
        await convert(connection, world, message, click_id=made, value=(most, "IDR"))
    assert (await total(connection, world)).revenue == {"IDR": 10 * most}


async def test_a_click_that_is_no_persons_any_more_counts_for_nothing(
    connection: Connection, world: World
) -> None:
    message = await send(connection, world)
    made = await clicked(connection, message, world)
    await convert(connection, world, message, click_id=made, value=(1, "CNY"))
    await connection.execute("UPDATE click SET class = $1", ClickClass.SCANNER)
    found = await total(connection, world, steps=("order",))
    assert (found.counts["conversions"], found.counts["conversions_without_click"]) == (0, 1)
    assert (found.revenue, found.people, found.first_click) == ({}, [0], None)


async def test_the_first_click_is_timed_from_the_receipt_and_half_come_in_so_many_hours(
    connection: Connection, world: World
) -> None:
    day = world.now
    await ensure_partitions(connection, day.date(), 5)  # 100 hours
    messages = [await send(connection, world) for _ in range(4)]
    await connection.execute("UPDATE submission SET receipt_at = $1", world.now)
    for message_id, seconds in zip(messages, (10, 20, 70, 80), strict=True):
        world.now = day
        await clicked(connection, message_id, world, seconds=seconds)
    for hours in (2.5, 3.5, 100):  # later ones of the same person are no first ones
        world.now = day
        await clicked(connection, messages[0], world, hours=hours)
    world.now = day
    found = await total(connection, world)
    assert found.first_click is not None
    assert found.first_click.messages == 4
    assert found.first_click.p50 == pytest.approx(20, abs=1)
    assert found.first_click.p99 == pytest.approx(80, abs=1)
    assert found.hours == [4, 0, 1, 1]  # what comes after 72 hours is no part of the decay
    assert half_life_hours(found.hours) == 1
    assert found.counts["human_clicks"] == 7
    within = await total(connection, world, within=timedelta(hours=3))
    assert (within.counts["human_clicks"], within.hours) == (5, [4, 0, 1])


async def test_a_click_by_a_clock_behind_that_of_its_message_is_of_the_first_hour(
    connection: Connection, world: World
) -> None:
    message = await send(connection, world)
    await clicked(connection, message, world)
    await connection.execute("UPDATE click SET id = id - (7200000::bigint << 22)")
    assert (await total(connection, world)).hours == [1]


async def test_steps_are_counted_by_person_in_order_over_several_messages(
    connection: Connection, world: World
) -> None:
    async def person(recipient: int, *events: str, clicks: bool = True) -> None:
        for event in events:  # each by a message of its own
            message = await send(connection, world, recipient=recipient)
            made = await clicked(connection, message, world) if clicks else None
            world.wait(milliseconds=1)
            await convert(connection, world, message, event, click_id=made)

    await person(70, "login", "cart", "order", "order")
    await person(71, "login", "order", "cart")
    await person(72, "cart")
    await person(73, "login", clicks=False)
    steps = ("login", "cart", "order", "order")
    groups, whole = await counted(connection, world, "campaign", steps=steps)
    assert whole.people == [2, 2, 1, 1]
    assert groups["summer",].people == [2, 2, 1, 1]
    assert whole.counts["uv"] == 3


async def test_nothing_is_counted_of_another_account_and_of_the_sandbox(
    connection: Connection, world: World
) -> None:
    for account, connector in ((2, 7), (1, -1)):
        message = await world.message(connection, account=account, connector=connector)
        await clicked(connection, message, world)
    groups, whole = await counted(connection, world)
    assert (groups, set(whole.counts.values())) == ({}, {0})


async def test_too_many_groups_and_messages_are_refused(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await send(connection, world)
    monkeypatch.setattr(clicks, "GROUPS_MAX", 2)
    with pytest.raises(TooManyRows):
        await counted(connection, world, "message")
    monkeypatch.setattr(clicks, "SCAN_MESSAGES_MAX", 2)
    with pytest.raises(SpanTooLarge) as refused:
        await counted(connection, world)
    assert [each.partition("=")[0] for each in refused.value.instead] == ["since"]


async def test_ranges_are_found_by_the_messages_they_hold(
    connection: Connection, world: World
) -> None:
    """By link a report reads the ranges of its span, and not all that there are."""
    for place in range(300):
        old = id_at(world.now - 100 * DAY) + place
        await insert_range(connection, plan_range(8 * place, [(old, [A])], world.now + DAY))
    await connection.execute("ANALYZE link_range")
    plan = await connection.fetch(
        "EXPLAIN SELECT FROM message_places($1, $2, 1::smallint, false, false, false, false, false,"
        " true, false, '{}', 0, 0)",
        id_at(world.now), id_at(world.now + DAY),
    )  # fmt: skip
    assert "link_range_message" in "\n".join(row[0] for row in plan)
    assert len(COLUMNS) == 7


def test_verdicts_stand_where_an_operator_set_a_floor() -> None:
    counts = dict.fromkeys(clicks.COUNTS, 0) | {
        "delivered": 1000, "clicked_recipients_delivered": 10, "uv": 10
    }  # fmt: skip
    rates = click_rates(counts, thresholds_of(uctr_delivered_min=0.05, cvr_click_min=0.1))
    assert rates["uctr_delivered"].verdict is Verdict.BELOW
    assert rates["cvr_click"].verdict is Verdict.TOO_FEW


def test_a_share_of_a_site_that_counts_fewer_has_no_bounds() -> None:
    assert uv_share(10, 1000).low is not None
    assert (uv_share(10, 5).value, uv_share(10, 5).low) == (2, None)


@pytest.mark.parametrize(
    ("hours", "half"), [([], None), ([4], 1), ([1, 1], 1), ([1, 2], 2), ([0, 0, 3], 3)]
)
def test_half_of_the_clicks_come_within_the_half_life(hours: list[int], half: int | None) -> None:
    assert half_life_hours(hours) == half
