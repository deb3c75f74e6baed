"""The pace finds what the carrier takes and never exceeds what was contracted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ratelimit.adaptive import FLOOR_MILLI, AdaptiveRate
from ratelimit.spec import rate
from ratelimit.token_bucket import NANOSECONDS


def test_one_burst_of_refusals_is_one_signal() -> None:
    pace = AdaptiveRate(rate(100))
    generation = pace.generation
    assert pace.throttled(generation, 0)
    for _ in range(50):
        assert not pace.throttled(generation, 1)
    assert pace.per_second == 70
    assert pace.cuts == 1
    assert pace.throttled(pace.generation, 2)
    assert pace.per_second == 49


def test_a_refusal_pauses_for_a_second_give_or_take() -> None:
    pace = AdaptiveRate(rate(100))
    pace.throttled(pace.generation, 0)
    assert pace.pause_ns(0) == NANOSECONDS
    assert pace.pause_ns(NANOSECONDS) == 0
    pace.throttled(pace.generation, 0, jitter_percent=-20)
    assert pace.pause_ns(0) == NANOSECONDS * 8 // 10


def test_recovery_is_two_percent_a_clean_second_and_ends_at_the_ceiling() -> None:
    pace = AdaptiveRate(rate(100))
    pace.throttled(pace.generation, 0)
    now = pace.resume_at_ns
    assert not pace.tick(now + NANOSECONDS - 1)
    assert pace.tick(now + NANOSECONDS)
    assert pace.per_second == 72
    assert pace.tick(now + 4 * NANOSECONDS)
    assert pace.per_second == 78
    assert pace.tick(now + 60 * NANOSECONDS)
    assert pace.per_second == 100
    assert pace.spec() == rate(100)
    assert not pace.tick(now + 90 * NANOSECONDS)


def test_a_slow_connector_recovers_by_half_a_part() -> None:
    pace = AdaptiveRate(rate(10))
    pace.throttled(pace.generation, 0)
    pace.tick(pace.resume_at_ns + NANOSECONDS)
    assert pace.per_second == 7.5


def test_refusals_of_an_old_generation_still_spoil_the_second() -> None:
    pace = AdaptiveRate(rate(100))
    old = pace.generation
    pace.throttled(old, 0)
    late = pace.resume_at_ns + NANOSECONDS // 2
    pace.throttled(old, late)
    assert not pace.tick(late + NANOSECONDS - 1)
    assert pace.tick(late + NANOSECONDS)


@given(
    st.integers(1, 2_000),
    st.lists(st.tuples(st.integers(0, 3 * NANOSECONDS), st.booleans()), max_size=80),
)
def test_always_between_floor_and_ceiling(ceiling: int, steps: list[tuple[int, bool]]) -> None:
    pace = AdaptiveRate(rate(ceiling))
    now = 0
    for gap, refused in steps:
        now += gap
        pace.tick(now)
        if refused:
            pace.throttled(pace.generation, now)
        spec = pace.spec()
        assert min(FLOOR_MILLI, ceiling * 1000) <= pace.per_second * 1000 <= ceiling * 1000
        assert spec.burst <= rate(ceiling).burst
        assert pace.pause_ns(now) <= NANOSECONDS


def test_throttled_then_disconnected_then_resumed() -> None:  # E38
    pace = AdaptiveRate(rate(100))
    pace.throttled(pace.generation, 0)
    an_hour_later = 3600 * NANOSECONDS
    assert pace.pause_ns(an_hour_later) == 0
    pace.tick(an_hour_later)
    assert pace.per_second == 100


def test_a_new_ceiling_holds_at_once_and_lifts_only_who_stood_at_the_old() -> None:
    pace = AdaptiveRate(rate(100))
    pace.set_ceiling(rate(50))
    assert pace.per_second == 50
    pace.set_ceiling(rate(200))
    assert pace.per_second == 200
    pace.throttled(pace.generation, 0)
    pace.set_ceiling(rate(400))
    assert pace.per_second == 140


def test_a_paused_ceiling_stays_paused() -> None:
    pace = AdaptiveRate(rate(0))
    pace.throttled(pace.generation, 0)
    pace.tick(100 * NANOSECONDS)
    assert pace.spec().paused
