"""Reports from rollups: each message once, zones to the quarter, and bounds that are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dlr import counting
from dlr.counting import Question, SpanTooLarge, Told, failures_told, latency_told, reach_of, told
from dlr.grouping import OTHERS, grouping_of
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.report import COUNTS, TooManyRows
from dlr.rollups.columns import ANSWER, OTHER, day_of, quarter_of
from dlr.rollups.latency import bucket_of, percentile
from dlr.status import Status
from dlr.zones import zone_named
from storage.ids import id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection
from tests.dlr.rolled_rows import Rolled
from tests.dlr.rows import CONNECTOR, World

DAY = timedelta(days=1)
START = datetime(2026, 10, 20, tzinfo=UTC)
END = START + timedelta(days=10)


@pytest.fixture
def rolled(connection: Connection) -> Rolled:
    return Rolled(connection)


async def asked(
    connection: Connection,
    *by: str,
    since: datetime = START,
    until: datetime = END,
    now: datetime = END,
    zone: str = "UTC",
) -> Told:
    question = Question(1, since, until, now, grouping_of(by), zone_named(zone))
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await told(connection, question)


async def world_of_october(connection: Connection) -> World:
    await ensure_partitions(connection, START.date())
    return World()


def labelled(found: Told, name: str = "accepted") -> dict[object, int]:
    """Counts by the label of the unit of time, where that is the only key."""
    return {found.units[int(key[0] or 0)].label: each[name] for key, each in found.groups.items()}


async def an_hour_each(rolled: Rolled, count: int = 240) -> None:
    """One message in each hour from START on, rolled up."""
    key = await rolled.key()
    for hour in range(count):
        quarter = quarter_of(START + timedelta(hours=hour))
        await rolled.cell(quarter, key, accepted=1, sent=1, delivered=1)
    await rolled.reach(id_at(END))


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("UTC", {"2026-10-24": 24, "2026-10-25": 24, "2026-10-26": 24}),
        # The clock goes back in the night to the 25th.
        ("Europe/Berlin", {"2026-10-24": 24, "2026-10-25": 25, "2026-10-26": 24}),
        ("Asia/Kolkata", {"2026-10-24": 24, "2026-10-25": 24, "2026-10-26": 24}),
    ],
)
async def test_g10_g11_g12_days_of_a_zone_hold_their_hours_and_no_others(
    connection: Connection, rolled: Rolled, zone: str, hours: dict[str, int]
) -> None:
    await an_hour_each(rolled)
    found = await asked(connection, "day", zone=zone)
    days = labelled(found)
    assert {day: days[day] for day in hours} == hours
    assert sum(days.values()) == found.total["accepted"] == 240


async def test_g10_a_message_of_a_quarter_to_midnight_in_kolkata_is_of_that_day(
    connection: Connection, rolled: Rolled
) -> None:
    key = await rolled.key()
    for minute, count in ((15, 2), (30, 5)):
        moment = datetime(2026, 10, 21, 18, minute, tzinfo=UTC)
        await rolled.cell(quarter_of(moment), key, accepted=count)
    await rolled.reach(id_at(END))
    found = labelled(await asked(connection, "day", zone="Asia/Kolkata"))
    assert found == {"2026-10-21": 2, "2026-10-22": 5}


async def test_g13_the_hour_that_comes_twice_is_two(connection: Connection, rolled: Rolled) -> None:
    await an_hour_each(rolled)
    found = labelled(await asked(connection, "hour", zone="Europe/Berlin"))
    assert found["2026-10-25T02:00:00+02:00"] == found["2026-10-25T02:00:00+01:00"] == 1
    assert len(found) == 240


async def test_g14_a_day_without_midnight_is_whole(connection: Connection, rolled: Rolled) -> None:
    """Cairo's clock goes from 23:59 to 01:00 on 24 April 2026."""
    key = await rolled.key()
    start = datetime(2026, 4, 22, tzinfo=UTC)
    for hour in range(96):
        await rolled.cell(quarter_of(start + timedelta(hours=hour)), key, accepted=1)
    await rolled.reach(id_at(END))
    found = labelled(
        await asked(connection, "day", since=start, until=start + 4 * DAY, zone="Africa/Cairo")
    )
    assert (found["2026-04-23"], found["2026-04-24"], found["2026-04-25"]) == (24, 23, 24)


async def test_g15_a_percentile_is_of_all_times_and_no_mean_of_percentiles(
    connection: Connection, rolled: Rolled
) -> None:
    first, second = quarter_of(START), quarter_of(START + 3 * DAY)
    a = {bucket_of(ms): count for ms, count in ((100, 50), (200, 40), (1000, 9), (5000, 1))}
    await rolled.latency(first, ANSWER, a)
    await rolled.latency(second, ANSWER, {bucket_of(3000): 100})
    await rolled.reach(id_at(END))
    reach = await reach_of(connection, START, END, END)
    found = await latency_told(connection, 1, reach)
    assert percentile(found[ANSWER, 1], "0.5") == pytest.approx(3060.58, abs=0.01)
    reach = await reach_of(connection, START, START + DAY, END)
    found = await latency_told(connection, 1, reach)
    assert percentile(found[ANSWER, 1], "0.5") == pytest.approx(102.07, abs=0.01)
    assert percentile(found[ANSWER, 1], "0.95") == pytest.approx(1018.55, abs=0.01)


async def test_every_pair_of_keys_adds_up_to_the_same_total(
    connection: Connection, rolled: Rolled
) -> None:
    for number, (country, sender) in enumerate([(1, "A"), (1, "B"), (2, "A"), (2, None)]):
        key = await rolled.key(
            country=country, operator=country * 10, sender=sender, category=number % 2,
            campaign="summer" if number else OTHER, variant="x", connector=7 + number,
        )  # fmt: skip
        for day in range(10):
            await rolled.cell(
                quarter_of(START + day * DAY + timedelta(hours=number)), key,
                accepted=4, sent=3, delivered=2, undelivered=1, late=1,
            )  # fmt: skip
    other = await rolled.key(account=2)
    await rolled.cell(quarter_of(START), other, accepted=99)
    await rolled.reach(id_at(END))
    keys = ["account", "category", "connector", "sender", "country", "operator", "campaign",
            "variant", "day", "hour"]  # fmt: skip
    wanted = dict.fromkeys(COUNTS, 0) | {
        "accepted": 160, "sent": 120, "delivered": 80, "undelivered": 40, "pending": 40, "late": 40,
    }  # fmt: skip
    for first in keys:
        for second in keys[keys.index(first) + 1 :]:
            if {first, second} != {"day", "hour"}:
                found = await asked(connection, first, second)
                assert found.total == wanted
    found = await asked(connection, "sender", "country")
    assert {key: counts["accepted"] for key, counts in found.groups.items()} == {
        ("A", 1): 40, ("B", 1): 40, ("A", 2): 40, (None, 2): 40,
    }  # fmt: skip
    assert set((await asked(connection, "campaign")).groups) == {(OTHERS,), ("summer",)}


async def test_a_reason_s_messages_and_those_without_are_all_together(
    connection: Connection, rolled: Rolled
) -> None:
    quarter = quarter_of(START + 2 * DAY)
    for connector in (7, 8):
        key = await rolled.key(connector=connector)
        await rolled.cell(
            quarter, key, accepted=10, sent=9, delivered=5, undelivered=3, expired=1, late=2
        )
        await rolled.reason(quarter, key, Status.UNDELIVERED, Reason.NUMBER_UNKNOWN, 2, "MK:0001")
        await rolled.reason(quarter, key, Status.UNDELIVERED, Reason.HANDSET_FULL, 1, None)
        await rolled.reason(quarter, key, Status.EXPIRED, Reason.EXPIRED, 1, "000")
    await rolled.reach(id_at(END))
    found = await asked(connection, "connector", "reason")
    assert {
        key: {name: count for name, count in counts.items() if count}
        for key, counts in found.groups.items()
        if key[0] == 8
    } == {
        (8, Reason.NONE): {"accepted": 6, "sent": 5, "delivered": 5, "pending": 1},
        (8, Reason.NUMBER_UNKNOWN): {"accepted": 2, "sent": 2, "undelivered": 2},
        (8, Reason.HANDSET_FULL): {"accepted": 1, "sent": 1, "undelivered": 1},
        (8, Reason.EXPIRED): {"accepted": 1, "sent": 1, "expired": 1},
    }
    # Which reason the late ones have is not kept. How many there are is.
    assert found.total == (await asked(connection)).total
    assert (found.total["accepted"], found.total["undelivered"], found.total["late"]) == (20, 6, 4)
    words = await failures_told(connection, 1, await reach_of(connection, START, END, END))
    assert words[7, Status.UNDELIVERED, Reason.NUMBER_UNKNOWN, "MK:0001"] == 2
    assert words[8, Status.UNDELIVERED, Reason.HANDSET_FULL, None] == 1
    assert words.total() == 8


async def test_tags_are_kept_by_account_category_and_time_and_read_beside_anything_else(
    connection: Connection, rolled: Rolled
) -> None:
    quarter = quarter_of(START)
    await rolled.tag(quarter, "new", accepted=3, sent=3, delivered=2)
    await rolled.tag(quarter, "vip", accepted=1)
    await rolled.cell(quarter, await rolled.key(), accepted=3, sent=3, delivered=2)
    await rolled.reach(id_at(END))
    found = await asked(connection, "tag", "category", "day")
    assert {key[0]: counts["accepted"] for key, counts in found.groups.items()} == {
        "new": 3, "vip": 1,
    }  # fmt: skip
    assert (found.total["accepted"], found.basis) == (3, "rollup")
    assert (await asked(connection, "tag", "connector")).basis == "scan"
    assert (await asked(connection, "batch")).basis == "scan"


async def test_what_is_beyond_the_cursor_and_at_ragged_edges_is_counted_from_messages(
    connection: Connection, rolled: Rolled
) -> None:
    world = await world_of_october(connection)
    world.now = START.replace(hour=10, minute=7)
    await world.message(connection)  # of a quarter that is asked for in part
    now = START.replace(hour=20)
    world.now = now - timedelta(minutes=1)
    fresh = await world.message(connection)
    await insert_submissions(connection, [world.part(message_id=fresh, status=Status.DELIVERED)])
    key = await rolled.key()
    await rolled.cell(quarter_of(START.replace(hour=10)), key, accepted=1)
    await rolled.cell(quarter_of(START.replace(hour=12)), key, accepted=5)
    await rolled.reach(id_at(now - timedelta(minutes=2)))
    for minute, accepted in ((6, 7), (8, 6)):
        since = START.replace(hour=10, minute=minute)
        found = await asked(connection, "connector", since=since, until=now, now=now)
        assert found.total["accepted"] == accepted
        assert found.total["delivered"] == 1
        assert set(found.groups) == {(CONNECTOR,)}
        assert (found.since, found.as_of, found.provisional) == (since, now, True)


async def test_a_backlog_beyond_the_bound_is_left_out_and_said(
    connection: Connection, rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LIVE_MESSAGES_MAX", 2)
    world = await world_of_october(connection)
    now = START.replace(hour=20)
    world.now = now - timedelta(minutes=1)
    for _ in range(3):
        await world.message(connection)
    merged = now - timedelta(minutes=2)
    await rolled.cell(quarter_of(START.replace(hour=12)), await rolled.key(), accepted=5)
    await rolled.reach(id_at(merged))
    found = await asked(connection, until=now, now=now)
    assert (found.total["accepted"], found.as_of) == (5, merged)
    monkeypatch.setattr(counting, "LIVE_MESSAGES_MAX", 3)
    found = await asked(connection, until=now, now=now)
    assert (found.total["accepted"], found.as_of) == (8, now)


async def test_edges_that_hold_too_many_are_widened_to_quarters_and_said(
    connection: Connection, rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LIVE_MESSAGES_MAX", 1)
    world = await world_of_october(connection)
    world.now = START + timedelta(minutes=8)
    for _ in range(2):
        await world.message(connection)
    await rolled.cell(quarter_of(START), await rolled.key(), accepted=2)
    await rolled.reach(id_at(END))
    since, until = START + timedelta(minutes=5), START + timedelta(minutes=40)
    found = await asked(connection, since=since, until=until)
    assert (found.since, found.until) == (START, START + timedelta(minutes=45))
    assert found.total["accepted"] == 2


async def test_edges_whose_messages_are_gone_are_widened_too(
    connection: Connection, rolled: Rolled
) -> None:
    await rolled.cell(quarter_of(START), await rolled.key(), accepted=2)
    await rolled.reach(id_at(END))
    found = await asked(connection, since=START + timedelta(minutes=5), until=START + DAY)
    assert (found.since, found.total["accepted"]) == (START, 2)


async def test_a_report_is_provisional_until_all_its_days_are_final(
    connection: Connection, rolled: Rolled
) -> None:
    await rolled.reach(id_at(END))
    await rolled.final(day_of(quarter_of(START)))
    assert not (await asked(connection, until=START + DAY)).provisional
    assert (await asked(connection, until=START + DAY + timedelta(minutes=15))).provisional
    await rolled.final(day_of(quarter_of(START)) + 1)
    assert not (await asked(connection, until=START + 2 * DAY)).provisional


async def test_more_messages_than_may_be_read_are_refused_with_what_would_work(
    connection: Connection, rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SCAN_MESSAGES_MAX", 100)
    await an_hour_each(rolled)
    with pytest.raises(SpanTooLarge) as refused:
        await asked(connection, "tag", "connector")
    assert refused.value.messages == 240
    # Four days of 24 are below 100.
    assert refused.value.instead == (
        "since=2026-10-26T00:00:00Z", "group_by=tag", "group_by=connector",
    )  # fmt: skip
    since = datetime(2026, 10, 26, tzinfo=UTC)
    assert (await asked(connection, "tag", "connector", since=since)).total["accepted"] == 96


async def test_more_groups_than_are_told_are_refused(
    connection: Connection, rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    await an_hour_each(rolled)
    monkeypatch.setattr("dlr.rolled.GROUPS_MAX", 239)
    with pytest.raises(TooManyRows):
        await asked(connection, "hour")
    monkeypatch.setattr("dlr.rolled.GROUPS_MAX", 240)
    assert len((await asked(connection, "hour")).groups) == 240
