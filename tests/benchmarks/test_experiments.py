"""A few simulated experiments of each kind; `python -m benchmarks experiments` makes many."""

from __future__ import annotations

import argparse
from random import Random

import pytest

from benchmarks.experiments import errors, run, successes, verdicts_of
from benchmarks.gateways import BenchmarkFailed

RUNS = 300


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return errors(RUNS, 18)


def test_c54_the_rules_that_decide_keep_their_level(found: dict[str, float]) -> None:
    assert [verdict.what for verdict in verdicts_of(found, RUNS) if not verdict.required_met] == []


def test_c54_what_others_do_is_wrong_far_more_often(found: dict[str, float]) -> None:
    assert 0.15 < found["usual_test_wrong"] < 0.35
    assert 0.6 < found["probably_better_wrong"] < 0.9
    assert 0.1 < found["highest_wrong"] < 0.3


def test_arms_of_one_rate_and_different_patience_are_told_apart_unless_matured(
    found: dict[str, float],
) -> None:
    assert found["read_early_wrong"] == 1.0
    assert found["read_matured_wrong"] <= 0.1


def test_a_rule_that_is_wrong_too_often_is_found(found: dict[str, float]) -> None:
    wrong = found | {"always_valid_2_arms_wrong": found["usual_test_wrong"], "power_found": 0.5}
    missed = [verdict.what for verdict in verdicts_of(wrong, RUNS) if not verdict.required_met]
    assert missed == ["always_valid_2_arms_wrong", "power_found"]


def test_a_seed_gives_its_figures_again_and_another_one_others() -> None:
    assert errors(10, 1) == errors(10, 1)
    assert errors(10, 1) != errors(10, 2)


def test_successes_are_as_many_as_the_rate_says() -> None:
    random = Random(1)
    total = sum(successes(random, 500, 0.02) for _ in range(2_000))
    assert 19_500 < total < 20_500  # five standard errors
    assert successes(random, 0, 0.5) == 0


def test_no_runs_show_nothing() -> None:
    with pytest.raises(BenchmarkFailed):
        run(argparse.Namespace(runs=0, seed=1))
