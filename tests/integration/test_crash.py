"""kill -9 at any moment: nothing accepted is lost, nothing is sent twice outside the set
that is in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator
from tests.integration.running import gateway, message, simulator, write_config

BATCH = 100
NUMBERS_OF_A_LIFE = 4_500  # no life repeats a number of another, however far it comes
SLOW = "answer_latency_ms = [5, 30]\nreceipt_delay_ms = [0, 100]\n"
RESENT, HELD = "transactional", "marketing"


async def send_until_dead(running: Running, accepted: dict[str, str], first: int) -> None:
    """Batches of both categories until the gateway is gone; remembers what was answered 202."""
    for start in range(first, first + NUMBERS_OF_A_LIFE, BATCH):
        bodies = [
            message(n, category=RESENT if n % 2 else HELD) for n in range(start, start + BATCH)
        ]
        try:
            items = await running.send(bodies)
        except (aiohttp.ClientError, ConnectionError):
            return
        for body, item in zip(bodies, items, strict=True):
            accepted[item["id"]] = str(body["to"]).removeprefix("+")


async def kill_when_submitting(running: Running, sim: Simulator, submits: int) -> None:
    while len(sim.ledger()) < submits:
        await asyncio.sleep(0.002)
    running.kill()
    await running.exit()


@pytest.mark.parametrize("embedded", [False, True], ids=["shared server", "own data folder"])
async def test_kill_9_loses_nothing_and_repeats_only_what_is_in_doubt(
    database_url: str, folder: Path, embedded: bool
) -> None:
    accepted: dict[str, str] = {}
    async with simulator(folder, SLOW) as sim:
        url = "embedded" if embedded else database_url
        config = write_config(folder, url, sim.port, connector="window = 40\nbinds = 2")
        for life in range(2):
            async with gateway(config) as running:
                await asyncio.gather(
                    send_until_dead(running, accepted, life * NUMBERS_OF_A_LIFE),
                    kill_when_submitting(running, sim, 300 * (life + 1)),
                )
        async with gateway(config) as running:
            await wait_until_settled(running)
            counts = await running.counts()
            in_doubt = await doubtful(running, accepted)
        lines = sim.accepted()
    submits = Counter(line.destination for line in lines)
    known = set(accepted.values())
    held = {to for to, kinds in in_doubt.items() if "hold" in kinds}
    # Nothing lost: what was answered 202 was sent, or is held and reported as in doubt.
    assert known - set(submits) <= held
    # Nothing twice in silence.
    repeated = {to for to, count in submits.items() if count > 1}
    assert repeated <= {to for to, kinds in in_doubt.items() if "resend" in kinds} | (
        set(submits) - known
    )
    assert all(submits[to] <= 1 for to in held)
    # The doubt is bounded by binds x 2 windows a crash, and reported.
    assert 0 < len(in_doubt) <= 2 * 2 * 2 * 40
    outcomes = ("delivered", "unconfirmed", "pending", "undelivered", "rejected", "expired")
    assert counts["accepted"] == sum(counts[name] for name in outcomes)
    assert counts["pending"] == 0
    assert counts["unconfirmed"] <= len(held)


async def wait_until_settled(running: Running) -> None:
    """Until nothing is pending any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await running.counts())["pending"]:
            await asyncio.sleep(0.1)


async def doubtful(running: Running, accepted: dict[str, str]) -> dict[str, set[str]]:
    """Number -> what was decided about it, of every message whose timeline says that it was
    in doubt.
    """
    found: dict[str, set[str]] = {}

    async def look(message_id: str, to: str) -> None:
        async with limit:
            _, answer = await running.call("GET", f"/v1/messages/{message_id}/events")
        for event in answer["data"]:
            if event["kind"] == "in_doubt":
                found.setdefault(to, set()).add(event["detail"]["policy"])

    limit = asyncio.Semaphore(20)
    await asyncio.gather(*(look(message_id, to) for message_id, to in accepted.items()))
    return found
