"""HTTP in, SMPP out, receipt recorded: the whole road, durable, and Kannel on the same road.

Owns the comparison. Must not give a figure of a run that lost or repeated anything: the carrier's
ledger is judged.

Both get the same simulated carrier, a fresh one in each run. The runs alternate, so that a busy
moment of the machine hits both alike. smsgate is sent batches, then single POSTs on as many
connections as Kannel's sendsms. The clock stops when the last final status is committed. For Kannel
it stops when its last receipt was called back.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import gateways, kannel, load_shapes
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import simulator

REQUIRED, AIM = 5.0, 10.0  # times Kannel

Figures = Mapping[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=150_000, help="messages in batches")
    parser.add_argument("--batch", type=int, default=500, help="messages in one POST")
    parser.add_argument("--concurrency", type=int, default=2, help="POSTs of batches at once")
    parser.add_argument("--single", type=int, default=20_000, help="messages in single POSTs")
    parser.add_argument("--kannel", type=int, default=20_000, help="messages through Kannel")
    parser.add_argument("--connections", type=int, default=50, help="for single POSTs and Kannel")
    parser.add_argument("--rounds", type=int, default=3, help="of each, alternating")
    parser.add_argument("--binds", type=int, default=2, help="smsgate's sessions")
    parser.add_argument("--window", type=int, default=500, help="of each of them")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Messages a second from the first request to the last final status, and who used the
    processor.

    A way whose count is 0 is left out.
    """
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    ways: dict[str, Callable[[argparse.Namespace, Path], Awaitable[dict[str, object]]]] = {}
    if arguments.messages:
        ways["smsgate_batch"] = _batches
    if arguments.single:
        ways["smsgate_single"] = _single
    if arguments.kannel and kannel.installed():
        ways["kannel"] = _kannel
    elif arguments.kannel:
        say(kannel.NOT_INSTALLED)
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            with gateways.folder() as folder:
                figures = await way(arguments, folder)
            say(f"round {number + 1}: {name} {figures['end_to_end_per_second']} messages/s")
            runs[name].append(figures)
    medians = {
        name: statistics.median(_rate(figures) for figures in several)
        for name, several in runs.items()
    }
    return {
        "durable": "smsgate: synchronous_commit=on, embedded PostgreSQL; Kannel: nothing stored",
        "kannel": kannel.version() if "kannel" in ways else kannel.NOT_INSTALLED,
        "end_to_end_per_second": medians,
        "over_kannel": _ratios(medians),
        "rounds": runs,
        "verdicts": _verdicts(_ratios(medians)),
    }


def _rate(figures: Figures) -> float:
    rate = figures["end_to_end_per_second"]
    assert isinstance(rate, int)
    return rate


def _ratios(medians: Mapping[str, float]) -> dict[str, float]:
    peer = medians.get("kannel")
    return {} if peer is None else {name: round(rate / peer, 2) for name, rate in medians.items()}


def _verdicts(ratios: Mapping[str, float]) -> list[Verdict]:
    """The requirement is the batches'; of single POSTs the ratio is shown."""
    if "smsgate_batch" not in ratios:
        return []
    what = "end to end, batches, over Kannel without store"
    return [Verdict(what, ratios["smsgate_batch"], REQUIRED, AIM)]


# --- smsgate -------------------------------------------------------------------------------------


async def _batches(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    return await _ours(arguments, folder, partial(_send_batches, arguments), arguments.messages)


async def _single(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    return await _ours(arguments, folder, partial(_send_single, arguments), arguments.single)


async def _ours(
    arguments: argparse.Namespace,
    folder: Path,
    send: Callable[[Running], Awaitable[object]],
    messages: int,
) -> dict[str, object]:
    async with simulator(folder, gateways.INSTANT) as carrier:
        connector = gateways.connector("bench", carrier.port, arguments.binds, arguments.window)
        async with gateways.running_with(folder, [connector]) as running:
            processors = Processors(gateways.processes_of(running) | {"simulator": [carrier.pid]})
            began = time.perf_counter()
            await send(running)
            accepted_at = time.perf_counter()
            final_at = await gateways.until_final(running, messages)
            used = processors.microseconds(messages)
            counts = await running.counts()
    judgement = carrier.judgement()
    if not messages == counts["delivered"] == judgement.submits or judgement.repeats:
        raise BenchmarkFailed(f"{messages} accepted, but {counts} and {judgement}")
    return {
        "messages": messages,
        "binds": arguments.binds,
        "window": arguments.window,
        "accepted_per_second": round(messages / (accepted_at - began)),
        "end_to_end_per_second": round(messages / (final_at - began)),
        "processor_microseconds_per_message": used,
    }


async def _send_batches(arguments: argparse.Namespace, running: Running) -> None:
    await load_shapes.batches(
        running, arguments.messages, size=arguments.batch, concurrency=arguments.concurrency
    )


async def _send_single(arguments: argparse.Namespace, running: Running) -> None:
    await load_shapes.single_posts(running, arguments.single, arguments.connections)


# --- Kannel --------------------------------------------------------------------------------------


async def _kannel(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        load_shapes.kannel_calling_back(folder, carrier) as (peer, sink),
    ):
        bearerbox, smsbox = peer.pids
        processors = Processors(
            {
                "bearerbox": [bearerbox],
                "smsbox": [smsbox],
                "simulator": [carrier.pid],
            }
        )
        began = time.perf_counter()
        load = await load_shapes.kannel_gets(peer, sink, arguments.kannel, arguments.connections)
        await load_shapes.until_called_back(sink, carrier, arguments.kannel)
        used = processors.microseconds(arguments.kannel)
    return {
        "messages": arguments.kannel,
        "binds": 1,
        "window": kannel.WINDOW,
        "accepted_per_second": round(load.per_second),
        "end_to_end_per_second": round(arguments.kannel / (sink.last_at - began)),
        "processor_microseconds_per_message": used,
    }
