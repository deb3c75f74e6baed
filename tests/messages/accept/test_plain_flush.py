"""One statement instead of seven round trips: it stores what the long way stores, or nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from dispatch.message import MessageOptions
from dlr.reasons import Reason
from messages.accept import plain_flush
from messages.accepting import Accepting
from messages.models import Prepared, Verdict
from messages.rules.suppression import SuppressionCheck
from ratelimit.spec import parse_rate
from storage.categories import Category
from storage.suppression import Suppression, add
from tests.messages.accept.world import ACCOUNT, VAULT, World, accepting, prepared, wall_ms

MESSAGES = [
    prepared(1, country=83, operator=7),
    prepared(2, Category.SERVICE, client_ref="order 'x' \\ \"1\""),
    prepared(
        3, text="line\nbreak\t\x0b\x7f \\u0041 \\x41 {} \ud7ff 你好 🚀", data_coding=8, parts=2
    ),
    prepared(4, expires_at=wall_ms() + 86_400_000 + 123, priority=0, sender=""),
    prepared(6, text_days=0),
    prepared(7, text_days=30),
    prepared(5, tags=("a", "b,c", 'd"e', "{}", "NULL"), campaign_id="c", variant="v\\"),
]
OF_THE_FLUSH = {"id", "to_enc", "owner"}


class Ways:
    """Which flushes went the short way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.short: list[bool] = []
        store = plain_flush.store

        async def counted(*arguments: Any) -> bool:
            stored = await store(*arguments)
            self.short.append(stored)
            return stored

        monkeypatch.setattr(plain_flush, "store", counted)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


async def stored(world: World, items: Sequence[Prepared]) -> list[Verdict]:
    answers = await world.accepter.accept(items, batch_id=None)
    assert all(isinstance(answer, Verdict) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Verdict)]


async def everything(world: World, verdicts: Sequence[Verdict]) -> list[list[dict[str, Any]]]:
    """The rows of these messages and what was handed over, but for what differs with the flush."""
    ids = [verdict.id for verdict in verdicts]
    found: list[list[dict[str, Any]]] = []
    for table, key in (("message", "id"), ("outbox", "id"), ("client_ref", "message_id")):
        rows = await world.connection.fetch(
            f"SELECT * FROM {table} WHERE {key} = ANY($1) ORDER BY {key}", ids
        )
        found.append(
            [
                {k: v for k, v in row.items() if k not in OF_THE_FLUSH and k != "message_id"}
                for row in rows
            ]
        )
    pushed = [message for message in world.room.pushed if message.id in ids]
    found.append([{k: getattr(m, k) for k in m.__struct_fields__ if k != "id"} for m in pushed])
    return found


async def test_it_stores_what_the_long_way_stores(
    database_url: str, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with accepting(database_url) as world:
        short = await stored(world, MESSAGES)
        assert ways.short == [True]
        rows = await everything(world, short)
        assert [len(each) for each in rows] == [7, 7, 1, 7]
        await world.connection.execute("DELETE FROM client_ref")
        monkeypatch.setattr(plain_flush, "MESSAGES_MAX", 0)
        long = await stored(world, MESSAGES)
        assert ways.short == [True]
        assert await everything(world, long) == rows
        assert [(v.status, v.reason, v.text) for v in short] == [
            (v.status, v.reason, v.text) for v in long
        ]


async def test_a_suppressed_recipient_sends_the_flush_the_long_way(
    world: World, ways: Ways
) -> None:
    out = prepared(2)
    entry = Suppression(VAULT.index(out.to), Reason.OPTED_OUT, "api", account=ACCOUNT)
    await add(world.connection, [entry])
    goes, ends = await stored(world, [prepared(1), out])
    assert (goes.status, ends.status) == ("accepted", "suppressed")
    assert ways.short == [False]
    assert world.room.reserved == 0
    assert [message.id for message in world.room.pushed] == [goes.id]


@pytest.mark.parametrize(
    "scope",
    [{"account": ACCOUNT + 1}, {"category": Category.MARKETING}],
    ids=["another account", "another category"],
)
async def test_who_is_suppressed_for_others_only_is_stored_at_once(
    world: World, ways: Ways, scope: dict[str, Any]
) -> None:
    to_idx = VAULT.index(prepared(2).to)
    await add(world.connection, [Suppression(to_idx, Reason.OPTED_OUT, "api", **scope)])
    [verdict] = await stored(world, [prepared(2)])
    assert verdict.status == "accepted"
    assert ways.short == [True]


async def test_a_reference_that_is_taken_sends_the_flush_the_long_way(
    world: World, ways: Ways
) -> None:
    [first] = await stored(world, [prepared(1, client_ref="r")])
    other, repeat = await stored(world, [prepared(2), prepared(3, client_ref="r")])
    assert ways.short == [True, False]
    assert (repeat.id, repeat.deduplicated) == (first.id, True)
    assert set(await world.messages()) == {first.id, other.id}
    assert world.room.reserved == 0


async def test_a_reference_twice_in_one_flush_is_stored_once(world: World, ways: Ways) -> None:
    one, two = await stored(
        world, [prepared(1, client_ref="r"), prepared(2, client_ref="r", text="other")]
    )
    assert ways.short == [False]
    assert one.id == two.id
    assert set(await world.messages()) == {one.id}


async def test_what_an_accounts_rate_puts_off_goes_the_long_way_and_is_counted_once(
    database_url: str, ways: Ways
) -> None:
    async with accepting(database_url, rates={ACCOUNT: parse_rate("1/s,burst=1")}) as world:
        await stored(world, [prepared(1), prepared(2), prepared(3)])
        assert ways.short == []
        waits = [row["not_before"] for row in (await world.outbox()).values()]
        assert waits[0] is None
        assert 0.9 < (waits[2] - waits[1]).total_seconds() < 1.1
        assert world.room.reserved == 0


class Concerned(SuppressionCheck):
    """A rule about marketing."""

    def concerns(self, item: Accepting) -> bool:
        return item.prepared.category == Category.MARKETING


def accepting_item(item: Prepared, **fields: Any) -> Accepting:
    return Accepting(time.time_ns(), item, b"e", b"i", None, item.text, None, **fields)


@pytest.mark.parametrize(
    "item",
    [
        accepting_item(prepared(1), again=True),
        accepting_item(prepared(1, links=("https://x.example",))),
        accepting_item(prepared(1, options=MessageOptions())),
        accepting_item(prepared(1, Category.MARKETING)),
    ],
    ids=["stored before, maybe", "links", "options", "a rule asks"],
)
def test_whatever_needs_a_closer_look_does_not_suit(item: Accepting) -> None:
    plain = accepting_item(prepared(2))
    checks = (Concerned(),)
    assert plain_flush.suits([plain] * plain_flush.MESSAGES_MAX, checks)
    assert not plain_flush.suits([plain, item], checks)
    assert not plain_flush.suits([plain] * (plain_flush.MESSAGES_MAX + 1), checks)


def test_a_message_of_a_batch_does_not_suit() -> None:
    item = accepting_item(prepared(1))
    item.batch_id = 1
    assert not plain_flush.suits([item], ())
