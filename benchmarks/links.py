"""Links made: messages with a short link each beside the same without, and links of no message.

Owns that measurement. Must not give a figure of a run that lost or repeated a message, or made too
few links. What a click takes is asked by `redirect`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from functools import partial
from pathlib import Path

from benchmarks import costs, gateways, judgement, load_shapes
from benchmarks.gateways import BenchmarkFailed
from benchmarks.http_load import Load
from benchmarks.result import Figures, in_turns, medians, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.verdicts import Verdict
from gateway.rehearsal.client import session_of
from gateway.rehearsal.processes import free_port
from gateway.rehearsal.running import Running, create_key
from gateway.rehearsal.simulator import simulator

PLAIN, LINKED, BULK = "messages without a link", "messages with a link", "links of no message"
LINK = "https://shop.example/order/{n}?from=sms"
LINKED_TEXT = "Your parcel {n} is on its way: " + LINK + " Reply HELP for help."
COST_REQUIRED, COST_AIM = 2.0, 1.3  # of a message with a link, over one without
BULK_SIZE = 1_000
MADE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=30_000, help="of each way")
    parser.add_argument("--links", type=int, default=10_000, help="of no message")
    parser.add_argument("--rounds", type=int, default=3)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Messages and links a second, and what each cost."""
    return run_to_end(_run(arguments.messages, arguments.links, arguments.rounds))


async def _run(messages: int, links: int, rounds: int) -> dict[str, object]:
    found = await in_turns(
        {
            PLAIN: partial(with_text, gateways.TEXT, messages, 0),
            LINKED: partial(with_text, LINKED_TEXT, messages, messages),
            BULK: partial(_bulk, links),
        },
        rounds,
    )
    middle = medians(found)
    cost = {name: middle[name]["gateway_us"] for name in (PLAIN, LINKED)}
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": found,
        "verdicts": [
            Verdict(
                "gateway's cost of a message with a link, over one without",
                round(cost[LINKED] / cost[PLAIN], 2),
                COST_REQUIRED,
                COST_AIM,
                at_most=True,
            )
        ],
    }


async def with_text(text: str, messages: int, links: int, folder: Path) -> Figures:
    """The whole road; so many `links` have to be there in the end."""
    async with simulator(folder, gateways.INSTANT) as carrier:
        connector = gateways.connector("bench", carrier.port)
        async with costs.watched(folder, [connector]) as watched:
            began = time.perf_counter()
            load = await load_shapes.batches(
                watched.running, messages, size=500, concurrency=2, text=text
            )
            final_at = await gateways.until_final(watched.running, messages)
            await watched.end(messages)
            accepted = map(judgement.bare, range(messages))
            await judgement.ours_adds_up(accepted, carrier, watched.connection)
        short = sum(b"http://127.0.0.1:" in line.octets for line in carrier.ledger())
    if short != links:
        raise BenchmarkFailed(f"{short} messages of {messages} went out with a short link")
    return {
        "per_second": round(messages / (final_at - began)),
        **quantiles_ms(load.answer_seconds),
        **watched.figures(),
    }


async def _bulk(links: int, folder: Path) -> Figures:
    async with costs.watched(folder, [gateways.connector("away", free_port(), binds=1)]) as watched:
        running = watched.running
        key = await create_key(running.config, "links", "--scopes", "links:write")
        await watched.begin()
        load = await make(running, key, links)
        await watched.end(links)
        stored = await watched.connection.fetchval("SELECT count(*) FROM link")
    if stored != links:
        raise BenchmarkFailed(f"{links} links were asked for, but {stored} are stored")
    return {
        "per_second": round(links / load.seconds),
        **quantiles_ms(load.answer_seconds),
        **watched.figures(),
    }


async def make(running: Running, key: str, links: int) -> Load:
    """So many links in POST /v1/links/bulk, two requests at once. BenchmarkFailed for a refusal."""
    load = Load()
    requests = iter(range(0, links, BULK_SIZE))
    async with session_of(key) as session:

        async def worker() -> None:
            for first in requests:
                numbers = range(first, min(first + BULK_SIZE, links))
                body = {"links": [{"url": LINK.format(n=n)} for n in numbers]}
                asked = time.perf_counter()
                async with session.post(f"{running.api}/v1/links/bulk", json=body) as response:
                    answer = await response.json()
                load.answer_seconds.append(time.perf_counter() - asked)
                if response.status != MADE or answer["made"] != len(numbers):
                    raise BenchmarkFailed(f"links were answered {response.status}: {answer}"[:300])

        began = time.perf_counter()
        await asyncio.gather(worker(), worker())
        load.seconds = time.perf_counter() - began
    return load
