"""Simulated hours of sending, with faults: nothing lost, nothing doubled in silence, nothing stuck.

Owns which hours are run, on how many processors, and what is told of one that fails. That is the
shortest schedule that fails alike, for `--replay`. Must not judge (simulated/judge.py).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import say
from benchmarks.simulated.schedule import Schedule, draw, read, text_of
from benchmarks.simulated.shrinking import shrink
from benchmarks.simulated.world import Ran
from benchmarks.simulated.world import run as run_world
from benchmarks.verdicts import Verdict

HOUR_SECONDS = 3_600
HOURS_AT_ONCE = 4
SHRUNK_MAX = 3  # failing hours; the others are named
SHOWN_MAX = 5  # faults of one


class Hour(msgspec.Struct):
    """One that was run; `schedule` draws it again."""

    schedule: str
    ran: Ran


def hour(seed: int, number: int) -> Hour:
    """One hour of a seed."""
    name = f"{seed}/{number}"
    return Hour(name, run_world(draw(name)))


def hours(seed: int, numbers: Iterable[int], processes: int) -> list[Hour]:
    """Each in a world of its own, shared out to so many processes."""
    if processes == 1:
        return [hour(seed, number) for number in numbers]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(partial(hour, seed), numbers, chunksize=HOURS_AT_ONCE)


def shortest(schedule: Schedule, faults: list[str]) -> Schedule:
    """The shortest schedule with a fault of the same kind as the first of these."""
    kind = faults[0].partition(":")[0]

    def fails(tried: Schedule) -> bool:
        return any(fault.startswith(kind) for fault in run_world(tried).faults)

    return shrink(schedule, fails)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--hours", type=int, default=1_000, help="that are simulated")
    parser.add_argument("--seed", type=int, default=1, help="of all of them")
    parser.add_argument("--first", type=int, default=0, help="hour of this seed")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="that share the hours"
    )
    parser.add_argument("--replay", metavar="FILE", help="a schedule, one JSON line a step")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """What was carried. BenchmarkFailed where a promise was broken; the schedules are told."""
    if arguments.replay:
        return _replayed(read(Path(arguments.replay).read_text(encoding="utf-8")))
    if arguments.hours < 1:
        raise BenchmarkFailed(f"{arguments.hours} hours show nothing")
    began = time.perf_counter()
    numbers = range(arguments.first, arguments.first + arguments.hours)
    found = hours(arguments.seed, numbers, arguments.processes)
    seconds = time.perf_counter() - began
    failed = [each for each in found if each.ran.faults]
    if failed:
        for each in failed[:SHRUNK_MAX]:
            _tell(each)
        raise BenchmarkFailed(f"broken in the hours {', '.join(each.schedule for each in failed)}")
    simulated = sum(each.ran.seconds for each in found) / HOUR_SECONDS
    figures = {
        "messages": sum(each.ran.messages for each in found),
        "submits": sum(each.ran.submits for each in found),
        "simulated_hours": round(simulated, 1),
        "seconds": round(seconds, 1),
    }
    return {
        "rounds": {f"seed {arguments.seed}": [figures]},
        "verdicts": [Verdict("hours that broke a promise", 0.0, 0.0, at_most=True)],
    }


def _replayed(schedule: Schedule) -> dict[str, object]:
    ran = run_world(schedule)
    if ran.faults:
        raise BenchmarkFailed("; ".join(ran.faults[:SHOWN_MAX]))
    return {"rounds": {"replay": [{"messages": ran.messages, "submits": ran.submits}]}}


def _tell(failed: Hour) -> None:
    say(f"hour {failed.schedule} is broken: {'; '.join(failed.ran.faults[:SHOWN_MAX])}")
    say("the shortest schedule that is broken alike:")
    say(text_of(shortest(draw(failed.schedule), failed.ran.faults)))
