"""Accepting alone: batches and single POSTs until their 202, with no carrier to send to.

Owns that measurement. Must not give a figure of a run that lost anything: each accepted message has
to be in the table, once.

The connector's carrier is away, so nothing leaves: what is left is HTTP, checks, sealing and the
commit. The ways take turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from benchmarks import costs, gateways, load_shapes
from benchmarks.gateways import BenchmarkFailed
from benchmarks.http_load import Load
from benchmarks.result import Figures, in_turns, medians, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.verdicts import Verdict
from gateway.rehearsal.processes import free_port
from gateway.rehearsal.running import Running

BATCHES, SINGLE = "batches", "single POSTs"
# Many messages share a commit, so an fsync is for many of them.
FSYNCS_REQUIRED = {BATCHES: 0.01, SINGLE: 0.2}

Send = Callable[[argparse.Namespace, Running], Awaitable[Load]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=50_000, help="messages in batches")
    parser.add_argument("--batch", type=int, default=500, help="messages in one POST")
    parser.add_argument("--concurrency", type=int, default=2, help="POSTs of batches at once")
    parser.add_argument("--single", type=int, default=10_000, help="messages in single POSTs")
    parser.add_argument("--connections", type=int, default=50, help="for single POSTs")
    parser.add_argument("--rounds", type=int, default=3)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Messages accepted a second, how long an answer took, and what a message cost."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    ways = {
        BATCHES: partial(_accepted, arguments, batches, arguments.messages),
        SINGLE: partial(_accepted, arguments, single_posts, arguments.single),
    }
    rounds = await in_turns(ways, arguments.rounds)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL: 202 after the commit",
        "rounds": rounds,
        "verdicts": [
            Verdict(
                f"fsyncs a message, {name}",
                figures["fsyncs"],
                required=FSYNCS_REQUIRED[name],
                at_most=True,
            )
            for name, figures in medians(rounds).items()
        ],
    }


async def batches(arguments: argparse.Namespace, running: Running) -> Load:
    """So many, of such a size, so many at once as is asked."""
    return await load_shapes.batches(
        running, arguments.messages, size=arguments.batch, concurrency=arguments.concurrency
    )


async def single_posts(arguments: argparse.Namespace, running: Running) -> Load:
    """So many on so many connections as is asked."""
    return await load_shapes.single_posts(running, arguments.single, arguments.connections)


async def _accepted(
    arguments: argparse.Namespace, send: Send, messages: int, folder: Path
) -> Figures:
    nobody = gateways.connector("away", free_port(), binds=1)
    async with costs.watched(folder, [nobody]) as watched:
        load = await send(arguments, watched.running)
        await watched.end(messages)
        stored = await watched.connection.fetchval("SELECT count(*) FROM message")
    if stored != messages:
        raise BenchmarkFailed(f"{messages} were accepted, but {stored} are stored")
    return {
        "messages": messages,
        "per_second": round(messages / load.seconds),
        **quantiles_ms(load.answer_seconds),
        **watched.figures(),
    }
