"""A known mix through a gateway and two carriers is reported exactly, in every grouping.

Live first, then from rollups, then after late, repeated and corrected receipts. What one carrier
could not deliver goes by the other. Some people reply that they want no more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import combinations, product
from pathlib import Path
from random import Random
from urllib.parse import quote

import msgspec
import pytest

from dlr.rollups.merger import Merger
from gateway.rehearsal.client import PATIENCE_SECONDS, Client, session_of
from gateway.rehearsal.configuration import Connector, Route
from gateway.rehearsal.running import Running
from storage.ids import parse_id, time_of
from storage.pool import Connection, close_connection, connect
from tests.dlr.rollups.reference import assert_exact
from tests.integration.carrier import Submit, carrier
from tests.integration.running import create_key, gateway, message, write_config

SEED = 14
# The test merges what is fresher than the gateway's merger would, so that is named, too.
NAMED_AT_ONCE = {"dlr.rollups.naming._LATE_IDS": 0}
MESSAGES = 110
REST = """
[another_way]
transactional = true
service = true
[[accounts]]
name = "default"
opt_out_category = "all"
"""
ESME_RSYSERR = 0x08
DIMENSIONS = (
    "category", "connector", "campaign", "sender", "variant", "reason", "country", "operator",
    "tag",
)  # fmt: skip
TIMES = ("quarter_hour", "hour", "day", "week")
COUNTED = (
    "accepted", "sent", "delivered", "undelivered", "expired", "suppressed", "pending", "late",
)  # fmt: skip
# What the carrier does, at once and later, and what the message is then.
PLANS = (
    "delivered", "repeated", "early", "undelivered", "corrected", "late", "other", "opted_out",
    "by the second", "by neither", "by both", "too late", "too late in vain", "replies",
)  # fmt: skip
# The first carrier's receipt says that they expired, while they are valid.
GO_ANOTHER_WAY = ("by the second", "by neither", "by both")
TOO_LATE = ("too late", "too late in vain")
AFTER_A_REPLY = "after a reply"
AT_FIRST = {
    "undelivered": "undelivered", "corrected": "undelivered", "late": "pending",
    "opted_out": "suppressed", "by neither": "expired", "by both": "pending",
    "too late": "pending", "too late in vain": "pending", AFTER_A_REPLY: "suppressed",
}  # fmt: skip
AT_LAST = {
    "undelivered": "undelivered", "opted_out": "suppressed", "by neither": "expired",
    "too late in vain": "expired", AFTER_A_REPLY: "suppressed",
}  # fmt: skip
OPTED_OUT = "opted_out"


class Sent(msgspec.Struct):
    """A message of the mix and what the carriers do about it."""

    plan: str
    body: dict[str, object]
    id: str = ""

    def outcome(self, outcomes: dict[str, str]) -> str:
        """What it counts as."""
        return outcomes.get(self.plan, "delivered")

    @property
    def to_second(self) -> bool:
        """Whether the second carrier has it."""
        return self.plan == "other" or self.plan in GO_ANOTHER_WAY

    def connector(self, outcomes: dict[str, str]) -> str:
        """Which carrier decided it: of two that delivered it, the one that had it first."""
        second = ("other", "by the second", "by neither")
        if self.plan == "by both":
            return "b" if self.outcome(outcomes) == "pending" else "sim"
        return "b" if self.plan in second else "sim"

    def key(self, name: str, outcomes: dict[str, str]) -> str | None:
        """Its value of a dimension, as the report tells it."""
        if name in TIMES:
            return unit_of(name, time_of(parse_id("msg", self.id)))
        reasons = {"undelivered": "unknown", "expired": "expired", "suppressed": OPTED_OUT}
        values = self.body | {
            "connector": self.connector(outcomes),
            "reason": reasons.get(self.outcome(outcomes), "none"),
            "sender": self.body["from"],
            "campaign": self.body.get("campaign_id"),
            "country": "CN",
            "operator": "china mobile",
            "tag": self.body["tags"][0],  # type: ignore[index]
        }
        value = values[name]
        return None if value is None else str(value)


def unit_of(name: str, at: datetime) -> str:
    """How a report names the unit of time, in UTC, that holds a moment."""
    if name == "quarter_hour":
        at = at.replace(minute=at.minute // 15 * 15)
    elif name == "week":
        at -= timedelta(days=at.weekday())
    start = at.replace(minute=at.minute if name == "quarter_hour" else 0, second=0, microsecond=0)
    return start.isoformat() if name in ("hour", "quarter_hour") else start.date().isoformat()


class Mix:
    """The messages, by number, and how the two carriers treat them."""

    def __init__(self, random: Random) -> None:
        self.sent: dict[str, Sent] = {}
        self.waiting: list[tuple[str, Submit]] = []
        for number in range(MESSAGES):
            body = message(
                number,
                category=random.choice(["transactional", "service"]),
                variant=random.choice(["A", "B"]),
                tags=[random.choice(["red", "blue"])],
            )
            body["from"] = random.choice(["SHOP", "BANK"])
            campaign = random.choice(["x", "y", None])
            if campaign is not None:
                body["campaign_id"] = campaign
            plan = PLANS[number] if number < len(PLANS) else random.choice(PLANS)
            self.sent[str(body["to"])] = Sent(plan, body)

    def first(self, submit: Submit) -> None:
        """The carrier `sim`."""
        plan = self.sent[f"+{submit.to}"].plan
        if plan == "other":
            submit.answer(ESME_RSYSERR)
            return
        if plan == "early":
            submit.receipt()
            submit.answer()
            return
        submit.answer()
        if plan in ("undelivered", "corrected"):
            submit.receipt("UNDELIV")
        elif plan in GO_ANOTHER_WAY:
            submit.receipt("EXPIRED")
        elif plan not in ("late", *TOO_LATE):
            submit.receipt()
        if plan == "repeated":
            submit.receipt()
        if plan == "replies":
            submit.reply("STOP")
        if plan in ("late", "corrected", "repeated", "by both", *TOO_LATE):
            self.waiting.append((plan, submit))

    def second(self, submit: Submit) -> None:
        """The carrier `b`."""
        plan = self.sent[f"+{submit.to}"].plan
        submit.answer()
        if plan == "by both":
            self.waiting.append((plan, submit))
        else:
            submit.receipt("EXPIRED" if plan == "by neither" else "DELIVRD")

    def later(self) -> None:
        """What comes after all was counted: late, corrected and repeated receipts."""
        for plan, submit in self.waiting:
            for _ in range(2):
                submit.receipt("EXPIRED" if plan == "too late in vain" else "DELIVRD")

    def again(self) -> list[Sent]:
        """One more message to each who replied."""
        told = [each for each in self.sent.values() if each.plan == "replies"]
        more = [Sent(AFTER_A_REPLY, each.body) for each in told]
        self.sent |= {f"{AFTER_A_REPLY} {each.body['to']}": each for each in more}
        return more

    def expected(
        self, names: Sequence[str], outcomes: dict[str, str]
    ) -> dict[tuple[str | None, ...], Counter[str]]:
        """Messages by what they count as, of each group."""
        groups: dict[tuple[str | None, ...], Counter[str]] = {}
        for each in self.sent.values():
            outcome = each.outcome(outcomes)
            key = tuple(each.key(name, outcomes) for name in names)
            counts = groups.setdefault(key, Counter(dict.fromkeys(COUNTED, 0)))
            counts.update(["accepted", outcome])
            counts["late"] += each.plan in TOO_LATE and outcome != "pending"
            if outcome != "suppressed":
                counts["sent"] += 1
        return groups


def groupings() -> Iterator[tuple[str, ...]]:
    yield ()
    for name in (*DIMENSIONS, *TIMES):
        yield (name,)
    yield from combinations(DIMENSIONS, 2)
    yield from product(("hour",), ("connector", "tag"))


async def compare(running: Running, mix: Mix, outcomes: dict[str, str]) -> None:
    for names in groupings():
        report = await running.report("delivery", quote(",".join(names)))
        expected = mix.expected(names, outcomes)
        if names:
            found = {
                tuple(group.key[name] for name in names): Counter(
                    {name: group.counts[name] for name in COUNTED if name in group.counts}
                )
                for group in report.groups
            }
            if "late" not in report.groups[0].counts:  # by reason it is not kept
                for counts in expected.values():
                    del counts["late"]
            assert found == expected, names
        whole = mix.expected((), outcomes)[()]
        assert {name: report.total.counts[name] for name in COUNTED} == dict(whole), names


async def rolled_up(connection: Connection, above: int) -> None:
    """Merge until every message up to this id, and every change, is counted."""
    merger = Merger(left_alone=timedelta(seconds=0))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await merger.turn(connection)
            state = await connection.fetchrow(
                "SELECT cursor, (SELECT count(*) FROM rollup_change) AS waiting FROM rollup_state"
            )
            if state is not None and state["cursor"] > above and not state["waiting"]:
                return
            await asyncio.sleep(0.1)


@pytest.mark.timeout(180)
async def test_a_known_mix_is_reported_exactly_in_every_grouping(
    database_url: str, folder: Path
) -> None:
    mix = Mix(Random(SEED))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(carrier(mix.first))
        second = await stack.enter_async_context(carrier(mix.second))
        config = write_config(
            folder, database_url, first.port, others=[Connector("b", second.port)],
            routes=[Route(["sim", "b"])],
            rest=REST,
        )  # fmt: skip
        connection = await connect(database_url, application_name="test")
        stack.push_async_callback(close_connection, connection)
        running = await stack.enter_async_context(gateway(config, NAMED_AT_ONCE))
        out = [each.body["to"] for each in mix.sent.values() if each.plan == OPTED_OUT]
        entries = [{"number": to, "category": "all"} for to in out]
        key = await create_key(config, "desk", "--scopes", "suppressions:write")
        desk = Client(await stack.enter_async_context(session_of(key)), running.api, key)
        status, answer = await desk.call("POST", "/v1/suppressions", {"suppressions": entries})
        assert status in (200, 201), answer
        await send(running, list(mix.sent.values()))
        await until_opted_out(connection, len(out) + len(mix.again()))
        await send(running, [each for each in mix.sent.values() if not each.id])
        whole = mix.expected((), AT_FIRST)[()]
        ended = ("delivered", "undelivered", "expired", "suppressed")
        await running.until(**{name: whole[name] for name in ended})
        await second.submitted(len([each for each in mix.sent.values() if each.to_second]))
        await until_none(connection, "SELECT count(*) FROM outbox")
        await compare(running, mix, AT_FIRST)
        newest = await connection.fetchval("SELECT max(id) FROM message")
        await rolled_up(connection, newest)
        await compare(running, mix, AT_FIRST)
        await connection.execute(
            "UPDATE message SET expires_at = now() - interval '1 second' WHERE id = ANY($1)",
            [parse_id("msg", each.id) for each in mix.sent.values() if each.plan in TOO_LATE],
        )
        mix.later()
        whole = mix.expected((), AT_LAST)[()]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not ends_as(await running.counts(), whole):
                await rolled_up(connection, newest)
        await until_none(connection, "SELECT count(*) FROM submission WHERE status = 10")
        await rolled_up(connection, newest)
        await compare(running, mix, AT_LAST)
        await assert_exact(connection)
        for each in mix.sent.values():
            if each.plan == "by both":
                await assert_both_are_shown(running, each.id)


def ends_as(counts: dict[str, int], wanted: Counter[str]) -> bool:
    return all(counts[name] == wanted[name] for name in ("delivered", "expired", "undelivered"))


async def send(running: Running, messages: Sequence[Sent]) -> None:
    items = await running.send([each.body for each in messages])
    for each, item in zip(messages, items, strict=True):
        each.id = item["id"]


async def until_none(connection: Connection, query: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval(query):
            await asyncio.sleep(0.05)


async def until_opted_out(connection: Connection, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval("SELECT count(*) FROM suppression") < count:
            await asyncio.sleep(0.05)


async def assert_both_are_shown(running: Running, message_id: str) -> None:
    """Each submit and each receipt, with its connector; the message was delivered once."""
    view = await running.message(message_id)
    assert (view["status"], view["connector"], view["parts_delivered"]) == ("delivered", "sim", 1)
    _, answer = await running.call("GET", f"/v1/messages/{message_id}/events")
    told = {
        (event["kind"], event["detail"].get("connector"), event["detail"].get("status"))
        for event in answer["data"]
        if event["kind"] in ("submitted", "receipt")
    }
    assert told == {
        ("submitted", "sim", None), ("submitted", "b", None),
        ("receipt", "sim", "delivered"), ("receipt", "b", "delivered"),
    }  # fmt: skip
    (way,) = (event["detail"] for event in answer["data"] if event["kind"] == "another_way")
    assert (way["from"], way["to"], way["reason"]) == ("sim", "b", "expired")
