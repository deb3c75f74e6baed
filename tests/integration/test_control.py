"""Batches under control and frequency caps, over two gateways and one database: what was stopped,
and what would be one too many, is not sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator
from tests.integration.running import SMOOTH, gateway, message, simulator, write_config

MESSAGES = 1_500
RATE = 200
BURST = 20
CAPPED = '[[accounts]]\nname = "default"\ncaps.service = { day = 1 }\n'


async def batch(running: Running) -> str:
    bodies = [message(n, category="marketing") for n in range(MESSAGES)]
    status, answer = await running.call("POST", "/v1/messages/batch", {"messages": bodies})
    assert status == 202, answer
    return f"/v1/batches/{answer['batch_id']}"


async def say(running: Running, path: str, verb: str, body: object = None) -> dict[str, Any]:
    method = "PATCH" if body is not None else "POST"
    status, answer = await running.call(method, f"{path}{verb}", body)
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


async def sent(sim: Simulator, at_least: int) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(sim.accepted()) < at_least:
            await asyncio.sleep(POLL_SECONDS)
    return len(sim.accepted())


async def test_a_batch_is_paused_slowed_down_resumed_and_canceled_from_either_gateway(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", bytes(range(64)).hex())  # one for both
    async with simulator(folder, SMOOTH) as sim:
        homes = [folder / "one", folder / "two"]
        for home in homes:
            home.mkdir()
        slow = f'rate = "{RATE}/s,burst={BURST}"'
        first_config, second_config = (
            write_config(home, database_url, sim.port, connector=slow, rest=CAPPED)
            for home in homes
        )
        async with gateway(first_config) as first, gateway(second_config) as second:
            path = await batch(first)
            await sent(sim, 50)

            # Paused by the gateway that does not hold it in memory.
            before = len(sim.accepted())
            paused = await say(second, path, "/pause")
            assert paused["state"] == "paused"
            await first.send([message(9_000 + n, category="marketing") for n in range(20)])
            others = {f"8613890{n:02d}1000" for n in range(20)}
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not others <= {line.destination for line in sim.accepted()}:
                    await asyncio.sleep(POLL_SECONDS)
                while (await say(second, path, "/pause"))["in_flight"]:
                    await asyncio.sleep(POLL_SECONDS)
            stopped_at = len(sim.accepted()) - 20
            assert stopped_at < MESSAGES
            # What was written between the ledger's reading and the answer is in neither figure.
            assert stopped_at <= before + paused["in_flight"] + RATE
            await asyncio.sleep(0.5)
            assert len(sim.accepted()) - 20 == stopped_at
            _, listed = await first.call("GET", f"/v1/messages?batch_id={path.split('/')[-1]}")
            assert listed["data"][0]["status"] == "held"  # the newest: the last to be sent

            # Slower, and over both gateways.
            rate = await say(first, path, "", {"rate": "100/s,burst=10"})
            assert rate["rate"] == "100/s,burst=10"
            begin = time.time()
            await say(first, path, "/resume")
            await sent(sim, stopped_at + 20 + 150)
            resumed = sorted(line.at for line in sim.accepted())[stopped_at + 20 :]
            # From the first on: what a busy machine writes late into the ledger is never too much.
            for count, at in enumerate(resumed, 1):
                assert count <= 10 + 100 * (at - begin) + 10

            canceled = await say(second, path, "/cancel")
            assert canceled["state"] == "canceled"
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    _, view = await second.call("GET", path)
                    if not view["counts"]["pending"]:
                        break
                    await asyncio.sleep(POLL_SECONDS)
            counts = view["counts"]
            assert counts["accepted"] == MESSAGES
            assert counts["canceled"] + counts["delivered"] == MESSAGES
            assert counts["delivered"] == len(sim.accepted()) - 20
            status, problem = await first.call("POST", f"{path}/resume")
            assert (status, problem["code"]) == (409, "batch_canceled")
            destinations = [line.destination for line in sim.accepted()]
            assert len(destinations) == len(set(destinations))
            await one_each(first, second, sim)


async def one_each(first: Running, second: Running, sim: Simulator) -> None:
    """Both gateways at once send to the same numbers, which may be sent one a day."""
    bodies = [message(5_000 + n, category="service") for n in range(40)]
    before = await first.counts()
    await asyncio.gather(first.send(bodies), second.send(bodies))
    counts = await first.until(delivered=before["delivered"] + 40, capped=before["capped"] + 40)
    assert counts["pending"] == 0
    submits = Counter(line.destination for line in sim.accepted())
    assert [submits[str(body["to"])[1:]] for body in bodies] == [1] * 40
