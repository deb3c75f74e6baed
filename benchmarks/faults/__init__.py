"""Faults under load, by a seed: nothing lost, doubled in silence or stuck, and soon going on.

Owns that run and what it says at the end. Must not give a figure of a promise that was broken: it
fails then, with the seed that does it again.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import gateways
from benchmarks.faults.load import Load
from benchmarks.faults.rounds import RECOVER_SECONDS_MAX, Run
from benchmarks.faults.table import Round, table
from benchmarks.faults.world import Starts, with_interpreters, world
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict

SEED_BITS = 20
SHOWN_MAX = 5  # ids of a broken promise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long, and which faults in which order."""
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--faults", type=int, help="no more than so many")
    parser.add_argument("--nothing-skipped", action="store_true", help="fail if one is skipped")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The table. Raises BenchmarkFailed with each promise that was broken."""
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    say(f"seed {seed}")
    with gateways.folder() as folder:
        rounds = run_to_end(
            faults(folder, seed, minutes=arguments.minutes, at_most=arguments.faults)
        )
        say(table(rounds))
        return result(rounds, seed, skips_fail=arguments.nothing_skipped)


async def faults(
    folder: Path,
    seed: int,
    *,
    minutes: float,
    at_most: int | None = None,
    starts: Starts = with_interpreters,
    interposing: bool = True,
) -> list[Round]:
    """The rounds of this seed, in a folder of their own."""
    async with world(folder, starts=starts, interposing=interposing) as found:
        load = Load(found)
        async with load.running():
            rounds = Run(found, load, say).rounds(seed, minutes * 60, at_most)
            return [each async for each in _told(rounds)]


async def _told(rounds: AsyncIterator[Round]) -> AsyncIterator[Round]:
    async for each in rounds:
        for line in (*each.said, *broken_lines(each)):
            say(f"          {line}")
        yield each


def broken_lines(found: Round) -> list[str]:
    """Each broken promise of a round, with the first of what shows it."""
    lines = []
    for name, shown in found.broken.items():
        several = shown[:SHOWN_MAX] if isinstance(shown, list) else shown
        count = f"{len(shown)}: " if isinstance(shown, list) else ""
        lines.append(f"BROKEN after {found.fault}: {name} {count}{several}")
    return lines


def result(rounds: list[Round], seed: int, *, skips_fail: bool) -> dict[str, object]:
    """What is kept of a run. Raises BenchmarkFailed."""
    broken = [line for each in rounds for line in broken_lines(each)]
    if skips_fail:
        broken += [f"skipped: {each.fault}, {each.skipped}" for each in rounds if each.skipped]
    if broken:
        again = f"python -m benchmarks faults --seed {seed} --faults {len(rounds)}"
        raise BenchmarkFailed("; ".join([*broken, f"once more: {again}"]))
    of: dict[str, list[dict[str, float]]] = {}
    for each in rounds:
        if not each.skipped:
            of.setdefault(each.fault, []).append(each.figures)
    return {
        "seed": seed,
        "rounds": of,
        "skipped": {each.fault: each.skipped for each in rounds if each.skipped},
        "verdicts": _verdicts([figures for several in of.values() for figures in several]),
    }


def _verdicts(rounds: list[dict[str, float]]) -> list[Verdict]:
    """Nothing may be lost, doubled or stuck; of doubts and seconds the figure is told."""

    def all_of(name: str) -> float:
        return sum(figures[name] for figures in rounds)

    none = [
        Verdict(what, all_of(name), 0, at_most=True, unit="messages")
        for what, name in (
            ("lost", "lost"),
            ("doubled outside doubt", "doubled"),
            ("stuck", "stuck"),
        )
    ]
    slowest = max((figures["recover_seconds"] for figures in rounds), default=0.0)
    return [
        *none,
        Verdict("in doubt", all_of("in_doubt"), unit="messages"),
        Verdict("slowest recovery", slowest, RECOVER_SECONDS_MAX, at_most=True, unit="s"),
    ]
