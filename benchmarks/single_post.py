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
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks import gateways, http_load, kannel, load_shapes
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.http_load import Load
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.simulator import simulator

OURS, KANNEL, BARE = "smsgate", "kannel", "bare_handler"
KANNEL_REQUIRED = 1.5  # times Kannel
BARE_AIM = 0.35  # of the bare handler

Figures = dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=20_000, help="of each, in each round")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Requests a second, and how long an answer took."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    ways: dict[str, Callable[[argparse.Namespace, Path], Awaitable[Figures]]] = {
        OURS: _ours,
        BARE: _bare,
    }
    if kannel.installed():
        ways[KANNEL] = _kannel
    else:
        say(kannel.NOT_INSTALLED)
    runs: dict[str, list[Figures]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            with gateways.folder() as folder:
                figures = await way(arguments, folder)
            say(
                f"round {number + 1}: {name} {figures['per_second']:.0f}/s,"
                f" p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"
            )
            runs[name].append(figures)
    medians = {name: _medians(several) for name, several in runs.items()}
    return {
        "messages": arguments.messages,
        "connections": arguments.connections,
        "durable": "smsgate: synchronous_commit=on, embedded PostgreSQL; the others: not",
        "kannel": kannel.version() if KANNEL in ways else kannel.NOT_INSTALLED,
        "medians": medians,
        "rounds": runs,
        "verdicts": _verdicts({name: each["per_second"] for name, each in medians.items()}),
    }


def _medians(several: Sequence[Figures]) -> Figures:
    return {
        key: round(statistics.median(figures[key] for figures in several), 2) for key in several[0]
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


def _figures(load: Load, processors: Processors, messages: int) -> Figures:
    return {
        "per_second": round(load.per_second),
        "p50_ms": round(load.quantile_ms(0.5), 2),
        "p99_ms": round(load.quantile_ms(0.99), 2),
        **{
            f"{name}_microseconds": each for name, each in processors.microseconds(messages).items()
        },
    }


async def _ours(arguments: argparse.Namespace, folder: Path) -> Figures:
    messages = arguments.messages
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        gateways.running_with(folder, [gateways.connector("bench", carrier.port)]) as running,
    ):
        processors = Processors(gateways.processes_of(running))
        load = await load_shapes.single_posts(running, messages, arguments.connections)
        await gateways.until_final(running, messages)
        figures = _figures(load, processors, messages)
    judgement = carrier.judgement()
    if judgement.submits != messages or judgement.repeats:
        raise BenchmarkFailed(f"{messages} accepted, but {judgement}")
    return figures


async def _kannel(arguments: argparse.Namespace, folder: Path) -> Figures:
    messages = arguments.messages
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        load_shapes.kannel_calling_back(folder, carrier) as (peer, sink),
    ):
        processors = Processors({"kannel": peer.pids})
        load = await load_shapes.kannel_gets(peer, sink, messages, arguments.connections)
        await load_shapes.until_called_back(sink, carrier, messages)
        return _figures(load, processors, messages)


async def _bare(arguments: argparse.Namespace, folder: Path) -> Figures:
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
        return _figures(load, processors, arguments.messages)


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
