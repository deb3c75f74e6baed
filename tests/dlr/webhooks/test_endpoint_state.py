"""An endpoint gets as much as it takes, is probed while it fails, and is given up in the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlr.webhooks.endpoint_state import (
    AT_ONCE_FIRST,
    AT_ONCE_MAX,
    DISABLED_AFTER_SECONDS,
    EndpointHealth,
    Entered,
    Outcome,
    State,
    Ticket,
    outcome_of,
)

HOUR = 3600.0


def attempt(health: EndpointHealth, outcome: Outcome, now: float) -> Entered | None:
    return health.end(health.start(now), outcome, now)


def failing(now: float = 0.0) -> EndpointHealth:
    health = EndpointHealth(State.ACTIVE, now)
    entered = [attempt(health, Outcome.FAILURE, now) for _ in range(20)]
    assert [each for each in entered if each] == [
        Entered(State.FAILING, "20 attempts in a row failed")
    ]
    assert entered[-1] is not None
    return health


def recovered(now: float) -> EndpointHealth:
    health = failing(now - 5)
    for _ in range(3):
        attempt(health, Outcome.SUCCESS, now)
    assert health.state is State.ACTIVE
    return health


@pytest.mark.parametrize(
    ("status", "timed_out", "expected"),
    [
        (200, False, Outcome.SUCCESS),
        (204, False, Outcome.SUCCESS),
        (302, False, Outcome.FAILURE),
        (404, False, Outcome.FAILURE),
        (410, False, Outcome.GONE),
        (429, False, Outcome.OVERRUN),
        (500, False, Outcome.FAILURE),
        (502, False, Outcome.OVERRUN),
        (503, False, Outcome.OVERRUN),
        (504, False, Outcome.OVERRUN),
        (None, True, Outcome.OVERRUN),
        (None, False, Outcome.FAILURE),
    ],
)
def test_what_an_answer_says(status: int | None, timed_out: bool, expected: Outcome) -> None:
    assert outcome_of(status, timed_out=timed_out) is expected


def test_four_at_once_and_one_more_for_each_hundred_that_succeed() -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    assert health.room(0.0) == AT_ONCE_FIRST
    for done in range(1, 3001):
        attempt(health, Outcome.SUCCESS, 0.0)
        assert health.at_once == min(AT_ONCE_MAX, AT_ONCE_FIRST + done // 100)
    assert health.room(0.0) == AT_ONCE_MAX
    tickets = [health.start(0.0) for _ in range(AT_ONCE_MAX)]
    assert health.room(0.0) == 0
    assert health.wait_seconds(0.0) is None  # one has to end first
    with pytest.raises(ValueError, match="no room"):
        health.start(0.0)
    # They all time out: that is one signal, not 32.
    for ticket in tickets[:19]:
        health.end(ticket, Outcome.OVERRUN, 1.0)
    assert health.at_once == AT_ONCE_MAX // 2
    health.end(tickets[19], Outcome.SUCCESS, 1.0)
    for ticket in tickets[20:]:
        health.end(ticket, Outcome.UNSAID, 1.0)
    attempt(health, Outcome.OVERRUN, 1.0)
    assert health.at_once == AT_ONCE_MAX // 4
    attempt(health, Outcome.FAILURE, 1.0)  # no sign of too much
    assert health.at_once == AT_ONCE_MAX // 4


def test_half_of_the_last_five_minutes_is_failing_too() -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    for second in range(19):
        outcome = Outcome.FAILURE if second % 2 else Outcome.SUCCESS
        assert attempt(health, outcome, float(second)) is None
    entered = attempt(health, Outcome.FAILURE, 19.0)
    assert entered == Entered(State.FAILING, "half of the attempts of the last 5 minutes failed")


def test_what_is_older_than_five_minutes_does_not_count() -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    for _ in range(18):
        attempt(health, Outcome.FAILURE, 0.0)
    attempt(health, Outcome.SUCCESS, 0.0)
    assert attempt(health, Outcome.FAILURE, 320.0) is None
    assert health.state is State.ACTIVE


def test_while_it_fails_one_probe_at_a_time_asks() -> None:
    health = failing(0.0)
    now, waits = 0.0, []
    for _ in range(9):
        assert health.room(now) == 0
        wait = health.wait_seconds(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        assert health.room(now) == 1
        probe = health.start(now)
        assert health.room(now + 1000) == 0
        assert health.wait_seconds(now) is None
        assert health.end(probe, Outcome.FAILURE, now) is None
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_three_that_succeed_in_a_row_end_it() -> None:
    health = failing(0.0)
    outcomes = [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE, *[Outcome.SUCCESS] * 3]
    now, entered = 0.0, []
    for outcome in outcomes:
        wait = health.wait_seconds(now)
        assert wait is not None
        now += wait
        entered.append(attempt(health, outcome, now))
    assert entered == [*[None] * 5, Entered(State.ACTIVE, "3 attempts in a row succeeded")]


def test_what_was_in_flight_when_it_began_to_fail_is_no_probe() -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    old = [health.start(0.0) for _ in range(3)]
    for _ in range(20):
        attempt(health, Outcome.FAILURE, 0.0)
    for ticket in old:
        assert health.end(ticket, Outcome.SUCCESS, 1.0) is None
    assert health.state is State.FAILING
    assert health.wait_seconds(1.0) == 4.0


def test_after_it_recovered_it_is_asked_slowly_at_first() -> None:
    health, now = recovered(100.0), 100.0
    started = []
    while now < 140.0:  # each attempt takes no time: only the ramp holds back
        wait = health.wait_seconds(now)
        assert wait is not None
        now += wait
        attempt(health, Outcome.SUCCESS, now)
        started.append(now)
    by_ten = [sum(100 + n <= at < 110 + n for at in started) for n in (0, 10, 20, 30)]
    assert by_ten == [pytest.approx(n, abs=3) for n in (51, 100, 200, 400)]
    assert health.room(now + 200) == health.at_once


@pytest.mark.parametrize("state", [State.ACTIVE, State.FAILING, State.PAUSED])
def test_410_disables_from_every_state(state: State) -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    ticket = health.start(0.0)
    health.set_by_hand(state, 1.0)
    assert health.end(ticket, Outcome.GONE, 2.0) == Entered(State.DISABLED, "it answered 410 Gone")
    assert health.room(1e9) == 0
    assert health.wait_seconds(1e9) is None


def test_five_days_without_success_disable() -> None:
    health = failing(0.0)
    now, entered = 0.0, None
    while entered is None:
        wait = health.wait_seconds(now)
        assert wait is not None
        now += wait
        entered = attempt(health, Outcome.FAILURE, now)
    assert entered == Entered(State.DISABLED, "no attempt succeeded in 120 hours")
    assert 120 * HOUR <= now < 120 * HOUR + 300


def test_an_idle_endpoint_is_not_given_up_for_its_first_failure() -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    attempt(health, Outcome.FAILURE, 0.0)
    attempt(health, Outcome.SUCCESS, 1.0)
    assert attempt(health, Outcome.FAILURE, 200 * HOUR) is None
    assert attempt(health, Outcome.FAILURE, 201 * HOUR) is None


def test_how_long_it_failed_before_the_start_counts() -> None:
    health = EndpointHealth(State.FAILING, 0.0, failing_for_seconds=DISABLED_AFTER_SECONDS - 10)
    assert health.room(0.0) == 1
    assert attempt(health, Outcome.FAILURE, 0.0) is None
    entered = attempt(health, Outcome.FAILURE, 10.0)
    assert entered is not None
    assert entered.state is State.DISABLED


def test_w17_enabling_forgets_only_what_was_disabled() -> None:
    """Who pauses and enables again and again gets no new run of failures for it."""
    health = EndpointHealth(State.ACTIVE, 0.0)
    for _ in range(19):
        attempt(health, Outcome.FAILURE, 0.0)
        health.set_by_hand(State.ACTIVE, 0.0)
        health.set_by_hand(State.PAUSED, 0.0)
        health.set_by_hand(State.ACTIVE, 0.0)
    entered = attempt(health, Outcome.FAILURE, 0.0)
    assert entered is not None
    assert entered.state is State.FAILING
    health.set_by_hand(State.DISABLED, 1.0)
    health.set_by_hand(State.ACTIVE, 2.0)
    assert health.room(2.0) == AT_ONCE_FIRST
    for _ in range(19):
        assert attempt(health, Outcome.FAILURE, 2.0) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "end", "hand"]),
        st.sampled_from(Outcome),
        st.sampled_from(State),
        st.floats(0, 400),
    ),
    max_size=120,
)


@settings(max_examples=150)
@given(STEPS)
def test_whatever_happens_it_stays_within_its_bounds(
    steps: Sequence[tuple[str, Outcome, State, float]],
) -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    now = 0.0
    open_tickets: list[Ticket] = []
    for step, outcome, state, later in steps:
        now += later
        if step == "start" and health.room(now):
            open_tickets.append(health.start(now))
        elif step == "end" and open_tickets:
            before = health.state
            entered = health.end(open_tickets.pop(0), outcome, now)
            assert (entered is None) == (health.state is before)
        elif step == "hand":
            health.set_by_hand(state, now)
        assert health.in_flight == len(open_tickets)
        assert 1 <= health.at_once <= AT_ONCE_MAX
        assert health.room(now) <= max(0, health.at_once - health.in_flight)
        if health.state in (State.PAUSED, State.DISABLED):
            assert health.room(now) == 0
        if health.state is State.FAILING:
            assert health.room(now) <= 1
        wait = health.wait_seconds(now)
        if wait is not None:  # it is right about when
            assert health.room(now + wait)


@given(st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=200))
def test_the_window_counts_as_one_that_keeps_every_attempt(
    attempts: Sequence[tuple[float, bool]],
) -> None:
    health = EndpointHealth(State.ACTIVE, 0.0)
    kept: list[tuple[int, bool]] = []
    now, in_a_row = 0.0, 0
    for later, failed in attempts:
        now += later
        entered = attempt(health, Outcome.FAILURE if failed else Outcome.SUCCESS, now)
        in_a_row = in_a_row + 1 if failed else 0
        kept.append((int(now // 10), failed))
        recent = [each for number, each in kept if number > int(now // 10) - 30]
        bad = len(recent) >= 20 and 2 * sum(recent) >= len(recent)
        assert (entered is not None) == (failed and (in_a_row >= 20 or bad))
        if entered is not None:
            return
