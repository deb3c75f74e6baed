"""What failed is tried ten times in three days, never by all at once; what is final ends."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.webhooks.schedule import (
    ATTEMPTS_MAX,
    HOUR,
    WAITS_SECONDS,
    Step,
    Verdict,
    retry_after_seconds,
    step_after,
    wait_seconds,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MIDDLE = 0.5
CHANCES = st.floats(0, 1, exclude_max=True)


def after(
    attempt: int, status: int | None, *, refused: bool = False, retry_after: str | None = None
) -> Step:
    return step_after(
        attempt, status=status, refused=refused, retry_after=retry_after, now=NOW, chance=MIDDLE
    )


def test_ten_attempts_in_75_hours_and_35_minutes() -> None:
    waits = []
    for attempt in range(1, ATTEMPTS_MAX):
        step = after(attempt, 500)
        assert step.verdict is Verdict.RETRY
        waits.append(step.wait_seconds)
    assert waits == pytest.approx(WAITS_SECONDS[1:])
    assert sum(waits) == pytest.approx(75 * HOUR + 35 * 60 + 5)
    assert after(ATTEMPTS_MAX, 500) == Step(Verdict.EXHAUSTED)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_w25_any_2xx_is_success(status: int) -> None:
    """No magic body is asked for: the verdict does not even see it."""
    assert after(1, status) == Step(Verdict.DELIVERED)
    assert after(ATTEMPTS_MAX, status) == Step(Verdict.DELIVERED)


@pytest.mark.parametrize("status", [None, 199, 300, 301, 302, 304, 308, 400, 404, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert after(1, status).verdict is Verdict.RETRY


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS_MAX + 1))
def test_w11_what_is_final_has_one_attempt(attempt: int) -> None:
    assert after(attempt, None, refused=True) == Step(Verdict.REFUSED)
    assert after(attempt, 410) == Step(Verdict.GONE)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120.0),  # longer than 5 s: as asked
        ("1", 5.0),  # shorter: the schedule's own
        ("0", 5.0),
        ("86400", 3600.0),  # at most an hour
        ("9" * 400, 3600.0),
        (format_datetime(NOW + timedelta(minutes=4), usegmt=True), 240.0),
        (format_datetime(NOW - timedelta(days=4), usegmt=True), 5.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("soon", 5.0),
        ("-5", 5.0),
        ("1.5", 5.0),
        ("", 5.0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", 5.0),
        ("٣", 5.0),
    ],
)
def test_w12_retry_after_is_heard_within_bounds(header: str, expected: float) -> None:
    spread = after(1, 503, retry_after=header).wait_seconds / expected
    assert 0.8 <= spread <= 1.2
    assert wait_seconds(1, retry_after_seconds(header, NOW), 0.0) in (expected, expected * 0.8)


def test_w12_late_attempts_may_wait_twice_as_long() -> None:
    day = WAITS_SECONDS[9]
    assert wait_seconds(9, 10.0 * day, 0.0) == 2 * day
    assert wait_seconds(9, day + 60, 0.0) == day + 60


@given(attempt=st.integers(1, ATTEMPTS_MAX - 1), asked=st.none() | st.floats(0, 1e9), one=CHANCES)
def test_a_wait_stays_in_its_bounds(attempt: int, asked: float | None, one: float) -> None:
    base = WAITS_SECONDS[attempt]
    wait = wait_seconds(attempt, asked, one)
    assert base * 0.8 <= wait <= max(2 * base, HOUR) * 1.2
    if asked is not None:
        assert wait >= min(asked, max(2 * base, HOUR)) * 0.8
        if asked > base:  # never earlier than it was asked for
            assert wait >= min(asked, max(2 * base, HOUR))


@pytest.mark.parametrize("asked", [None, 600.0, 86400.0])
def test_w13_a_thousand_that_failed_together_come_back_apart(asked: float | None) -> None:
    chance = random.Random(4)
    waits = sorted(wait_seconds(2, asked, chance.random()) for _ in range(1000))
    whole = waits[-1] - waits[0]
    assert whole >= 0.19 * waits[0]
    tenths = [sum(waits[0] + whole * n / 10 <= wait for wait in waits) for n in range(11)]
    assert all(more - less < 150 for more, less in itertools.pairwise(tenths))


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ \S+"))
def test_any_header_is_a_number_of_seconds_or_none(text: str) -> None:
    seconds = retry_after_seconds(text, NOW)
    assert seconds is None or seconds >= 0
