"""A good endpoint beside a dead and a slow one, and what all three cost the receipts.

Owns that run: rounds without an endpoint and with the three take turns. Must not compare figures of
different runs: one machine carries client, receivers, gateway, PostgreSQL and carrier.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import run as run_to_the_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.configuration import Configuration
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS, serving
from gateway.rehearsal.running import gateway
from gateway.rehearsal.simulator import simulator

BATCH = 500
SLOW_SECONDS = 5.0
STALL_SECONDS_MAX = 60.0
SCOPES = ("messages:send", "messages:read", "reports:read", "webhooks:write")
PROFILE = """\
answer_latency_ms = [0, 5]
receipt_delay_ms = [0, 100]
scripted_destinations = false
"""


class Good:
    """Answers at once. `waited`: seconds from each event to its arrival."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.began = self.ended = 0.0

    async def take(self, request: web.Request) -> web.Response:
        """One delivery, of one event or several."""
        body = msgspec.json.decode(await request.read())
        now = datetime.now(UTC)
        self.ended = time.perf_counter()
        self.began = self.began or self.ended
        events = body["data"]["events"] if body["type"] == "events.batch" else [body]
        for event in events:
            self.waited.append((now - datetime.fromisoformat(event["timestamp"])).total_seconds())
        return web.Response(status=204)

    async def heard(self, messages: int) -> None:
        """Wait until it was told of so many. Raises BenchmarkFailed."""

        async def told() -> float:
            return len(self.waited)

        await gateways.until_counted(told, messages, "events", STALL_SECONDS_MAX)


async def slow(_request: web.Request) -> web.Response:
    """Answers when most have given up waiting."""
    await asyncio.sleep(SLOW_SECONDS)
    return web.Response(status=204)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many messages, and how often."""
    parser.add_argument("--messages", type=int, default=20_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of each, alternating")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Receipts a second with and without endpoints; events a second and their delay."""
    return run_to_the_end(_run(arguments.messages, arguments.rounds))


async def _run(messages: int, rounds: int) -> dict[str, object]:
    without: list[float] = []
    beside: list[float] = []
    events: list[float] = []
    delays: list[float] = []
    for number in range(rounds):
        without.append(await _round(messages, None))
        good = Good()
        beside.append(await _round(messages, good))
        events.append(len(good.waited) / max(good.ended - good.began, 1e-9))
        delays.append(sorted(good.waited)[int(len(good.waited) * 0.99) - 1])
        say(
            f"round {number + 1}: {without[-1]:.0f} receipts/s without, {beside[-1]:.0f} beside; "
            f"{events[-1]:.0f} events/s, p99 after {delays[-1]:.2f} s"
        )
    slower = 100 * (1 - statistics.median(beside) / statistics.median(without))
    return {
        "durable": "each event is owed in the transaction that made it true",
        "rounds": {
            "without endpoints": [{"receipts_per_second": round(each)} for each in without],
            "beside a dead and a slow one": [
                {
                    "receipts_per_second": round(receipts),
                    "events_per_second": round(told),
                    "p99_seconds": round(delay, 2),
                }
                for receipts, told, delay in zip(beside, events, delays, strict=True)
            ],
        },
        "verdicts": [
            Verdict(
                "events to the good endpoint", statistics.median(events), 2_000, unit="a second"
            ),
            Verdict("receipts slower", round(slower, 1), 5, at_most=True, unit="%"),
        ],
    }


async def _round(messages: int, good: Good | None) -> float:
    """Receipts a second."""
    with gateways.folder() as path:
        async with (
            simulator(path, PROFILE) as carrier,
            _receivers(good) as urls,
            gateway(_config(path, carrier.port), scopes=SCOPES) as running,
        ):
            for url in urls:
                asked = {"url": url, "events": ["final"]}
                status, answer = await running.call("POST", "/v1/webhook-endpoints", asked)
                if status != web.HTTPCreated.status_code:
                    raise BenchmarkFailed(f"no endpoint: {status} {answer}")
            began = time.perf_counter()
            for start in range(0, messages, BATCH):
                await running.send(gateways.messages(min(BATCH, messages - start), start))
            seconds = await gateways.until_final(running, messages) - began
            if good is not None:
                await good.heard(messages)
            return messages / seconds


def _config(path: Path, port: int) -> Path:
    connectors = [gateways.connector("simulator", port)]
    wanted = Configuration(data_dir=path / "data", connectors=connectors, more=LOCAL_WEBHOOKS)
    return wanted.write(path / "smsgate.toml")


@contextlib.asynccontextmanager
async def _receivers(good: Good | None) -> AsyncIterator[list[str]]:
    """The URLs of a good, a slow and a dead receiver; none without a good one."""
    if good is None:
        yield []
        return
    application = web.Application()
    application.router.add_post("/good", good.take)
    application.router.add_post("/slow", slow)
    dead = socket.create_server(("127.0.0.1", 0))  # it takes connections and says nothing
    try:
        async with serving(application) as base:
            yield [f"{base}/good", f"{base}/slow", f"http://127.0.0.1:{dead.getsockname()[1]}/"]
    finally:
        dead.close()
