"""The SMPP client by itself: beside other libraries, far from the carrier, its memory, its rest.

Owns four measurements in one run. Must not share a process between client and carrier.

The carrier is ours. Where a client is fast, the carrier's share of the processor is part of the
rate. So the client's processor time for each message is the figure that belongs to the client
alone.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks import soak
from benchmarks.result import Figures, Rounds, in_turns, medians
from benchmarks.smpp_bind import ClientRun
from benchmarks.smpp_carrier import CarrierOptions
from benchmarks.smpp_processes import carrier_process, client_figures
from benchmarks.verdicts import Verdict
from gateway.rehearsal.processes import free_port

OURS = "ours"
# So many that each run takes about a second or two: the libraries are that far apart.
MESSAGES = {
    OURS: 40_000,
    "aiosmpplib": 2_000,
    "aiosmpplib_constant_time_correlator": 4_000,
    "smpplib": 6_000,
    "smpp34": 12_000,
}
LIBRARIES = ("aiosmpplib", "smpplib", "smpp34")
WINDOW = 100

LATENCIES_MS = (50.0, 100.0)
WINDOWS = (10, 100)
BINDS = (1, 2)
FAR_AWAY_SECONDS = 2.0

CONNECTORS_DOWN = 20
DOWN_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long the memory run is, and how often the libraries take turns."""
    parser.add_argument("--messages", type=int, default=200_000, help="messages of the memory run")
    parser.add_argument("--rounds", type=int, default=3, help="of the libraries, alternating")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All four, one after the other."""
    return asyncio.run(_run(arguments.messages, arguments.rounds))


async def _run(messages: int, rounds: int) -> dict[str, object]:
    beside = await _side_by_side(rounds)
    return {
        "durable": "nothing is stored: the SMPP client alone",
        "libraries": {name: version(name) for name in LIBRARIES},
        "what": "submit_sm, its answer and its receipt, each paired by the carrier's id",
        "carrier": "our simulator on uvloop, a process of its own, answers and receipts at once",
        "window": WINDOW,
        "event_loop": "uvloop for every asyncio client; smpplib blocks, smpp34 is compiled",
        "correlators": "aiosmpplib's own walks all that is outstanding at each call: with receipts "
        "at once that is little, its best case; the other is two dicts, in smpp_clients.py",
        "smpp34_slots": "freed by the receipt: faster than that, it loses its session",
        "rounds": {
            **beside,
            **await _far_away(),
            "a tenth never answered": [soak.figures_of(await soak.memory(messages))],
            f"{CONNECTORS_DOWN} connectors are down": [await _carrier_down()],
        },
        "verdicts": _verdicts(medians(beside)),
    }


def _verdicts(middle: Mapping[str, Figures]) -> list[Verdict]:
    """Ours over the quickest of the others: in rate, and in the client's own processor time."""
    others = [figures for name, figures in middle.items() if name != OURS]
    quickest = max(figures["per_second"] for figures in others)
    leanest = min(figures["client_us"] for figures in others)
    ours = middle[OURS]
    return [
        Verdict(
            "rate over the quickest other library",
            round(ours["per_second"] / quickest, 2),
            required=1.0,
        ),
        Verdict(
            "processor time over the leanest other library",
            round(ours["client_us"] / leanest, 3),
            required=1.0,
            at_most=True,
        ),
    ]


# --- 1: beside other libraries -------------------------------------------------------------------


async def _side_by_side(rounds: int) -> Rounds:
    """Rounds are interleaved, so that a busy moment of the machine hits every library alike."""
    ways = {name: partial(_one_library, name, messages) for name, messages in MESSAGES.items()}
    return await in_turns(ways, rounds)


async def _one_library(name: str, messages: int, _folder: Path) -> Figures:
    async with carrier_process(CarrierOptions()) as carrier:
        before = await carrier.counters()
        figures = await client_figures(
            ClientRun(name=name, port=carrier.port, messages=messages, window=WINDOW)
        )
        after = await carrier.counters()
    return {
        "messages": messages,
        "per_second": round(messages / figures["seconds"]),
        "client_us": round(figures["cpu_seconds"] / messages * 1e6, 1),
        "carrier_us": round((after.cpu_seconds - before.cpu_seconds) / messages * 1e6, 1),
    }


# --- 2: far from the carrier ---------------------------------------------------------------------


async def _far_away() -> Rounds:
    """At best every slot is filled the moment its answer is there: window * binds / latency."""
    return {
        f"{latency_ms:g} ms, window {window} x {binds}": [
            await _one_distance(latency_ms, window, binds)
        ]
        for latency_ms, window, binds in itertools.product(LATENCIES_MS, WINDOWS, BINDS)
    }


async def _one_distance(latency_ms: float, window: int, binds: int) -> Figures:
    async with carrier_process(CarrierOptions(answer_latency_ms=latency_ms)) as carrier:
        figures = await client_figures(
            ClientRun(
                name="far_away",
                port=carrier.port,
                window=window,
                binds=binds,
                seconds=FAR_AWAY_SECONDS,
                latency_seconds=latency_ms / 1000,
            )
        )
        counters = await carrier.counters()
    latency = counters.answer_seconds / counters.answers_sent
    rate = figures["answered"] / figures["seconds"]
    return {
        "latency_ms_really": round(latency * 1000, 2),
        "per_second": round(rate, 1),
        "best_possible_per_second": round(window * binds / latency, 1),
        "share_of_best_possible": round(rate * latency / (window * binds), 4),
        "share_of_best_at_nominal_latency": round(rate * latency_ms / 1000 / (window * binds), 4),
    }


# --- 4: carriers that are down -------------------------------------------------------------------


async def _carrier_down() -> Figures:
    figures = await client_figures(
        ClientRun(
            name="carrier_down", port=free_port(), binds=CONNECTORS_DOWN, seconds=DOWN_SECONDS
        )
    )
    return {
        **figures,
        "share_of_one_core": round(figures["cpu_seconds"] / figures["seconds"], 5),
    }
