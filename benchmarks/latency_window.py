"""Far from the carrier: how full the whole gateway keeps its windows.

Owns that measurement. Must not use the gateway's own clock: the carriers' ledgers say when each
submit_sm came.

A connector with B binds of window W cannot do better than W x B / latency. One gateway has a
connector for each case, told apart by the numbers' prefix and run one after the other. The clock
runs over whole windows, so it does not matter whether a window leaves at once or bit by bit. The
nominal latency is the measure; the real one stands beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.smpp_carrier import CarrierOptions
from benchmarks.smpp_processes import Carrier, carrier_process
from benchmarks.verdicts import Verdict
from gateway.rehearsal.configuration import Route
from gateway.rehearsal.judge import judge
from gateway.rehearsal.running import Running
from smpp.simulator.ledger import read_ledger

LATENCIES_MS = (50, 100)
WINDOWS = (10, 100)
BINDS = (1, 2)
REQUIRED, AIM = 0.95, 0.99
BATCH_MESSAGES = 500
# Windows that are not counted: before everything runs evenly, and while the backlog runs out.
WARM_UP_WINDOWS, LAST_WINDOWS = 5, 3


class Far(NamedTuple):
    """A carrier and its ledger."""

    carrier: Carrier
    ledger: Path


class Case(msgspec.Struct, frozen=True):
    """One connector."""

    latency_ms: int
    window: int
    binds: int
    prefix: str

    @property
    def name(self) -> str:
        """Also its system_id, by which the carrier's ledger knows it."""
        return f"ms{self.latency_ms}w{self.window}b{self.binds}"

    @property
    def called(self) -> str:
        """For people."""
        return f"{self.latency_ms} ms, window {self.window} x {self.binds}"

    @property
    def slots(self) -> int:
        """Submits that may be unanswered at once."""
        return self.window * self.binds

    @property
    def best_per_second(self) -> float:
        """Every slot filled the moment its answer is there."""
        return self.slots * 1000 / self.latency_ms

    def windows(self, seconds: float) -> int:
        """Whole windows that are counted."""
        return max(1, round(seconds * 1000 / self.latency_ms))

    def route(self) -> Route:
        """Of the numbers that begin with its prefix."""
        return Route([self.name], f'prefix = ["{self.prefix}"]')

    def messages(self, seconds: float) -> int:
        """All that is sent."""
        return self.slots * (WARM_UP_WINDOWS + self.windows(seconds) + LAST_WINDOWS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long each case is measured."""
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")


def cases() -> list[Case]:
    """Every latency with every window and number of binds."""
    combined = itertools.product(LATENCIES_MS, WINDOWS, BINDS)
    return [Case(*each, prefix=f"+86138{n:02d}") for n, each in enumerate(combined)]


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The share of the best possible, of each case."""
    return run_to_end(_run(cases(), arguments.seconds))


async def _run(chosen: Sequence[Case], seconds: float) -> dict[str, object]:
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(gateways.folder())
        far: dict[int, Far] = {}
        for latency_ms in sorted({case.latency_ms for case in chosen}):
            ledger = folder / f"{latency_ms}ms.jsonl"
            options = CarrierOptions(answer_latency_ms=latency_ms, ledger=str(ledger))
            carrier = await stack.enter_async_context(carrier_process(options))
            far[latency_ms] = Far(carrier, ledger)
        connectors = [
            gateways.connector(
                case.name, far[case.latency_ms].carrier.port, case.binds, case.window
            )
            for case in chosen
        ]
        routes = [case.route() for case in chosen]
        running = await stack.enter_async_context(gateways.running_with(folder, connectors, routes))
        latencies = await measure(running, chosen, far, seconds)
        shares = [
            share_of(case, far[case.latency_ms].ledger, latency, seconds)
            for case, latency in zip(chosen, latencies, strict=True)
        ]
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {case.called: [share] for case, share in zip(chosen, shares, strict=True)},
        "verdicts": [
            Verdict(
                f"{case.called}, share",
                share["share_of_best_possible"],
                REQUIRED,
                AIM,
            )
            for case, share in zip(chosen, shares, strict=True)
        ],
    }


async def measure(
    running: Running, chosen: Sequence[Case], far: Mapping[int, Far], seconds: float
) -> list[float]:
    """Send each case's messages and wait until they are final; the latency that the carrier really
    had meanwhile, in seconds.
    """
    latencies: list[float] = []
    final = 0
    for case in chosen:
        carrier = far[case.latency_ms].carrier
        before = await carrier.counters()
        count = case.messages(seconds)
        bodies: list[dict[str, object]] = [
            {"to": f"{case.prefix}{n:06d}", "from": gateways.SENDER, "text": "Far away"}
            for n in range(count)
        ]
        began = time.perf_counter()
        for first in range(0, count, BATCH_MESSAGES):
            await running.send(bodies[first : first + BATCH_MESSAGES])
        final += count
        await gateways.until_final(running, final)
        after = await carrier.counters()
        latencies.append(
            (after.answer_seconds - before.answer_seconds)
            / (after.answers_sent - before.answers_sent)
        )
        say(f"{case.name}: {count} messages in {time.perf_counter() - began:.2f} s")
    return latencies


def share_of(case: Case, ledger: Path, latency: float, seconds: float) -> dict[str, float]:
    """From the ledger: the same place of the window, so many whole windows later."""
    judgement = judge(ledger)
    at = [line.at for line in read_ledger(ledger) if line.system_id == case.name]
    if len(at) != case.messages(seconds) or judgement.repeats:
        raise BenchmarkFailed(f"{case.name}: {len(at)} submits, {judgement}")
    first = case.slots * WARM_UP_WINDOWS
    last = first + case.slots * case.windows(seconds)
    rate = (last - first) / (at[last] - at[first])
    return {
        "per_second": round(rate, 1),
        "best_possible_per_second": round(case.best_per_second, 1),
        "share_of_best_possible": round(rate / case.best_per_second, 4),
        "latency_ms_really": round(latency * 1000, 2),
        "share_of_best_at_real_latency": round(rate * latency / case.slots, 4),
    }
