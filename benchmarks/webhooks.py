"""Webhooks under two kill -9 and a receiver that refuses a fifth: every final event arrives.

Owns that run: each last status is told, once or again under its id. Must not require a rate: the
counts hold on a busy machine, too.
"""

from __future__ import annotations

import argparse
import contextlib
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
from dlr.webhooks import endpoints
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox
from dlr.webhooks.signature import new_secret
from gateway.rehearsal.configuration import Configuration
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS, serving
from gateway.rehearsal.running import Running, gateway
from gateway.rehearsal.simulator import simulator
from storage.keys import load_keys
from storage.migrate import migrate
from storage.names import DEFAULT_ACCOUNT, register
from storage.pool import Database

BATCH = 500
PATH = "/hooks"
KILLS = 2
REFUSES_EVERY = 5
STALL_SECONDS_MAX = 30.0  # a second attempt is 5 s after the first
PROFILE = """\
answer_latency_ms = [0, 20]
receipt_delay_ms = [0, 200]
scripted_destinations = false
"""


class Receiver:
    """Counts what is told. `told`: message -> the ids of events that told its last status."""

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = {}
        self.requests = 0
        self.refused = 0
        self.repeated = 0
        self._taken: set[str] = set()
        self._refused: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        """One request. Every fifth is refused, but no event twice."""
        body = await request.read()
        event = request.headers["webhook-id"]
        self.requests += 1
        if self.requests % REFUSES_EVERY == 0 and event not in self._refused:
            self._refused.add(event)
            self.refused += 1
            return web.Response(status=500)
        self.repeated += event in self._taken
        self._taken.add(event)
        data = msgspec.json.decode(body)["data"]
        if data["final"]:
            self.told.setdefault(data["id"], set()).add(event)
        return web.Response(status=204)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many messages."""
    parser.add_argument("--messages", type=int, default=10_000)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """What was told of how many messages, and how often."""
    return run_to_the_end(_run(arguments.messages))


async def _run(messages: int) -> dict[str, object]:
    receiver = Receiver()
    accepted: list[str] = []
    final: set[str] = set()
    began = time.perf_counter()
    with gateways.folder() as path:
        async with _receiving(receiver) as url, simulator(path, PROFILE) as carrier:
            config = await _prepared(path, carrier.port, url)
            for life in range(KILLS + 1):
                killed = life < KILLS
                share = messages // (KILLS + 1) if killed else messages - len(accepted)
                say(f"life {life + 1}: {share} messages")
                async with gateway(config) as running:
                    await _send(running, share, accepted)
                    if killed:
                        await _heard(receiver, len(accepted) - share // 2)
                        running.kill()
                        await running.exit()
                    else:
                        final = await _final(running, receiver, accepted)
    several = sum(len(ids) > 1 for ids in receiver.told.values())
    missing = len(final - set(receiver.told))
    return {
        "durable": "each event is owed in the transaction that made it true",
        "rounds": {
            "two kills": [
                {
                    "messages": len(accepted),
                    "final": len(final),
                    "told": len(final & set(receiver.told)),
                    "requests": receiver.requests,
                    "refused": receiver.refused,
                    "told_again_under_their_id": receiver.repeated,
                    "seconds": round(time.perf_counter() - began, 1),
                }
            ]
        },
        "verdicts": [
            Verdict("final messages that nobody was told of", missing, 0, at_most=True),
            Verdict("final messages told under two ids", several, 0, at_most=True),
        ],
    }


@contextlib.asynccontextmanager
async def _receiving(receiver: Receiver) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post(PATH, receiver.handle)
    async with serving(application) as url:
        yield url + PATH


async def _prepared(path: Path, port: int, url: str) -> Path:
    """A database with one endpoint, and the configuration of the gateway."""
    data = path / "data"
    database = await Database.open("embedded", data, application_name="benchmark")
    try:
        connection = await database.dedicated("setup").connection()
        await migrate(connection)
        registry = await register(connection, [], [])
        now = datetime.now(UTC)
        endpoint = Endpoint(
            id=1, account=registry.accounts[DEFAULT_ACCOUNT], url=url, events=("message.*",),
            secrets=(Secret(new_secret()),), since=now, created_at=now,
        )  # fmt: skip
        async with connection.transaction():
            await endpoints.create(connection, SecretBox(load_keys(data, {})), endpoint)
    finally:
        await database.close()
    connectors = [gateways.connector("simulator", port)]
    wanted = Configuration(data_dir=data, connectors=connectors, more=LOCAL_WEBHOOKS)
    return wanted.write(path / "smsgate.toml")


async def _send(running: Running, count: int, accepted: list[str]) -> None:
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        items = await running.send(gateways.messages(size, len(accepted)))
        accepted += [item["id"] for item in items]


async def _heard(receiver: Receiver, count: int) -> None:
    """Wait until so many messages' last status was told. Raises BenchmarkFailed."""

    async def told() -> float:
        return len(receiver.told)

    await gateways.until_counted(told, count, "messages told", STALL_SECONDS_MAX)


async def _final(running: Running, receiver: Receiver, accepted: list[str]) -> set[str]:
    """The messages with a last status, once all are told or no more come.

    The carrier may owe some a receipt, which a kill has cost.
    """
    with contextlib.suppress(BenchmarkFailed):
        await _heard(receiver, len(accepted))
    untold = [each for each in accepted if each not in receiver.told]
    pending = {each for each in untold if not (await running.message(each))["final"]}
    return set(accepted) - pending
