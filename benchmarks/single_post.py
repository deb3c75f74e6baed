"""Single POSTs: every message validated and durable before its 202, receipts requested.

Owns the comparison. Must not give a figure of a run that lost or repeated anything: what was
accepted also has to arrive.

Beside it are Kannel's sendsms without a store, and a bare aiohttp handler that answers at once.
Each is in processes of its own, under the same load, one after the other in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import costs, gateways, http_load, judgement, kannel, load_shapes
from benchmarks.gateways import Processors
from benchmarks.http_load import Load
from benchmarks.result import Figures, Way, in_turns, medians, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.simulator import simulator

OURS, KANNEL, BARE = "smsgate", "Kannel without a store", "bare handler"
KANNEL_REQUIRED = 1.5  # times Kannel
BARE_AIM = 0.35  # of the bare handler


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=20_000, help="of each, in each round")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Requests a second, and how long an answer took."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    ways: dict[str, Way] = {OURS: partial(_ours, arguments), BARE: partial(_bare, arguments)}
    if kannel.installed():
        ways[KANNEL] = partial(_kannel, arguments)
    else:
        say(kannel.NOT_INSTALLED)
    rounds = await in_turns(ways, arguments.rounds)
    return {
        "durable": "smsgate: synchronous_commit=on, embedded PostgreSQL; the others: not",
        "peers": {"kannel": kannel.version()},
        "rounds": rounds,
        "verdicts": _verdicts(
            {name: figures["per_second"] for name, figures in medians(rounds).items()}
        ),
    }


def _verdicts(rates: Mapping[str, float]) -> list[Verdict]:
    found = [
        Verdict(
            "single POST over the bare aiohttp handler",
            round(rates[OURS] / rates[BARE], 3),
            aim=BARE_AIM,
        )
    ]
    if KANNEL in rates:
        found.append(
            Verdict(
                "single POST over Kannel without store",
                round(rates[OURS] / rates[KANNEL], 2),
                required=KANNEL_REQUIRED,
            )
        )
    return found


def _answers(load: Load) -> Figures:
    return {"per_second": round(load.per_second), **quantiles_ms(load.answer_seconds)}


def _beside(load: Load, processors: Processors, messages: int) -> Figures:
    return _answers(load) | processors.microseconds(messages)


async def _ours(arguments: argparse.Namespace, folder: Path) -> Figures:
    messages = arguments.messages
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        costs.watched(folder, [gateways.connector("bench", carrier.port)]) as watched,
    ):
        load = await load_shapes.single_posts(watched.running, messages, arguments.connections)
        await gateways.until_final(watched.running, messages)
        await watched.end(messages)
        accepted = map(judgement.bare, range(messages))
        await judgement.ours_adds_up(accepted, carrier, watched.connection)
    return _answers(load) | watched.figures()


async def _kannel(arguments: argparse.Namespace, folder: Path) -> Figures:
    messages = arguments.messages
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        load_shapes.kannel_calling_back(folder, carrier) as (peer, sink),
    ):
        processors = Processors({"kannel": peer.pids})
        load = await load_shapes.peer_gets(peer, sink, messages, arguments.connections)
        await load_shapes.until_called_back(sink, carrier, messages)
        return _beside(load, processors, messages)


async def _bare(arguments: argparse.Namespace, _folder: Path) -> Figures:
    async with bare_handler() as (address, pid):
        processors = Processors({"handler": [pid]})
        encode = msgspec.json.encode
        load = await http_load.drive(
            address,
            (
                http_load.post(address, "/v1/messages", encode(body), "Authorization: Bearer none")
                for body in gateways.messages(arguments.messages)
            ),
            connections=arguments.connections,
            answered=load_shapes.check_accepted,
        )
        return _beside(load, processors, arguments.messages)


@contextlib.asynccontextmanager
async def bare_handler() -> AsyncIterator[tuple[str, int]]:
    """Its address and its process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.bare_handler",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip(), process.pid
    finally:
        process.stdin.close()
        await process.wait()
