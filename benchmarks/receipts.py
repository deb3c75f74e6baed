"""A flood of receipts: how many a second are matched to their messages and stored.

Owns that measurement. Must not give a figure of a run that lost a receipt or told one late.

The carrier answers every submit and holds its receipts back. Before they are due it is stopped, and
let go on when all are. So they come as fast as the gateway acknowledges them, and nothing else is
done meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

from benchmarks import costs, gateways, judgement, load_shapes
from benchmarks.gateways import BenchmarkFailed
from benchmarks.result import Figures, in_turns, medians
from benchmarks.running import run as run_to_end
from benchmarks.verdicts import Verdict
from gateway.rehearsal.simulator import simulator

WAY = "flood"
REQUIRED = 20_000.0
STOPPED_BEFORE_SECONDS = 1.0  # the first receipt is due


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and how long the carrier holds them back."""
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--held", type=float, default=12.0, help="seconds, enough to send all")
    parser.add_argument("--rounds", type=int, default=3)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Receipts stored a second, and what one cost."""
    return run_to_end(_run(arguments.messages, arguments.held, arguments.rounds))


async def _run(messages: int, held: float, rounds: int) -> dict[str, object]:
    found = await in_turns({WAY: partial(flood, messages, held)}, rounds)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL: acknowledged after the commit",
        "rounds": found,
        "verdicts": [
            Verdict("receipts stored a second", medians(found)[WAY]["per_second"], REQUIRED)
        ],
    }


async def flood(messages: int, held: float, folder: Path) -> Figures:
    """One of them. BenchmarkFailed when the messages were not sent before their receipts."""
    async with simulator(folder, gateways.receipts_after(round(held * 1000))) as carrier:
        connector = gateways.connector("bench", carrier.port)
        beside = {"simulator": [carrier.pid]}
        async with costs.watched(folder, [connector], beside=beside) as watched:
            began = time.perf_counter()
            await load_shapes.batches(watched.running, messages, size=500, concurrency=2)
            submitted_at = await gateways.until_submitted(watched.running, messages)
            due = began + held - STOPPED_BEFORE_SECONDS
            if time.perf_counter() > due:
                raise BenchmarkFailed(f"sending took longer than {held:g} s: ask for more --held")
            await asyncio.sleep(due - time.perf_counter())
            os.kill(carrier.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(submitted_at + held - time.perf_counter())
                await watched.begin()
                let_go = time.perf_counter()
            finally:
                os.kill(carrier.pid, signal.SIGCONT)
            final_at = await gateways.until_final(watched.running, messages)
            await watched.end(messages)
            accepted = map(judgement.bare, range(messages))
            await judgement.ours_adds_up(
                accepted, carrier, watched.connection, held * 2 + judgement.LATE_SECONDS
            )
    return {
        "messages": messages,
        "per_second": round(messages / (final_at - let_go)),
        **watched.figures(),
    }
