"""A known mix through a gateway and two carriers is reported exactly, in every grouping.

Live first, then from rollups, then after late, repeated and corrected receipts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from urllib.parse import quote

import msgspec
import pytest

from dlr.rollups.merger import Merger
from gateway.rehearsal.client import PATIENCE_SECONDS, Client, session_of
from gateway.rehearsal.configuration import Connector, Route
from gateway.rehearsal.running import Running
from storage.pool import Connection, close_connection, connect
from tests.integration.carrier import Submit, carrier
from tests.integration.running import create_key, gateway, message, write_config

SEED = 14
# The test merges what is fresher than the gateway's merger would, so that is named, too.
NAMED_AT_ONCE = {"dlr.rollups.naming._LATE_IDS": 0}
MESSAGES = 90
ESME_RSYSERR = 0x08
DIMENSIONS = (
    "category", "connector", "campaign", "sender", "variant", "reason", "country", "operator",
)  # fmt: skip
COUNTED = ("accepted", "sent", "delivered", "undelivered", "suppressed", "pending")
# What the carrier does, at once and later, and what the message is then.
PLANS = ("delivered", "repeated", "early", "undelivered", "corrected", "late", "other", "opted_out")
AT_FIRST = {"corrected": "undelivered", "late": "pending", "opted_out": "suppressed"}
AT_LAST = {"corrected": "delivered", "late": "delivered", "opted_out": "suppressed"}
OPTED_OUT = "opted_out"


class Sent(msgspec.Struct):
    """A message of the mix and what the carriers do about it."""

    plan: str
    body: dict[str, object]

    def outcome(self, outcomes: dict[str, str]) -> str:
        """What it counts as."""
        return outcomes.get(self.plan, "undelivered" if self.plan == "undelivered" else "delivered")

    def key(self, name: str, outcome: str) -> str | None:
        """Its value of a dimension, as the report tells it."""
        reasons = {"undelivered": "unknown", "suppressed": OPTED_OUT}
        values = self.body | {
            "connector": "b" if self.plan == "other" else "sim",
            "reason": reasons.get(outcome, "none"),
            "sender": self.body["from"],
            "campaign": self.body.get("campaign_id"),
            "country": "CN",
            "operator": "china mobile",
        }
        value = values[name]
        return None if value is None else str(value)


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
        elif plan != "late":
            submit.receipt()
        if plan == "repeated":
            submit.receipt()
        if plan in ("late", "corrected", "repeated"):
            self.waiting.append((plan, submit))

    def second(self, submit: Submit) -> None:
        """The carrier `b`."""
        submit.answer()
        submit.receipt()

    def later(self) -> None:
        """What comes after all was counted: late, corrected and repeated receipts."""
        for _, submit in self.waiting:
            submit.receipt()
            submit.receipt()

    def expected(
        self, names: Sequence[str], outcomes: dict[str, str]
    ) -> dict[tuple[str | None, ...], Counter[str]]:
        """Messages by what they count as, of each group."""
        groups: dict[tuple[str | None, ...], Counter[str]] = {}
        for each in self.sent.values():
            outcome = each.outcome(outcomes)
            key = tuple(each.key(name, outcome) for name in names)
            counts = groups.setdefault(key, Counter(dict.fromkeys(COUNTED, 0)))
            counts.update(["accepted", outcome])
            if outcome != "suppressed":
                counts["sent"] += 1
        return groups


def groupings() -> Iterator[tuple[str, ...]]:
    yield ()
    for name in DIMENSIONS:
        yield (name,)
    yield from combinations(DIMENSIONS, 2)


async def compare(running: Running, mix: Mix, outcomes: dict[str, str]) -> None:
    for names in groupings():
        report = await running.report("delivery", quote(",".join(names)))
        expected = mix.expected(names, outcomes)
        if names:
            found = {
                tuple(group.key[name] for name in names): Counter(
                    {name: group.counts[name] for name in COUNTED}
                )
                for group in report.groups
            }
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
        await running.send([each.body for each in mix.sent.values()])
        whole = mix.expected((), AT_FIRST)[()]
        await running.until(**{name: whole[name] for name in ("delivered", "undelivered")})
        await compare(running, mix, AT_FIRST)
        newest = await connection.fetchval("SELECT max(id) FROM message")
        await rolled_up(connection, newest)
        await compare(running, mix, AT_FIRST)
        mix.later()
        whole = mix.expected((), AT_LAST)[()]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await running.counts())["delivered"] < whole["delivered"]:
                await rolled_up(connection, newest)
        await compare(running, mix, AT_LAST)
