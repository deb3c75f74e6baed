"""What two versions' figures say of each other: a difference is found where there is one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.paired import figures_of, interval, middle, ratios


def test_a_figure_is_found_under_its_path_and_what_is_none_is_left_out() -> None:
    result = {
        "benchmark": "x",
        "conditions": {"cores": 2},
        "durable": True,
        "medians": {"smsgate": {"per_second": 10, "p50_ms": 0.5}},
        "rounds": [1, 2],
    }
    assert figures_of(result) == {
        "medians.smsgate.per_second": 10.0,
        "medians.smsgate.p50_ms": 0.5,
    }


def test_a_tenth_more_is_found_in_eight_rounds_of_a_machine_that_swings_by_two() -> None:
    chance = random.Random(4)
    base, new = [], []
    for _ in range(8):
        machine = chance.uniform(1, 2)  # the same for both of a round, but for a few percent
        base.append({"cost": 50 * machine * chance.uniform(0.97, 1.03)})
        new.append({"cost": 55 * machine * chance.uniform(0.97, 1.03)})
    (found,) = ratios(base, new)
    assert found.differs
    assert 1.05 < found.middle < 1.15
    assert "DIFFERS" in found.line()


def test_a_tenth_more_is_found_though_one_round_was_odd() -> None:
    base = [{"cost": 50.0}] * 8
    (found,) = ratios(base, [{"cost": each} for each in (55, 56, 54, 55, 48, 55, 57, 54)])
    assert found.differs


def test_nothing_is_found_where_nothing_is() -> None:
    """At 95 in 100: of 2 000 comparisons of equal things not more than some 5 in 100 differ."""
    chance = random.Random(5)
    wrong = 0
    for _ in range(2_000):
        rounds = [[{"cost": chance.lognormvariate(0, 0.1)} for _ in range(8)] for _ in range(2)]
        (found,) = ratios(*rounds)
        wrong += found.differs
    assert 0 < wrong < 140


def test_few_rounds_say_nothing() -> None:
    five = [{"cost": 1.0}] * 5
    (found,) = ratios(five, [{"cost": 2.0}] * 5)
    assert (found.low, found.high, found.differs) == (None, None, False)
    assert "too few" in found.line()
    with pytest.raises(ValueError, match="5 rounds of the base, 0"):
        ratios(five, [])


def test_a_figure_that_one_round_lacks_or_that_is_nought_has_no_ratio() -> None:
    base = [{"a": 1.0, "b": 1.0, "nought": 0.0}, {"a": 1.0, "nought": 0.0}]
    assert [each.figure for each in ratios(base, base)] == ["a"]


@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=40))
def test_the_interval_holds_the_middle_that_was_seen(values: list[float]) -> None:
    found = interval(values)
    assert found is not None
    assert found[0] <= middle(values) <= found[1]


@pytest.mark.parametrize(("rounds", "left_out"), [(6, 0), (7, 2), (8, 3), (10, 8), (20, 52)])
def test_the_interval_is_that_of_the_tables(rounds: int, left_out: int) -> None:
    """Critical values of the signed rank sum, two-sided, 5 in 100."""
    values = [2.0**each for each in range(rounds)]
    means = sorted(
        (values[one] * values[other]) ** 0.5 for one in range(rounds) for other in range(one + 1)
    )
    assert interval(values) == pytest.approx((means[left_out], means[-1 - left_out]))
