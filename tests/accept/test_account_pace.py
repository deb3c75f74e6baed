"""The timetable of accounts: who has a rate waits for it, except one-time passwords."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.accept.account_pace import AccountPace
from ratelimit.spec import parse_rate
from storage.categories import Category

SECOND = 1_000_000_000
MARKETING, OTP = Category.MARKETING, Category.OTP


def test_an_account_without_a_rate_never_waits() -> None:
    pace = AccountPace({1: parse_rate("1/s")})
    assert [pace.wait_ns(2, MARKETING, 1_000, 0) for _ in range(10)] == [0] * 10


def test_each_account_has_its_own_timetable() -> None:
    pace = AccountPace({1: parse_rate("1/s"), 2: parse_rate("1/s")})
    assert pace.wait_ns(1, MARKETING, 1, 0) == 0
    assert pace.wait_ns(1, MARKETING, 1, 0) == SECOND
    assert pace.wait_ns(2, MARKETING, 1, 0) == 0


def test_parts_are_counted_not_messages() -> None:
    pace = AccountPace({1: parse_rate("10/s,burst=1")})
    pace.wait_ns(1, MARKETING, 5, 0)
    assert pace.wait_ns(1, MARKETING, 1, 0) == SECOND // 2


def test_a_one_time_password_goes_at_once_and_the_others_pay() -> None:
    pace = AccountPace({1: parse_rate("10/s,burst=1")})
    assert [pace.wait_ns(1, OTP, 1, 0) for _ in range(20)] == [0] * 20
    assert pace.wait_ns(1, MARKETING, 1, 0) == 2 * SECOND


@given(
    rate=st.integers(1, 1_000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 10)), max_size=60),
)
def test_what_goes_within_any_span_keeps_the_rate(
    rate: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    pace = AccountPace({1: parse_rate(f"{rate}/s,burst={burst}")})
    now, gone = 0, []
    for elapsed, parts in steps:
        now += elapsed
        gone.append((now + pace.wait_ns(1, MARKETING, parts, now), parts))
    for first in range(len(gone)):
        sent = 0
        for at, parts in gone[first:]:
            sent += parts
            # The parts that are larger than the burst go when the timetable is empty.
            assert sent <= max(burst, parts) + rate * (at - gone[first][0]) / SECOND + 10 + 1
