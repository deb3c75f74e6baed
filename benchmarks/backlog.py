"""A backlog from a thousand to a million messages: its filling, its keeping, and a kill under it.

Owns that measurement. Must not let the backlog drain: the connector has a pace.

At each level messages are held waiting, one in for one out. What a message costs there, and the
gateway's memory, must not follow the level. At the top the gateway is killed and started again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.result import Figures
from benchmarks.running import run as run_to_end
from benchmarks.verdicts import Verdict
from benchmarks.waiting import Backlog, climb, cost_verdict, memory_verdict
from gateway.rehearsal.running import gateway
from gateway.rehearsal.simulator import simulator

AGAIN = "killed and started again"
READY_REQUIRED, READY_AIM = 30.0, 10.0  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much waits, and how fast it goes."""
    parser.add_argument("--waiting", type=int, default=1_000_000, help="at the top")
    parser.add_argument("--pace", type=int, default=1_000, help="parts a second of the connector")
    parser.add_argument("--seconds", type=float, default=3.0, help="of an interval of a level")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Each level's cost and memory, and the seconds until a start with all of it sends again."""
    return run_to_end(_run(arguments.waiting, arguments.pace, arguments.seconds))


async def _run(waiting: int, pace: int, seconds: float) -> dict[str, object]:
    with gateways.folder() as folder:
        async with simulator(folder, gateways.INSTANT) as carrier:
            connector = gateways.connector("paced", carrier.port, binds=1, rate=f"{pace}/s")
            found, again = await levels_and_kill(
                gateways.written(folder, [connector]), waiting, seconds
            )
        judgement = carrier.judgement()
    # What was on the wire at the kill is in doubt, and marketing in doubt is not sent again.
    if judgement.repeats or judgement.refused:
        raise BenchmarkFailed(f"the carrier's ledger says {judgement}")
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {**{str(level): [each] for level, each in found.items()}, AGAIN: [again]},
        "verdicts": verdicts(found, again),
    }


async def levels_and_kill(
    config: Path, waiting: int, seconds: float
) -> tuple[dict[int, Figures], Figures]:
    """Of each level, and of the start after a kill at the highest."""
    async with gateway(config) as running:
        backlog = Backlog(running)
        found = await climb(running, backlog, waiting, seconds)
        running.kill()
        await running.exit()
    began = time.perf_counter()
    async with gateway(config, key=running.key) as running:
        ready = time.perf_counter()
        sent_at = await gateways.until_submitted(running, 1)
        again = {
            "ready_seconds": round(ready - began, 2),
            "first_submit_seconds": round(sent_at - began, 2),
            "gateway_mib": gateways.resident_mib(running),
        }
    return found, again


def verdicts(found: Mapping[int, Figures], again: Figures) -> list[Verdict]:
    """That neither cost nor memory follow the level, and that a start is quick."""
    return [
        cost_verdict(found),
        memory_verdict(found),
        Verdict(
            f"from start to first submit, {max(found)} wait",
            again["first_submit_seconds"],
            READY_REQUIRED,
            READY_AIM,
            at_most=True,
            unit="s",
        ),
    ]
