"""A person gets marketing on the days that they want by their own clock, other things always."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.holds import Hold
from dispatch.message import Ended, Later, ReadyMessage
from dlr.status import Status
from messages.rules.quiet_hours import TimingRules
from messages.rules.wished_days import DaysCheck, DaysLook, WishedDays
from recipients import preferences
from recipients.hours import parse_span
from recipients.preferences import Preference, Wish
from storage.categories import Category
from tests.dispatch.world import World, running
from tests.messages.accept.world import ACCOUNT, accepting, prepared

SHANGHAI = ZoneInfo("Asia/Shanghai")
TIMING = TimingRules(quiet={Category.MARKETING: parse_span("21:00-08:00")})
CHINA = "+8613812345678"
SATURDAY = 0b010_0000
MARKETING = Category.MARKETING


def ms(year: int, month: int, day: int, hour: int) -> int:
    return int(datetime(year, month, day, hour, tzinfo=SHANGHAI).timestamp() * 1000)


WEDNESDAY_NOON = ms(2026, 11, 25, 12)
SATURDAY_MORNING = ms(2026, 11, 28, 8)


@given(st.integers(1, 126), st.integers(0, 60 * 24 * 60))
def test_the_first_moment_of_a_wished_day_that_is_not_quiet(days: int, minutes: int) -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=minutes)

    def wanted(moment: datetime) -> bool:
        return bool(days >> moment.astimezone(SHANGHAI).weekday() & 1)

    found = TIMING.wished_day(CHINA, 1, MARKETING, days, int(at.timestamp() * 1000))
    assert found is not None
    if wanted(at):
        assert found == int(at.timestamp() * 1000), "timing has asked about its hour"
        return
    first = at.astimezone(SHANGHAI).replace(hour=8, minute=0, tzinfo=None) + timedelta(days=1)
    while not wanted(first.replace(tzinfo=SHANGHAI)):
        first += timedelta(days=1)
    assert found == int(first.replace(tzinfo=SHANGHAI).timestamp() * 1000)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def wishes(world: World, message: ReadyMessage, days: int) -> None:
    await preferences.put(
        world.connection,
        Preference(
            number=(ACCOUNT, int(MARKETING), message.to_idx), to_enc=b"", wish=Wish(days=days),
            message_id=1, updated_at=datetime.now(UTC),
        ),
    )  # fmt: skip


def message(
    world: World, number: int, category: Category = MARKETING, **fields: Any
) -> ReadyMessage:
    return world.message(category, to=f"+86138{number:08d}", **fields)


async def test_before_the_wire_it_waits_for_its_day(world: World) -> None:
    now = WEDNESDAY_NOON
    look = DaysLook(WishedDays([ACCOUNT], TIMING), lambda: now)
    wisher, other = message(world, 1), message(world, 2)
    service = message(world, 1, Category.SERVICE)
    short = message(world, 1, expires_at=SATURDAY_MORNING)
    await wishes(world, wisher, SATURDAY)
    assert not look.asks([service])
    asked = [wisher, other, service, short]
    assert look.asks(asked)
    verdicts = dict(await look.decide(world.connection, asked))
    assert verdicts.pop(wisher.id) == Later(SATURDAY_MORNING, Hold.WISHED_DAY)
    ended = verdicts.pop(short.id)
    assert isinstance(ended, Ended)
    assert (ended.status, ended.rule) == (Status.EXPIRED, "wished_day")
    assert verdicts == {}
    now = SATURDAY_MORNING
    assert await look.decide(world.connection, [wisher]) == {}
    nobody = DaysLook(WishedDays([], TIMING), lambda: WEDNESDAY_NOON)
    assert not nobody.asks([wisher])


async def test_at_accept_it_is_held_until_its_day(world: World, database_url: str) -> None:
    await wishes(world, message(world, 1), SATURDAY)
    checks = (DaysCheck(WishedDays([ACCOUNT], TIMING), lambda: WEDNESDAY_NOON),)
    async with accepting(database_url, checks=checks) as accept:
        asked = [
            prepared(1, MARKETING), prepared(2, MARKETING), prepared(1, Category.SERVICE),
            prepared(1, MARKETING, expires_at=SATURDAY_MORNING),
        ]  # fmt: skip
        verdicts = await accept.accepter.accept(asked, batch_id=None)
        told = [(getattr(each, "status", ""), getattr(each, "reason", "")) for each in verdicts]
        assert told == [
            ("held", "wished_day"), ("accepted", None), ("accepted", None),
            ("expired", "quiet_hours"),
        ]  # fmt: skip
        first = next(iter((await accept.outbox()).values()))
        assert int(first["not_before"].timestamp() * 1000) == SATURDAY_MORNING
