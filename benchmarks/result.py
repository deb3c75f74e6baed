"""What a benchmark has measured: rounds of several ways, their medians and how far they lie apart.

Owns the form of a result and the taking of turns. Must not know a benchmark.

A way is one thing that is measured, under a name; its figures are numbers under names whose end is
the unit. `_us` is microseconds of the processor a message, `_mib` memory.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks import gateways, http_load
from benchmarks.running import say
from benchmarks.verdicts import Verdict

Figures = dict[str, float]
Rounds = dict[str, list[Figures]]
Way = Callable[[Path], Awaitable[Figures]]

QUANTILES = (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999))
DIGITS = 4  # that a median is told with


async def in_turns(ways: Mapping[str, Way], rounds: int) -> Rounds:
    """Each way once a round, with a folder of its own: a busy moment hits all of them alike."""
    found: Rounds = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            with gateways.folder() as folder:
                figures = await way(folder)
            told = ", ".join(f"{key} {figure:g}" for key, figure in list(figures.items())[:4])
            say(f"round {number + 1}: {name}: {told}")
            found[name].append(figures)
    return found


def quantiles_ms(seconds: Sequence[float]) -> Figures:
    """Under the names of QUANTILES."""
    ordered = sorted(seconds)
    return {name: round(http_load.quantile(ordered, share) * 1000, 2) for name, share in QUANTILES}


def medians(rounds: Rounds) -> dict[str, Figures]:
    """Of each figure that every round of its way has."""
    return {
        name: {key: _short(statistics.median(values)) for key, values in _columns(several)}
        for name, several in rounds.items()
        if several
    }


def spread(rounds: Rounds) -> dict[str, dict[str, list[float]]]:
    """Of the same figures, the lowest and the highest."""
    return {
        name: {key: [_short(min(values)), _short(max(values))] for key, values in _columns(several)}
        for name, several in rounds.items()
        if several
    }


def complete(result: Mapping[str, object]) -> dict[str, object]:
    """With the medians and the spread of its rounds, and its verdicts as fields."""
    rounds = _rounds_of(result)
    verdicts = [each.fields() for each in verdicts_of(result)]
    found = {"medians": medians(rounds), "spread": spread(rounds)} if rounds else {}
    return {**{key: each for key, each in result.items() if key != "rounds"}, **found} | {
        "rounds": rounds,
        "verdicts": verdicts,
    }


def together(results: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One result of several runs of a benchmark: all rounds, and of each verdict the median."""
    rounds: Rounds = {}
    verdicts: dict[str, list[Verdict]] = {}
    for result in results:
        for name, several in _rounds_of(result).items():
            rounds.setdefault(name, []).extend(several)
        for verdict in verdicts_of(result):
            verdicts.setdefault(verdict.what, []).append(verdict)
    middle = [
        msgspec.structs.replace(each[0], figure=_short(statistics.median(v.figure for v in each)))
        for each in verdicts.values()
    ]
    return {**results[0], "rounds": rounds, "verdicts": middle}


def verdicts_of(result: Mapping[str, object]) -> list[Verdict]:
    """Those that a benchmark has handed over."""
    found = result.get("verdicts", [])
    assert isinstance(found, list)
    return found


def _rounds_of(result: Mapping[str, object]) -> Rounds:
    found = result.get("rounds", {})
    assert isinstance(found, dict)
    return found


def _columns(several: Sequence[Figures]) -> Iterable[tuple[str, list[float]]]:
    for key in several[0]:
        if all(key in figures for figures in several):
            yield key, [figures[key] for figures in several]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
