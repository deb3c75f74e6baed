"""The shared rate of a batch: exact, whoever asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatch.outbox.batch_feed import owed, paid_after, parts_allowed
from ratelimit.spec import rate

SECOND = 1_000_000


@given(
    st.integers(1, 5_000),
    st.integers(1, 60),
    st.integers(1, 500),
    st.lists(st.tuples(st.integers(0, 2 * SECOND), st.integers(1, 800)), max_size=60),
)
def test_no_second_sees_more_than_rate_and_burst(
    numerator: int, denominator: int, burst: int, asked: list[tuple[int, int]]
) -> None:
    spec = rate(numerator, denominator, burst)
    now = paid_until = 0
    went: list[tuple[int, int]] = []
    for pause, wanted in asked:
        now += pause
        parts = min(wanted, parts_allowed(spec, paid_until, now))
        if parts:
            paid_until = paid_after(spec, paid_until, now, parts)
            went.append((now, parts))
    for begin, _ in went:
        second = sum(parts for at, parts in went if begin <= at < begin + SECOND)
        assert second <= spec.per_second + burst


def test_the_rate_is_reached() -> None:
    spec = rate(50, 1, 5)
    paid_until = went = 0
    for now in range(0, 10 * SECOND, SECOND // 40):
        parts = parts_allowed(spec, paid_until, now)
        went += parts
        paid_until = paid_after(spec, paid_until, now, parts)
    assert 495 <= went <= 505


def test_a_rate_of_nothing_lets_nothing_go() -> None:
    assert parts_allowed(rate(0), 0, SECOND) == 0


@given(
    st.integers(1, 5_000), st.integers(1, 60), st.integers(1, 500), st.integers(1, 255),
    st.integers(0, 10 * SECOND),
)  # fmt: skip
def test_what_can_be_owed_is_owed_and_what_a_clock_set_back_has_left_is_not(
    numerator: int, denominator: int, burst: int, larger: int, now: int
) -> None:
    spec = rate(numerator, denominator, burst)
    most = paid_after(spec, paid_after(spec, now, now, burst), now, larger)
    assert owed(spec, most - 2, now) == most - 2  # each was rounded up
    left = paid_after(spec, now, now, burst + 256) + 1
    assert owed(spec, left, now) == now
    assert parts_allowed(spec, owed(spec, left, now), now) == burst
