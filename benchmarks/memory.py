"""Memory and handles of a gateway: idle, after each stretch that it carried, and with a backlog.

Owns that measurement. Must not give a figure of a run that lost or repeated anything.

What is remembered has a bound, so from the second stretch on nothing may grow. What waits is in
PostgreSQL, and the gateway holds a bounded part of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import psutil

from benchmarks import costs, gateways, judgement, load_shapes
from benchmarks.costs import Watched
from benchmarks.result import Figures
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.configuration import Route
from gateway.rehearsal.processes import free_port
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import simulator

IDLE, WAITING = "idle", "waiting"
AWAY_PREFIX = "+86139"
BATCH = 500
GROWTH_REQUIRED, GROWTH_AIM = 30.0, 5.0  # MiB, from the second stretch to the last
PEAK_REQUIRED, PEAK_AIM = 300.0, 150.0  # MiB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is carried, and how much waits then."""
    parser.add_argument("--messages", type=int, default=400_000, help="carried, in all")
    parser.add_argument("--stretches", type=int, default=4)
    parser.add_argument("--waiting", type=int, default=100_000, help="for a carrier that is away")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Resident and peak memory, handles and threads at each stage."""
    return run_to_end(_run(arguments.messages, arguments.stretches, arguments.waiting))


async def _run(messages: int, stretches: int, waiting: int) -> dict[str, object]:
    with gateways.folder() as folder:
        async with simulator(folder, gateways.INSTANT) as carrier:
            connectors = [
                gateways.connector("bench", carrier.port),
                gateways.connector("away", free_port(), binds=1),
            ]
            routes = [Route(["away"], f'prefix = ["{AWAY_PREFIX}"]'), Route(["bench"])]
            async with costs.watched(folder, connectors, routes) as watched:
                found = await stages(watched, messages, stretches, waiting)
                accepted = map(judgement.bare, range(messages))
                await judgement.ours_adds_up(accepted, carrier, watched.connection)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {name: [each] for name, each in found.items()},
        "verdicts": verdicts(found),
    }


async def stages(
    watched: Watched, messages: int, stretches: int, waiting: int
) -> dict[str, Figures]:
    """Its figures at each of them, in order."""
    running = watched.running
    found = {IDLE: _now(running)}
    size = -(-messages // stretches)
    for first in range(0, messages, size):
        count = min(size, messages - first)
        await load_shapes.batches(running, count, size=BATCH, concurrency=2, first=first)
        await gateways.until_final(running, first + count)
        found[f"{first + count} carried"] = _now(running)
    for first in range(0, waiting, BATCH):
        numbers = range(first, min(first + BATCH, waiting))
        await running.send(
            [
                {"to": f"{AWAY_PREFIX}{n:08d}", "from": gateways.SENDER, "text": "Later"}
                for n in numbers
            ]
        )
    found[f"{waiting} {WAITING}"] = _now(running)
    for name, figures in found.items():
        say(f"{name}: {figures}")
    return found


def verdicts(found: Mapping[str, Figures]) -> list[Verdict]:
    """That nothing grows with what was carried, and the most that it ever was."""
    carried = [each["gateway_mib"] for name, each in found.items() if name.endswith("carried")]
    growth = [
        Verdict(
            "memory from the second stretch to the last grows by",
            round(carried[-1] - carried[1], 1),
            GROWTH_REQUIRED,
            GROWTH_AIM,
            at_most=True,
            unit="MiB",
        )
    ]
    peak = max(each["gateway_peak_mib"] for each in found.values())
    most = Verdict("peak memory", peak, PEAK_REQUIRED, PEAK_AIM, at_most=True, unit="MiB")
    return [*(growth if len(carried) > 2 else []), most]


def _now(running: Running) -> Figures:
    process = psutil.Process(running.pid)
    return {
        "gateway_mib": gateways.resident_mib(running),
        "gateway_peak_mib": costs.peak_mib(running.pid),
        "handles": process.num_fds(),
        "threads": process.num_threads(),
    }
