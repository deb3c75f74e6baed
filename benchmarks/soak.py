"""The SMPP client over a million messages of which one in ten is never answered: memory stays flat.

Owns that measurement. Must not lose a message: each is answered or timed out. Client and carrier
are processes of their own.

Every tenth message keeps its slot until the response timeout. Then it is handed over as expired,
and leaves nothing behind. The resident set is noted after each quarter.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

from benchmarks.gateways import BenchmarkFailed
from benchmarks.result import Figures
from benchmarks.smpp_bind import ClientRun
from benchmarks.smpp_carrier import CarrierOptions
from benchmarks.smpp_processes import carrier_process, client_figures
from benchmarks.verdicts import Verdict

# Every tenth slot waits for the timeout, so no more than 10 * window / timeout go in a second.
FORGET_EVERY = 10
MEMORY_WINDOW = 2_000
MEMORY_TIMEOUT_SECONDS = 0.25

# The first quarter fills pools and caches; from there on to the end:
GROWTH_MIB_MAX, GROWTH_MIB_AIM = 4.0, 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many messages."""
    parser.add_argument("--messages", type=int, default=1_000_000)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The resident set after each quarter, and how fast it went."""
    figures = figures_of(asyncio.run(memory(arguments.messages)))
    return {
        "durable": "nothing is stored: the SMPP client alone",
        "rounds": {"client": [figures]},
        "verdicts": [
            Verdict(
                f"memory from {arguments.messages // 4} to {arguments.messages} messages grows by",
                round(figures["at_100%_mib"] - figures["at_25%_mib"], 2),
                GROWTH_MIB_MAX,
                GROWTH_MIB_AIM,
                at_most=True,
                unit="MiB",
            )
        ],
    }


def figures_of(found: Mapping[str, object]) -> Figures:
    """Of what `memory` has measured, all in one row."""
    resident = found["rss_mib"]
    assert isinstance(resident, dict)
    plain = {name: each for name, each in found.items() if isinstance(each, int | float)}
    return plain | {f"{at}_mib": each for at, each in resident.items()}


async def memory(messages: int) -> dict[str, object]:
    """BenchmarkFailed when a message is neither answered nor timed out."""
    async with carrier_process(CarrierOptions(forget_every=FORGET_EVERY)) as carrier:
        figures = await client_figures(
            ClientRun(
                name="memory",
                port=carrier.port,
                messages=messages,
                window=MEMORY_WINDOW,
                response_timeout_seconds=MEMORY_TIMEOUT_SECONDS,
            )
        )
    if figures["timed_out"] != messages // FORGET_EVERY or (
        figures["answered"] + figures["timed_out"] != messages
    ):
        raise BenchmarkFailed(f"{messages} messages, but {figures}")
    return {
        "messages": messages,
        "never_answered_share": 1 / FORGET_EVERY,
        "window": MEMORY_WINDOW,
        "response_timeout_seconds": MEMORY_TIMEOUT_SECONDS,
        **figures,
    }
