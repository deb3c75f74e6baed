"""Canary, slots, ramp and rate, by vectors and by what must hold of all of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.schedule import (
    START_BY,
    canary_size,
    finish_after,
    late,
    let_go,
    slot_now,
    slot_of,
)

START = datetime(2026, 11, 10, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("planned", "share", "size"),
    [
        (1_000_000, 0.01, 2_000),
        (50_000, 0.01, 500),
        (1_000, 0.01, 200),
        (30, 0.01, 30),
        (1_000, 0, 0),
    ],
)
def test_a_canary_is_a_share_within_bounds(planned: int, share: float, size: int) -> None:
    assert canary_size(planned, share) == size


@given(
    planned=st.integers(1, 5_000),
    canary=st.integers(0, 300),
    spread=st.integers(0, 1_440),
)
def test_slots_are_in_order_even_and_within_the_spread(
    planned: int, canary: int, spread: int
) -> None:
    slots = [
        slot_of(seq, planned=planned, canary=canary, spread_minutes=spread)
        for seq in range(planned)
    ]
    assert slots == sorted(slots)
    assert all(0 <= slot < max(1, spread) for slot in slots)
    rest = slots[canary:]
    if spread and rest:
        counts = [rest.count(slot) for slot in set(rest)]
        assert max(counts) - min(counts) <= 1


@given(
    planned=st.integers(1, 2_000), test=st.floats(0, 1), canary=st.integers(0, 300),
    spread=st.integers(0, 600),
)  # fmt: skip
def test_behind_the_test_of_an_experiment_slots_begin_anew(
    planned: int, test: float, canary: int, spread: int
) -> None:
    """They count from the decision there. Within each phase they are in order, as a look needs."""
    canary = min(canary, planned)
    test_end = max(canary, round(planned * test))
    slots = [
        slot_of(seq, planned=planned, canary=canary, spread_minutes=spread, test_end=test_end)
        for seq in range(planned)
    ]
    for phase in (slots[:test_end], slots[test_end:]):
        assert phase == sorted(phase)
        assert phase[:1] in ([], [0])
        assert all(slot < max(1, spread) for slot in phase)


@pytest.mark.parametrize(("seconds", "slot"), [(-1, -1), (0, 0), (59, 0), (60, 1), (3_600, 60)])
def test_a_slot_begins_with_its_minute(seconds: int, slot: int) -> None:
    assert slot_now(START, START + timedelta(seconds=seconds)) == slot


def test_a_ramp_doubles_each_hour_up_to_the_rate() -> None:
    per_hour = [
        let_go(hours * HOUR, 10, ramp=True) - let_go((hours - 1) * HOUR, 10, ramp=True)
        for hours in range(1, 7)
    ]
    assert per_hour == pytest.approx([3_600, 7_200, 14_400, 28_800, 36_000, 36_000])
    assert let_go(HOUR, 10, ramp=False) == 36_000
    assert let_go(HOUR, None, ramp=True) == math.inf
    assert let_go(-HOUR, 10, ramp=True) == 0


@given(
    remaining=st.integers(1, 10**6),
    rate=st.floats(0.5, 500),
    ramp=st.booleans(),
)
def test_the_finish_is_when_the_rate_has_let_the_last_one_go(
    remaining: int, rate: float, ramp: bool
) -> None:
    took = finish_after(remaining, rate, ramp=ramp, spread_minutes=0)
    assert let_go(took, rate, ramp=ramp) == pytest.approx(remaining, rel=1e-6, abs=1e-3)


def test_a_spread_is_waited_for_whatever_the_rate() -> None:
    assert finish_after(10, 1000, ramp=False, spread_minutes=240) == 4 * HOUR
    assert finish_after(10, None, ramp=False, spread_minutes=240) == 4 * HOUR


def test_c9_what_has_not_begun_in_time_waits_for_a_person() -> None:
    """C9: a snapshot that is restored days later sends nothing by itself."""
    assert not late(START, START + START_BY)
    assert late(START, START + START_BY + timedelta(seconds=1))
