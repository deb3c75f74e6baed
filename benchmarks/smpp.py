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
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from benchmarks import soak
from benchmarks.smpp_bind import ClientRun
from benchmarks.smpp_carrier import CarrierOptions
from benchmarks.smpp_processes import carrier_process, client_figures
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
ROUNDS = 3
WINDOW = 100

LATENCIES_MS = (50.0, 100.0)
WINDOWS = (10, 100)
BINDS = (1, 2)
FAR_AWAY_SECONDS = 2.0

CONNECTORS_DOWN = 20
DOWN_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only the memory run has a length of its own."""
    parser.add_argument("--messages", type=int, default=200_000, help="messages of the memory run")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All four, one after the other."""
    return asyncio.run(_run(arguments.messages))


async def _run(messages: int) -> dict[str, object]:
    return {
        "libraries": {name: version(name) for name in LIBRARIES},
        "side_by_side": await _side_by_side(),
        "far_away": await _far_away(),
        "memory": await soak.memory(messages),
        "carrier_down": await _carrier_down(),
    }


# --- 1: beside other libraries -------------------------------------------------------------------


async def _side_by_side() -> dict[str, object]:
    """Rounds are interleaved, so that a busy moment of the machine hits every library alike."""
    runs: dict[str, list[Mapping[str, float]]] = {name: [] for name in MESSAGES}
    for _ in range(ROUNDS):
        for name, messages in MESSAGES.items():
            runs[name].append(await _one_library(name, messages))
    clients = {name: _summary(MESSAGES[name], figures) for name, figures in runs.items()}
    ours = clients[OURS]
    for name, summary in clients.items():
        if name != OURS:
            summary["ours_is_so_many_times_as_fast"] = _ratio(
                ours["per_second"], summary["per_second"]
            )
            summary["its_processor_time_over_ours"] = _ratio(
                summary["client_cpu_microseconds_per_message"],
                ours["client_cpu_microseconds_per_message"],
            )
    return {
        "what": "submit_sm, its answer and its receipt, each paired by the carrier's id",
        "carrier": "our simulator on uvloop, a process of its own, answers and receipts at once",
        "window": WINDOW,
        "binds": 1,
        "event_loop": "uvloop for every asyncio client; smpplib blocks, smpp34 is compiled",
        "correlators": "aiosmpplib's own walks all that is outstanding at each call: with receipts "
        "at once that is little, its best case; the other is two dicts, in smpp_clients.py",
        "smpp34_slots": "freed by the receipt: faster than that, it loses its session",
        "rounds": ROUNDS,
        "clients": clients,
    }


async def _one_library(name: str, messages: int) -> Mapping[str, float]:
    async with carrier_process(CarrierOptions()) as carrier:
        before = await carrier.counters()
        figures = await client_figures(
            ClientRun(name=name, port=carrier.port, messages=messages, window=WINDOW)
        )
        after = await carrier.counters()
    return {**figures, "carrier_cpu_seconds": after.cpu_seconds - before.cpu_seconds}


def _summary(messages: int, runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Medians over the rounds, and how far they lay apart."""
    rates = [messages / figures["seconds"] for figures in runs]
    return {
        "messages": messages,
        "per_second": round(statistics.median(rates)),
        "per_second_lowest": round(min(rates)),
        "per_second_highest": round(max(rates)),
        "client_cpu_microseconds_per_message": _microseconds(runs, "cpu_seconds", messages),
        "carrier_cpu_microseconds_per_message": _microseconds(
            runs, "carrier_cpu_seconds", messages
        ),
    }


def _microseconds(runs: Sequence[Mapping[str, float]], key: str, messages: int) -> float:
    return round(statistics.median(figures[key] for figures in runs) / messages * 1e6, 1)


def _ratio(numerator: float, denominator: float) -> float:
    return round(numerator / denominator, 2)


# --- 2: far from the carrier ---------------------------------------------------------------------


async def _far_away() -> list[dict[str, float]]:
    """At best every slot is filled the moment its answer is there: window * binds / latency."""
    return [
        await _one_distance(latency_ms, window, binds)
        for latency_ms, window, binds in itertools.product(LATENCIES_MS, WINDOWS, BINDS)
    ]


async def _one_distance(latency_ms: float, window: int, binds: int) -> dict[str, float]:
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
        "latency_ms": latency_ms,
        "latency_ms_really": round(latency * 1000, 2),
        "window": window,
        "binds": binds,
        "per_second": round(rate, 1),
        "best_possible_per_second": round(window * binds / latency, 1),
        "share_of_best_possible": round(rate * latency / (window * binds), 4),
        "share_of_best_at_nominal_latency": round(rate * latency_ms / 1000 / (window * binds), 4),
    }


# --- 4: carriers that are down -------------------------------------------------------------------


async def _carrier_down() -> dict[str, float]:
    figures = await client_figures(
        ClientRun(
            name="carrier_down", port=free_port(), binds=CONNECTORS_DOWN, seconds=DOWN_SECONDS
        )
    )
    return {
        "connectors": CONNECTORS_DOWN,
        **figures,
        "share_of_one_core": round(figures["cpu_seconds"] / figures["seconds"], 5),
    }
