"""The funnel: who got it, who clicked, and of what each rate is a rate."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns.funnel import _SQL, funnel, funnel_rates
from dlr.counting import Question, Told
from dlr.grouping import grouping_of
from dlr.ledger import insert_submissions
from dlr.rates import Rate
from dlr.rollups.columns import day_of, quarter_of_id
from dlr.status import Status
from shortlinks.classify import ClickClass
from shortlinks.conversions import LANDING_EVENT
from storage.categories import Category
from storage.ids import id_at
from storage.partitions import ensure_partitions
from tests.dlr.rows import World
from tests.plans import scans

if TYPE_CHECKING:
    from storage.pool import Connection


@pytest.fixture
def world() -> World:
    return World()


async def send(
    connection: Connection,
    world: World,
    *,
    status: Status = Status.DELIVERED,
    campaign: str | None = "summer",
    recipient: int | None = None,
    category: int = 3,
    parts: int = 1,
    parts_delivered: int | None = None,
) -> int:
    message_id = await world.message(
        connection, campaign_id=campaign, recipient=recipient, category=category, parts=parts
    )
    await insert_submissions(
        connection,
        [
            world.part(
                message_id=message_id,
                part=part,
                parts=parts,
                status=status if part <= (parts_delivered or parts) else Status.SENT,
                category=category,
            )
            for part in range(1, parts + 1)
        ],
    )
    return message_id


async def click(
    connection: Connection,
    world: World,
    message_id: int,
    click_class: ClickClass = ClickClass.HUMAN,
) -> None:
    await connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix) VALUES ($1, 1, 0, $2, $3, '{}', 'GET', '', '')",
        world.ids.next(),
        message_id,
        click_class,
    )


async def counted(
    connection: Connection, world: World, *by: str, days: int = 1, account: int = 1
) -> Told:
    reach = timedelta(days=days)
    since, until = world.now - reach, world.now + reach
    question = Question(account, since, until, world.now, grouping_of(by))
    return await funnel(connection, question)


async def summer(connection: Connection, world: World) -> tuple[dict[str, int], dict[str, Rate]]:
    """The counts and rates of the only campaign there is."""
    groups = (await counted(connection, world, "campaign")).groups
    assert set(groups) == {("summer",)}
    counts = groups["summer",]
    return counts, funnel_rates(counts)


async def test_people_count_in_rates_and_machines_are_shown(
    connection: Connection, world: World
) -> None:
    messages = [await send(connection, world) for _ in range(10)]
    for _ in range(3):
        await click(connection, world, messages[0])
    await click(connection, world, messages[1])
    for click_class in (ClickClass.PREVIEW, ClickClass.PREFETCH, ClickClass.SCANNER):
        await click(connection, world, messages[2], click_class)
    counts, rates = await summer(connection, world)
    assert counts["clicks"] == 7
    assert counts["human_clicks"] == 4
    assert counts["clicked_recipients"] == 2
    ctr, uctr = rates["ctr_delivered"], rates["uctr_delivered"]
    assert (ctr.numerator, ctr.denominator, ctr.low) == (4, 10, None)
    assert (uctr.numerator, uctr.denominator) == (2, 10)
    assert uctr.low is not None
    assert uctr.high is not None
    assert uctr.low < 0.2 < uctr.high
    assert rates["delivery_rate"].value == 1


async def test_a_rate_per_delivered_message_counts_only_clicks_on_delivered_messages(
    connection: Connection, world: World
) -> None:
    delivered = await send(connection, world, parts=2)
    half = await send(connection, world, parts=2, parts_delivered=1)
    silent = await send(connection, world, status=Status.SENT)
    for message_id in (delivered, half, silent):
        await click(connection, world, message_id)
    counts, rates = await summer(connection, world)
    assert counts["clicked_recipients"] == 3
    uctr = rates["uctr_delivered"]
    assert (uctr.numerator, uctr.denominator, uctr.value) == (1, 1, 1)


async def convert(
    connection: Connection, world: World, message_id: int, *, by_click: bool = True
) -> None:
    made = world.ids.next()
    await connection.execute(
        "INSERT INTO conversion (id, account, reference, fingerprint, event, occurred_at,"
        " message_id, click_id) VALUES ($1, 1, $2, '', 'order', now(), $3, $4)",
        made, str(made), message_id, made if by_click else None,
    )  # fmt: skip


async def test_who_converted_is_of_those_who_clicked_and_the_rest_is_counted_apart(
    connection: Connection, world: World
) -> None:
    messages = [await send(connection, world) for _ in range(10)]
    silent = await send(connection, world, status=Status.SENT)
    for message_id in (*messages[:4], silent):
        await click(connection, world, message_id)
    for message_id in (messages[0], messages[0], messages[1], silent):
        await convert(connection, world, message_id)
    await convert(connection, world, messages[9], by_click=False)  # nobody clicked there
    await convert(connection, world, messages[2], by_click=False)  # nor in time here
    await convert(connection, world, messages[8])  # its click is deleted already
    counts, rates = await summer(connection, world)
    assert counts["conversions"] == 5
    assert counts["conversions_without_click"] == 2
    click_rate, delivered = rates["cvr_click"], rates["cvr_delivered"]
    assert (click_rate.numerator, click_rate.denominator) == (3, 5)
    assert (delivered.numerator, delivered.denominator) == (2, 10)
    assert click_rate.low is not None and delivered.high is not None
    assert counts["human_clicks"] == 5


async def test_a_recipient_of_two_messages_is_one_recipient(
    connection: Connection, world: World
) -> None:
    for _ in range(2):
        await click(connection, world, await send(connection, world, recipient=99))
    counts, _ = await summer(connection, world)
    assert counts["human_clicks"] == 2
    assert counts["clicked_recipients"] == 1


async def test_many_clicks_on_few_messages_are_more_than_one_each(
    connection: Connection, world: World
) -> None:
    message_id = await send(connection, world)
    for _ in range(5):
        await click(connection, world, message_id)
    _, rates = await summer(connection, world)
    assert rates["ctr_delivered"].value == 5


async def test_groups_with_and_without_clicks(connection: Connection, world: World) -> None:
    clicked = await send(connection, world, campaign="a", category=3)
    await send(connection, world, campaign="b", category=2)
    await send(connection, world, campaign=None, category=2)
    await click(connection, world, clicked)
    found = await counted(connection, world, "campaign", "category")
    assert {key: counts["human_clicks"] for key, counts in found.groups.items()} == {
        ("a", Category.MARKETING): 1,
        ("b", Category.SERVICE): 0,
        (None, Category.SERVICE): 0,
    }
    assert (found.total["accepted"], found.total["clicks"]) == (3, 1)
    assert (await counted(connection, world, account=2)).groups == {}


async def test_what_rollups_do_not_know_as_delivered_yet_makes_no_rate_above_1(
    connection: Connection, world: World
) -> None:
    message_id = await send(connection, world, status=Status.SENT)
    await click(connection, world, message_id)
    quarter = quarter_of_id(message_id)
    key = await connection.fetchval(
        "INSERT INTO rollup_key (account, category, connector, sender, country, operator, campaign,"
        " variant) VALUES (1, 3, 7, 0, 0, 0, 0, 0) RETURNING id"
    )
    for table, value in (("rollup_cell", quarter), ("rollup_day", day_of(quarter))):
        await connection.execute(
            f"INSERT INTO {table} VALUES ($1, $2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
            value, key,
        )  # fmt: skip
    await connection.execute(
        "INSERT INTO rollup_state (cursor) VALUES ($1)"
        " ON CONFLICT (singleton) DO UPDATE SET cursor = excluded.cursor",
        message_id + 1,
    )
    await connection.execute("UPDATE submission SET status = 60 WHERE message_id = $1", message_id)
    total = (await counted(connection, world)).total
    assert (total["delivered"], total["clicked_recipients"]) == (0, 1)
    assert funnel_rates(total)["uctr_delivered"].value is None


async def test_nothing_delivered_has_no_click_rate(connection: Connection, world: World) -> None:
    await click(connection, world, await send(connection, world, status=Status.SENT))
    _, rates = await summer(connection, world)
    assert rates["ctr_delivered"].value is None
    assert rates["uctr_delivered"].value is None


@pytest.mark.parametrize("prepare", ["SELECT", "ANALYZE message, submission, click"])
async def test_o12_submissions_are_read_once_whatever_days_and_clicks_there_are(
    connection: Connection, prepare: str
) -> None:
    world = World()
    today = world.now
    for back in range(5):
        world.now = today - timedelta(days=back)
        await ensure_partitions(connection, world.now.date(), 0)
        for _ in range(10):
            await click(connection, world, await send(connection, world))
    world.now = today
    async with connection.transaction():
        await connection.execute(prepare)
        await connection.execute("SET LOCAL enable_nestloop = off")  # as every report is read
        [explained] = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {_SQL['click_counts']}",
            id_at(today - timedelta(days=6)), id_at(today) + (1 << 40), ClickClass.HUMAN, 1,
            False, False, True, False,
        )  # fmt: skip
    read = [
        each for each in scans(explained["Plan"]) if each["Relation Name"].startswith("submission")
    ]
    assert len({each["Relation Name"] for each in read}) == len(read) >= 5
    assert {each["Actual Loops"] for each in read} == {1}
    counts = (await counted(connection, world, days=6)).total
    assert (counts["delivered"], counts["human_clicks_delivered"]) == (50, 50)


async def test_a_visit_of_a_landing_page_is_no_conversion(
    connection: Connection, world: World
) -> None:
    message = await send(connection, world)
    await click(connection, world, message)
    await convert(connection, world, message)
    await connection.execute("UPDATE conversion SET event = $1", LANDING_EVENT)
    counts, rates = await summer(connection, world)
    assert (counts["conversions"], rates["cvr_click"].numerator) == (0, 0)
