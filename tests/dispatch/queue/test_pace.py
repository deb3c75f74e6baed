"""One connector's pace: the contracted rate, what the carrier makes of it, and pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.queue.pace import JITTER_PERCENT, TICKS_PER_SECOND, UNLIMITED_PARTS, Pace
from ratelimit.spec import parse_rate
from ratelimit.token_bucket import NANOSECONDS

SECOND = NANOSECONDS


@given(
    rate=st.integers(1, 2_000),
    burst=st.integers(1, 200),
    steps=st.lists(
        st.tuples(st.integers(0, SECOND // 4), st.integers(1, 500)), min_size=1, max_size=60
    ),
)
def test_no_more_goes_than_rate_and_burst_allow(
    rate: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    pace = Pace(parse_rate(f"{rate}/s,burst={burst}"), 0)
    now, written = 0, 0
    for elapsed, wanted in steps:
        now += elapsed
        parts = min(wanted, pace.available(now))
        pace.take(parts, now)
        written += parts
        assert written <= burst + rate * now / SECOND


@given(rate=st.integers(1, 100_000), burst=st.integers(1, 1_000))
def test_after_the_wait_something_may_go(rate: int, burst: int) -> None:
    """And not for single tokens: a connector of 100 000/s must not wake up as often."""
    pace = Pace(parse_rate(f"{rate}/s,burst={burst}"), 0)
    pace.take(pace.available(0), 0)
    wait = pace.wait_ns(0)
    assert wait > 0
    assert pace.available(wait) >= max(1, min(burst, rate // TICKS_PER_SECOND))


def test_without_a_rate_only_pauses_hold_it_up() -> None:
    pace = Pace(None, 0)
    assert pace.per_second is None
    assert pace.available(0) == UNLIMITED_PARTS
    assert pace.wait_ns(0) == 0
    assert pace.ahead(37) == 37
    pace.pause(0, 2.0)
    assert pace.available(2 * SECOND - 1) == 0
    assert pace.wait_ns(SECOND) == SECOND
    assert pace.available(2 * SECOND) == UNLIMITED_PARTS


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    pace = Pace(None, 0)
    pace.pause(0, 5.0)
    pace.pause(0, 1.0)
    assert pace.available(4 * SECOND) == 0


@pytest.mark.parametrize("rate", [None, "100/s,burst=10"])
@pytest.mark.parametrize("percent", [-JITTER_PERCENT, JITTER_PERCENT])
def test_processes_that_were_throttled_together_do_not_return_together(
    rate: str | None, percent: int
) -> None:
    pace = Pace(None if rate is None else parse_rate(rate), 0, jitter_percent=lambda: percent)
    pace.throttled(0, 0)
    back = SECOND * (100 + percent) // 100
    assert pace.available(back - 1) == 0
    assert pace.available(back) > 0


@pytest.mark.parametrize("rate", [None, "100/s,burst=10"])
def test_e37_one_burst_of_refusals_is_one_signal(rate: str | None) -> None:
    pace = Pace(None if rate is None else parse_rate(rate), 0)
    for _ in range(50):
        pace.throttled(0, 0)
    assert (pace.generation, pace.throttled_total) == (1, 50)
    assert pace.available(SECOND - 1) == 0
    assert pace.available(SECOND) > 0
    if rate is not None:
        assert pace.per_second == 70.0
    pace.throttled(0, SECOND)  # a straggler of the burst that was answered for already
    assert pace.available(SECOND) > 0
    pace.throttled(1, SECOND)
    assert pace.available(SECOND) == 0


def test_e38_a_throttled_rate_comes_back_by_the_clock() -> None:
    pace = Pace(parse_rate("100/s,burst=10"), 0)
    pace.throttled(0, 0)
    rates = []
    for second in range(1, 20):
        pace.available(second * SECOND)
        rates.append(pace.per_second)
    assert rates[0] == 70.0
    assert rates == sorted(rates, key=lambda rate: rate or 0)
    assert rates[-1] == 100.0


def test_throttling_slows_the_bucket_itself() -> None:
    pace = Pace(parse_rate("100/s,burst=100"), 0)
    pace.take(pace.available(0), 0)
    pace.throttled(0, 0)
    assert pace.available(SECOND) <= 71


def test_a_paused_contract_lets_nothing_go_and_is_looked_at_again() -> None:
    """E40: 0/s is paused, never unlimited."""
    pace = Pace(parse_rate("0/s"), 0)
    assert pace.available(10 * SECOND) == 0
    assert 0 < pace.wait_ns(0) <= SECOND


def test_no_more_stands_named_by_intents_than_a_second_of_work() -> None:
    assert Pace(parse_rate("20/s"), 0).ahead(100) == 20
    assert Pace(parse_rate("500/s"), 0).ahead(100) == 100
    assert Pace(parse_rate("1/m"), 0).ahead(100) == 1
    assert Pace(parse_rate("1/s,burst=30"), 0).ahead(100) == 30


def test_how_long_parts_last() -> None:
    assert Pace(parse_rate("20/s"), 0).duration_ns(5) == 250_000_000
    assert Pace(parse_rate("1/m"), 0).duration_ns(2) == 120_000_000_000
    assert Pace(None, 0).duration_ns(5) == Pace(parse_rate("0/s"), 0).duration_ns(5) == 0
