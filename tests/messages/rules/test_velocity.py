"""One-time passwords to one number and to numbers that begin alike: counted together by all
gateways, in the transaction that stores them.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from messages.models import Refused, Verdict
from messages.rules.velocity import VelocityCheck, VelocityLimits
from recipients.caps import Caps
from recipients.frequency import lock, read, read_prefixes
from storage.categories import Category
from tests.messages.accept.world import ACCOUNT, VAULT, World, accepting, prepared

NOW = 1_790_000_000_000
MINUTE = 60_000


class Time:
    """The check's clock."""

    now = NOW

    def check(self, **limits: int) -> tuple[VelocityCheck, ...]:
        prefix_hour = limits.pop("prefix_hour", None)
        caps = Caps(**limits)
        return (VelocityCheck({ACCOUNT: VelocityLimits(caps, 8, prefix_hour)}, lambda: self.now),)


async def send(world: World, *numbers: int, category: Category = Category.OTP) -> list[str]:
    """The statuses, or the reasons of what is suppressed."""
    messages = [prepared(number, category) for number in numbers]
    verdicts = await world.accepter.accept(messages, batch_id=None)
    return [_word(verdict) for verdict in verdicts]


def _word(verdict: Verdict | Refused) -> str:
    assert isinstance(verdict, Verdict), verdict
    return verdict.reason or verdict.status


async def test_a_number_gets_one_a_minute_and_so_many_an_hour(database_url: str) -> None:
    time = Time()
    async with accepting(database_url, checks=time.check(minute=1, hour=2)) as world:
        assert await send(world, 1, 1, 2) == ["accepted", "velocity_number", "accepted"]
        assert await send(world, 1) == ["velocity_number"]
        assert await send(world, 1, category=Category.TRANSACTIONAL) == ["accepted"]
        time.now += MINUTE
        assert await send(world, 1) == ["accepted"]
        time.now += MINUTE
        assert await send(world, 1) == ["velocity_number"]  # of the hour
        time.now = NOW + 60 * MINUTE
        assert await send(world, 1) == ["accepted"]
        assert world.accepter.decisions == {("velocity_number", "suppressed"): 3}
        row = await world.connection.fetchrow("SELECT error FROM submission ORDER BY id LIMIT 1")
        assert row is not None
        assert row["error"] == "as many as a minute allows"


async def test_numbers_that_begin_alike_share_an_hour(database_url: str) -> None:
    time = Time()
    async with accepting(database_url, checks=time.check(minute=1, prefix_hour=3)) as world:
        assert await send(world, 1, 2, 1, 3, 4) == [
            "accepted", "accepted", "velocity_number", "accepted", "velocity_prefix"
        ]  # fmt: skip
        assert await send(world, 50_000_000) == ["accepted"]  # begins otherwise
        number = (ACCOUNT, int(Category.OTP), VAULT.index(prepared(4).to))
        assert (await read(world.connection, [number]))[number].at == {}  # refused: not counted
        time.now += 65 * MINUTE
        assert await send(world, 4) == ["accepted"]


async def test_two_gateways_count_together(database_url: str) -> None:
    time = Time()
    limits = {"minute": 1, "prefix_hour": 30}
    async with (
        accepting(database_url, checks=time.check(**limits)) as one,
        accepting(database_url, checks=time.check(**limits)) as other,
    ):
        rounds = await asyncio.gather(
            *(
                send(world, *range(start, start + 10))
                for world in (one, other)
                for start in (0, 10)
            ),
            send(one, *range(20, 40)),
            send(other, *reversed(range(20, 40))),
        )
        words = Counter(word for answers in rounds for word in answers)
        assert words["accepted"] == 30  # of 40 numbers, each asked for twice
        prefix = (ACCOUNT, "+86138000")
        assert sum((await read_prefixes(one.connection, [prefix]))[prefix].values()) == 30
        sent = await one.connection.fetch("SELECT to_idx FROM message JOIN outbox USING (id)")
        assert len({row["to_idx"] for row in sent}) == len(sent) == 30


async def test_a_count_of_a_message_that_was_taken_back_refuses_nobody(database_url: str) -> None:
    async with accepting(database_url, checks=Time().check(minute=1)) as world:
        assert await send(world, 1) == ["accepted"]
        await world.connection.execute("DELETE FROM message")  # as retraction does
        assert await send(world, 1, 1) == ["accepted", "velocity_number"]


async def test_a_flush_that_fails_counts_nothing(database_url: str) -> None:
    async with accepting(database_url, checks=Time().check(minute=1, prefix_hour=9)) as world:
        bad = prepared(1, Category.OTP, text="\x00")
        [refused] = await world.accepter.accept([bad], batch_id=None)
        assert isinstance(refused, Refused)
        assert await world.count("frequency") == await world.count("prefix_count") == 0


@pytest.mark.parametrize("category", [Category.OTP, Category.SERVICE])
async def test_a_locked_number_has_a_row(database_url: str, category: Category) -> None:
    async with accepting(database_url) as world:
        number = (ACCOUNT, int(category), VAULT.index("+8613800000001"))
        assert (await lock(world.connection, [number]))[number].at == {}
        assert await world.count("frequency") == 1
