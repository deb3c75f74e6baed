"""What the benchmark of simulated hours tells, of good ones and of broken ones."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks.gateways import BenchmarkFailed
from benchmarks.simulated.schedule import Answer, Fate, Kind, Step, text_of
from benchmarks.simulation import add_arguments, run, shortest
from dispatch.wire.planner import Planner

THROTTLED = Step(1_000, Kind.MESSAGE, number=9, fates=(Fate(answer=Answer.THROTTLED),))
OTHERS = (Step(2_000, Kind.MESSAGE, number=10), Step(2_500, Kind.CUT))


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_hours_are_counted_with_what_they_carried() -> None:
    found = run(asked("--hours", "2", "--seed", "3", "--processes", "1"))
    rounds = found["rounds"]
    assert isinstance(rounds, dict)
    (figures,) = rounds["seed 3"]
    assert figures["simulated_hours"] > 0.5
    assert figures["submits"] >= figures["messages"] > 10


def test_no_hours_show_nothing() -> None:
    with pytest.raises(BenchmarkFailed):
        run(asked("--hours", "0"))


def test_a_broken_schedule_is_shortened_and_fails_again_when_it_is_replayed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = (THROTTLED,)
    file = tmp_path / "schedule"
    file.write_text(text_of(left))
    assert "replay" in str(run(asked("--replay", str(file))))
    monkeypatch.setattr(Planner, "returned", lambda self, messages: None)
    assert shortest((THROTTLED, *OTHERS), ["stuck: message 9"]) == left
    with pytest.raises(BenchmarkFailed, match="stuck: message 9"):
        run(asked("--replay", str(file)))
