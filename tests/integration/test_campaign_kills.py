"""kill -9 at each step of the feed, over two gateways, again and again: one message each.

The carrier is away meanwhile, so that nothing is in doubt on its wire. At the end it takes what
was fed, and its ledger says who got what.

A long run by hand has CAMPAIGN_KILLS=200 and CAMPAIGN_SEED=7 in its environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS, session_of
from gateway.rehearsal.processes import Child
from gateway.rehearsal.running import Running, create_key
from storage.pool import close_connection, connect
from tests.fork_server import forked
from tests.integration.database_proxy import DatabaseProxy, database_proxy
from tests.integration.running import SMOOTH, simulator, start_gateway, write_config
from tests.integration.test_campaigns import OPEN, QUICK, SCOPES, TEMPLATE, Caller, people

KILLS = int(os.environ.get("CAMPAIGN_KILLS", "6"))
SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
PER_SECOND = 10  # a few in each chunk: there are many of them to die at
PEOPLE = 150 * KILLS
FEED = "campaign-feed"
OFTEN = {**QUICK, "campaigns.running.feed.TURN_SECONDS": 0.05}
POINTS = [(step, before) for step in ("T1", "accept", "T3") for before in (True, False)]


def number(place: int) -> str:
    """Of a recipient; the last four digits are not in the simulator's script."""
    prefix, middle = divmod(place, 10_000)
    return f"+8613{prefix + 5}{middle:04d}1000"


@dataclass
class Life:
    """One of the two gateways, through all its lives."""

    config: Path
    proxy: DatabaseProxy
    child: Child | None = None
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        if self.child is None:
            self.child = await start_gateway(self.config, OFTEN)

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()

    def arm(self, step: str, *, before: bool) -> None:
        """Die at the COMMIT of this step: before the server hears of it, or behind it."""
        if step == "accept":
            self._at_commit("accept", before=before)
        elif step == "T1":
            self._behind_insert(lambda: self._at_commit(FEED, before=before))
        else:
            self._behind_insert(
                lambda: self.proxy.arm(
                    FEED, answered=rb"COMMIT", cut=False,
                    act=lambda: self._at_commit(FEED, before=before),
                )
            )  # fmt: skip

    def _behind_insert(self, act: object) -> None:
        """The first statement of T1 that inserts is that of a chunk."""
        assert callable(act)
        self.proxy.arm(FEED, answered=rb"INSERT 0 1\x00", cut=False, act=act)

    def _at_commit(self, role: str, *, before: bool) -> None:
        self.proxy.arm(role, asked=rb"COMMIT", before=before, act=self._kill)

    def _kill(self) -> None:
        assert self.child is not None
        os.kill(self.child.process.pid, signal.SIGKILL)
        self.killed.set()

    async def die_at(self, step: str, *, before: bool) -> None:
        await self.start()
        self.killed.clear()
        self.arm(step, before=before)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.killed.wait()
        assert self.child is not None
        await self.child.process.wait()
        self.child = None


@contextlib.asynccontextmanager
async def two_lives(folder: Path, database_url: str, port: int) -> AsyncIterator[list[Life]]:
    async with contextlib.AsyncExitStack() as stack:
        lives = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            proxy = await stack.enter_async_context(database_proxy(database_url))
            lives.append(Life(write_config(folder / name, proxy.url, port), proxy))
            stack.push_async_callback(lives[-1].stop)
            await lives[-1].start()
        yield lives


@pytest.mark.timeout(30 + 10 * KILLS)
async def test_c1_c2_c6_one_message_each_wherever_two_gateways_are_killed(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C1, C2, C6: at T1, at the accept and at T3, before the COMMIT and behind it."""
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", bytes(range(64)).hex())
    dice = random.Random(SEED)
    points = [*POINTS * (KILLS // len(POINTS)), *dice.sample(POINTS, KILLS % len(POINTS))]
    dice.shuffle(points)
    connection = await connect(database_url, application_name="test")
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(close_connection, connection)
        async with simulator(folder, SMOOTH) as sim:
            lives = await stack.enter_async_context(two_lives(folder, database_url, sim.port))
            await people(connection, PEOPLE, number)
            key = await create_key(lives[0].config, "ads", "--scopes", *SCOPES, start=forked)
            session = await stack.enter_async_context(session_of(key))
            assert lives[0].child is not None
            assert lives[1].child is not None
            first = Caller(Running(lives[0].child, lives[0].config, session, key))
            path = await ready(first)
            second = Running(lives[1].child, lives[1].config, session, key)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for running in (first.running, second):  # nothing goes into a dead session
                while await running.metric("sms_connector_up"):
                    await asyncio.sleep(POLL_SECONDS)
        await first.say("POST", f"{path}/start", {"confirm_recipients": PEOPLE})
        for step, before in points:
            await dice.choice(lives).die_at(step, before=before)
        for life in lives:
            await life.start()
        fed = await connection.fetchval("SELECT next_seq FROM campaign")
        assert fed >= KILLS // 3, "a chunk was begun at each kill"
        await connection.execute("UPDATE campaign SET paced_at = paced_at - interval '1 day'")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await connection.fetchval("SELECT next_seq FROM campaign") < PEOPLE:
                await asyncio.sleep(POLL_SECONDS)
            while await connection.fetchval(OPEN):
                await asyncio.sleep(POLL_SECONDS)  # the dead ones' are taken over
        async with simulator(folder, SMOOTH, port=sim.port, name="later") as later:
            async with asyncio.timeout(PATIENCE_SECONDS + KILLS):
                while await connection.fetchval("SELECT count(*) FROM outbox"):
                    await asyncio.sleep(POLL_SECONDS)
            sent = Counter(line.destination for line in later.ledger())
    assert len(sent) == PEOPLE
    assert set(sent.values()) == {1}


async def ready(caller: Caller) -> str:
    """The path of a campaign without a canary that waits for its start."""
    template = await caller.say("POST", "templates", TEMPLATE)
    spec = {
        "name": "win-back",
        "audience": {"segment": "has name"},
        "arms": [{"template": f"{template['id']}@1"}],
        "canary": {"share": 0},
        "schedule": {"rate": PER_SECOND},
    }
    path = f"campaigns/{(await caller.say('POST', 'campaigns', spec))['id']}"
    plan = await caller.say("POST", f"{path}/plan")
    assert plan["planned"] == PEOPLE
    tried = await caller.say("POST", f"{path}/test", {"to": ["+8613900000000"]})
    [text] = tried["messages"]
    await caller.until(f"messages/{text['id']}", status="delivered")
    return path
