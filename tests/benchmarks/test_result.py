"""Rounds in turns, their medians and spread, and one result of several runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import result
from benchmarks.__main__ import NAMES, OVER_OTHERS, parser
from benchmarks.result import Figures
from benchmarks.verdicts import Verdict

ROUNDS = {
    "a": [{"per_second": 10.0, "p50_ms": 1.0}, {"per_second": 30.0}, {"per_second": 20.0}],
    "b": [{"per_second": 1.23456}],
}


async def test_ways_take_turns_each_with_a_folder_of_its_own() -> None:
    seen: list[tuple[str, Path]] = []

    def way(name: str) -> result.Way:
        async def measure(folder: Path) -> Figures:
            seen.append((name, folder))
            return {"n": float(len(seen))}

        return measure

    found = await result.in_turns({"a": way("a"), "b": way("b")}, 2)
    assert [name for name, _ in seen] == ["a", "b", "a", "b"]
    assert len({folder for _, folder in seen}) == 4
    assert found == {"a": [{"n": 1.0}, {"n": 3.0}], "b": [{"n": 2.0}, {"n": 4.0}]}


def test_a_result_has_medians_and_spread_of_what_each_round_has() -> None:
    whole = result.complete({"durable": "yes", "rounds": ROUNDS, "verdicts": [Verdict("x", 1.0)]})
    assert whole["medians"] == {"a": {"per_second": 20.0}, "b": {"per_second": 1.235}}
    assert whole["spread"] == {
        "a": {"per_second": [10.0, 30.0]},
        "b": {"per_second": [1.235, 1.235]},
    }
    assert whole["rounds"] == ROUNDS
    assert whole["verdicts"] == [Verdict("x", 1.0).fields()]


def test_several_runs_are_one_result() -> None:
    runs = [
        {"rounds": {"a": [{"n": n}]}, "verdicts": [Verdict("n", n, required=2.0)]}
        for n in (5.0, 1.0, 3.0)
    ]
    whole = result.complete(result.together(runs))
    assert whole["medians"] == {"a": {"n": 3.0}}
    assert isinstance(whole["verdicts"], list)
    [verdict] = whole["verdicts"]
    assert (verdict["figure"], verdict["required_met"]) == (3.0, True)


def test_every_benchmark_has_rounds_a_file_and_a_plot() -> None:
    for name in NAMES:
        needed = {"compare": ["x", "--base", "HEAD"]}.get(name, [])
        arguments = parser().parse_args([name, *needed])
        assert arguments.json is None
        if name not in OVER_OTHERS:
            assert arguments.rounds >= 1
            assert arguments.plot is None
    with pytest.raises(SystemExit):
        parser().parse_args(["no such benchmark"])
