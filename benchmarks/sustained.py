"""A million messages in one run: what each stretch of 50 000 costs, past every bound there is.

Owns that measurement. Must not give a figure of a run that lost or repeated anything: the carrier's
ledger is judged.

The gateway remembers some 100 000 carrier ids, 200 000 recipients of a gap, and so on. What a bound
costs shows only behind it, so this run goes far past all of them. Batches go in and receipts are
recorded. Each stretch ends when its last final status is committed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from benchmarks import costs, gateways, judgement, load_shapes
from benchmarks.costs import Watched
from benchmarks.result import Figures, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.simulator import simulator

STRETCH = 50_000
GAP = "[limits]\nrecipient_gap_seconds = 0.001\n"  # each number comes once: nobody waits

# Of the gateway's processor time per message, the last quarter over the stretches before it:
COST_REQUIRED, COST_AIM = 1.2, 1.05


class Shape(NamedTuple):
    """Of the load: messages in all, in a stretch and in a POST, and POSTs at once."""

    messages: int
    stretch: int
    batch: int
    concurrency: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--stretch", type=int, default=STRETCH, help="messages between two looks")
    parser.add_argument("--batch", type=int, default=500, help="messages in one POST")
    parser.add_argument("--concurrency", type=int, default=2, help="POSTs of batches at once")
    parser.add_argument("--gap", action="store_true", help="with a least gap between messages")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """For each stretch: messages a second, processor microseconds a message, resident memory."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    shape = Shape(arguments.messages, arguments.stretch, arguments.batch, arguments.concurrency)
    with gateways.folder() as folder:
        async with simulator(folder, gateways.INSTANT) as carrier:
            connector = gateways.connector("bench", carrier.port)
            more = GAP if arguments.gap else ""
            async with costs.watched(folder, [connector], more=more) as watched:
                figures = [stretch async for stretch in stretches(shape, watched)]
                accepted = map(judgement.bare, range(shape.messages))
                await judgement.ours_adds_up(accepted, carrier, watched.connection)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {f"{stretch['messages']:.0f}": [stretch] for stretch in figures},
        "verdicts": verdicts([stretch["gateway_us"] for stretch in figures]),
    }


async def stretches(shape: Shape, watched: Watched) -> AsyncIterator[Figures]:
    """Each stretch, once its last final status is committed."""
    running = watched.running
    for first in range(0, shape.messages, shape.stretch):
        messages = min(shape.stretch, shape.messages - first)
        await watched.begin()
        began = time.perf_counter()
        load = await load_shapes.batches(
            running, messages, size=shape.batch, concurrency=shape.concurrency, first=first
        )
        final_at = await gateways.until_final(running, first + messages)
        await watched.end(messages)
        figures = {
            "messages": first + messages,
            "per_second": round(messages / (final_at - began)),
            **quantiles_ms(load.answer_seconds),
            "gateway_mib": gateways.resident_mib(running),
            **watched.figures(),
        }
        say("  ".join(f"{name} {figure}" for name, figure in figures.items()))
        yield figures


def verdicts(costs: Sequence[float]) -> list[Verdict]:
    """The first stretch fills caches and is left out; of fewer than eight nothing is said."""
    if len(costs) < 8:
        return []
    quarter = len(costs) // 4
    before, last = costs[1 : 1 + quarter], costs[-quarter:]
    ratio = round(statistics.median(last) / statistics.median(before), 3)
    what = f"gateway's cost of the last {quarter} stretches over the first {quarter}"
    return [Verdict(what, ratio, COST_REQUIRED, COST_AIM, at_most=True)]
