"""The seed alone decides which fault comes when."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.acts import ACTS
from benchmarks.faults.schedule import FAULTS, plan

SEEDS = st.integers(0, 1 << 20)


@given(SEEDS, st.integers(1, 100))
def test_the_same_seed_gives_the_same_faults_again(seed: int, count: int) -> None:
    assert list(islice(plan(seed), count)) == list(islice(plan(seed), count))


@given(SEEDS)
def test_every_fault_comes_once_before_one_comes_again(seed: int) -> None:
    planned = list(islice(plan(seed), 2 * len(FAULTS)))
    for turn in (planned[: len(FAULTS)], planned[len(FAULTS) :]):
        assert {(fault.kind, fault.target) for fault in turn} == set(FAULTS)
    for fault in planned:
        bounds = FAULTS[fault.kind, fault.target]
        assert bounds.shortest <= fault.seconds <= bounds.longest
        assert bounds.least <= fault.amount <= bounds.largest


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(fault.name for fault in islice(plan(seed), 5)) for seed in range(20)}
    assert len(orders) > 10


def test_every_fault_has_its_means() -> None:
    assert {kind for kind, _ in FAULTS} == set(ACTS)
