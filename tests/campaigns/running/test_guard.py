"""Bounds are crossed when the numbers prove it, and few numbers prove nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.guard import (
    CANARY_WAIT,
    Counts,
    canary_begun,
    canary_faults,
    canary_ripe,
    crossed,
)

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("counts", "reasons"),
    [
        (Counts(sent=199, verdicts=199, delivered=0, unsubscribed=199), 0),
        (Counts(sent=200, verdicts=200, delivered=186), 0),  # 93 %, and 95 % is within reach
        (Counts(sent=200, verdicts=200, delivered=180), 1),
        (Counts(sent=1_000, verdicts=1_000, delivered=900, unsubscribed=40), 2),
        (Counts(sent=1_000, verdicts=0, delivered=0, unsubscribed=25), 0),
        (Counts(sent=1_000, unsubscribed=35), 1),
        (Counts(sent=1_000, verdicts=1_000, delivered=975, filtered=25), 0),
        (Counts(sent=1_000, verdicts=1_000, delivered=960, filtered=40), 1),
    ],
)
def test_a_bound_is_crossed_when_its_interval_lies_behind_it(counts: Counts, reasons: int) -> None:
    assert len(crossed(counts)) == reasons


@given(n=st.integers(1, 5_000), share=st.floats(0.97, 1))
def test_a_good_campaign_is_never_stopped(n: int, share: float) -> None:
    delivered = round(n * share)
    counts = Counts(sent=n, verdicts=n, delivered=delivered, unsubscribed=n // 100)
    if delivered >= 0.96 * n:
        assert crossed(counts) == []


def test_a_canary_is_judged_with_its_verdicts_or_after_half_an_hour() -> None:
    few = Counts(sent=200, verdicts=179, delivered=179)
    assert not canary_ripe(few, 0, 29 * MINUTE)
    assert canary_ripe(few, 0, CANARY_WAIT)
    assert canary_ripe(Counts(sent=200, verdicts=180, delivered=180), 0, MINUTE)
    assert not canary_ripe(Counts(), 0, MINUTE)


def test_a_canary_whose_people_wait_for_their_hours_is_not_judged_by_the_first() -> None:
    few = Counts(accepted=200, sent=3, verdicts=3, delivered=3)
    assert not canary_begun(few, 197)
    assert not canary_begun(few, 21)
    assert canary_begun(few, 20)
    assert canary_begun(Counts(), 0)
    assert not canary_ripe(few, 197, MINUTE)


def test_a_canary_that_takes_a_day_is_judged_half_an_hour_after_fifty_went() -> None:
    fifty = Counts(accepted=200, sent=50, verdicts=50, delivered=50)
    assert canary_begun(fifty, 150)
    assert not canary_ripe(fifty, 150, 29 * MINUTE)
    assert canary_ripe(fifty, 150, CANARY_WAIT)


def test_a_canary_passes_only_with_verdicts_and_without_a_complaint() -> None:
    good = Counts(sent=200, verdicts=200, delivered=195, unsubscribed=2)
    assert canary_faults(good) == []
    assert len(canary_faults(Counts(sent=200, verdicts=200, delivered=195, complaints=1))) == 1
    assert len(canary_faults(Counts(sent=200))) == 1
    assert len(canary_faults(Counts(sent=50, verdicts=50, delivered=20, complaints=2))) == 2
