"""Each way through a breaker's states, and the ways that others were caught by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dispatch.breakers import machine
from dispatch.breakers.machine import ROUNDS, Breaker, Probes, State

MINUTE = 60_000
HOUR = 60 * MINUTE


def opened(breaker: Breaker | None = None, now: int = 0) -> Breaker:
    return machine.opened(breaker or Breaker(), now, baseline=0.95, wait_ms=2 * MINUTE)


def probing(breaker: Breaker) -> Breaker:
    assert breaker.until is not None
    return machine.due(breaker, breaker.until)


def through(breaker: Breaker, delivered: int, now: int) -> Breaker:
    """A whole round of which so many are delivered and the rest fails."""
    size = machine.room(breaker)
    full = machine.taken(breaker, size, now)
    return machine.judged(full, Probes(delivered, size - delivered), now)


@pytest.mark.parametrize(("delivered", "passed"), [(15, False), (16, True), (20, True), (0, False)])
def test_a_round_of_twenty(delivered: int, passed: bool) -> None:
    assert machine.passes(delivered, 20, 0.95) is passed
    assert (through(probing(opened()), delivered, 0).state is State.HALF_OPEN) is passed


def test_it_opens_probes_in_rounds_and_closes() -> None:
    breaker = opened()
    assert (breaker.state, breaker.until) == (State.OPEN, 5 * MINUTE)
    assert machine.due(breaker, 5 * MINUTE - 1) is breaker
    for size in ROUNDS:
        breaker = probing(breaker) if breaker.state is State.OPEN else breaker
        assert machine.room(breaker) == size
        breaker = through(breaker, size, 6 * MINUTE)
    assert (breaker.state, breaker.evidence_from) == (State.CLOSED, 6 * MINUTE)


@given(st.lists(st.integers(0, 50), max_size=60))
def test_g19_probes_are_counted_exactly(asked: list[int]) -> None:
    breaker, gone = probing(opened()), 0
    for each in asked:
        granted = min(each, machine.room(breaker))
        breaker = machine.taken(breaker, granted, 0)
        gone += granted
    assert gone == min(sum(asked), ROUNDS[0])
    with pytest.raises(ValueError, match="room for"):
        machine.taken(breaker, machine.room(breaker) + 1, 0)


def test_g20_one_success_does_not_close() -> None:
    breaker = machine.taken(probing(opened()), 1, 0)
    judged = machine.judged(breaker, Probes(1, 0), 23 * HOUR)
    assert judged is breaker
    assert through(breaker, 19, HOUR).state is State.HALF_OPEN  # neither do the others of a round


def test_g21_a_failure_is_not_forgotten() -> None:
    """Neither by later successes of the round, nor by a round passed, nor by having closed."""
    breaker = machine.taken(probing(opened()), 20, 0)
    assert machine.judged(breaker, Probes(0, 5), 0).state is State.OPEN  # 15 of 20 at best
    second = through(probing(opened()), 20, 6 * MINUTE)
    again = through(second, 50, 7 * MINUTE)
    assert (again.state, again.until) == (State.OPEN, 7 * MINUTE + 10 * MINUTE)
    closed = again
    for size in (1, *ROUNDS):
        closed = probing(closed) if size == 1 else through(closed, size, 30 * MINUTE)
    assert closed.state is State.CLOSED
    reopened = opened(closed, HOUR)
    assert reopened.until == HOUR + 20 * MINUTE
    calm = opened(closed, 30 * MINUTE + machine.FORGET_MS)
    assert calm.until == 30 * MINUTE + machine.FORGET_MS + 5 * MINUTE


def test_g22_what_was_counted_before_it_closed_does_not_open_it() -> None:
    breaker = probing(opened())
    for size in ROUNDS:
        breaker = through(breaker, size, HOUR)
    assert not machine.may_open(breaker, HOUR - 1)
    assert machine.may_open(breaker, HOUR)
    ended = machine.due(machine.forced(breaker, HOUR, shut=False, until=2 * HOUR), 2 * HOUR)
    assert not machine.may_open(ended, 2 * HOUR - 1)


def test_back_off_doubles_up_to_an_hour() -> None:
    minutes = [machine.back_off_ms(failures) // MINUTE for failures in range(1, 8)]
    assert minutes == [5, 10, 20, 40, 60, 60, 60]
    assert machine.back_off_ms(10_000) == HOUR


def test_a_round_waits_for_its_receipts() -> None:
    breaker = machine.taken(probing(opened()), 20, HOUR)
    assert machine.judged(breaker, Probes(18, 0), HOUR + 2 * MINUTE - 1) is breaker
    assert machine.judged(breaker, Probes(18, 0), HOUR + 2 * MINUTE).round == 1
    assert machine.judged(breaker, Probes(10, 0), HOUR + 2 * MINUTE).state is State.OPEN


@pytest.mark.parametrize(("asked", "waited"), [(0, 1), (2, 2), (600, 15)])
def test_the_wait_has_bounds(asked: int, waited: int) -> None:
    breaker = machine.opened(Breaker(), 0, baseline=0.9, wait_ms=asked * MINUTE)
    assert breaker.wait_ms == waited * MINUTE


def test_by_hand_it_stays_until_its_end() -> None:
    shut = machine.forced(Breaker(), 0, shut=True, until=HOUR)
    assert shut.state.holds
    assert machine.room(shut) == 0
    assert opened(shut, 1) is shut
    assert machine.due(shut, HOUR - 1) is shut
    assert machine.due(shut, HOUR).state is State.HALF_OPEN
    free = machine.forced(opened(), 0, shut=False, until=HOUR)
    assert not free.state.holds
    assert not machine.may_open(free, 10**15)
    assert opened(free, 1) is free
    assert machine.due(free, HOUR).state is State.CLOSED


@pytest.mark.parametrize("sent", [0, 5])
def test_what_nothing_is_sent_of_any_more_closes_after_a_day(sent: int) -> None:
    breaker = machine.taken(probing(opened()), sent, HOUR) if sent else probing(opened())
    last = HOUR if sent else breaker.since
    assert machine.judged(breaker, Probes(sent, 0), last + machine.IDLE_MS - 1) is breaker
    assert machine.judged(breaker, Probes(sent, 0), last + machine.IDLE_MS).state is State.CLOSED
    failed = machine.judged(breaker, Probes(0, 1), last + machine.IDLE_FAILED_MS - 1)
    assert failed is breaker
    ended = machine.judged(breaker, Probes(0, 1), last + machine.IDLE_FAILED_MS)
    assert ended.state is State.CLOSED


def test_what_did_not_go_after_all_makes_room() -> None:
    breaker = machine.given_back(machine.taken(probing(opened()), 20, 0), 3)
    assert machine.room(breaker) == 3


class Life(RuleBasedStateMachine):
    """Any order of what can happen to one."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0

    @rule(ms=st.integers(0, 2 * HOUR))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        self.breaker = machine.due(self.breaker, self.now)

    @rule()
    def too_much_fails(self) -> None:
        self.breaker = opened(self.breaker, self.now)

    @rule(shut=st.booleans(), ms=st.integers(1, HOUR))
    def a_person(self, shut: bool, ms: int) -> None:
        self.breaker = machine.forced(self.breaker, self.now, shut=shut, until=self.now + ms)

    @precondition(lambda self: machine.room(self.breaker) > 0)
    @rule(data=st.data())
    def probes_go(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, machine.room(self.breaker)))
        self.breaker = machine.taken(self.breaker, count, self.now)

    @rule(data=st.data())
    def probes_end(self, data: st.DataObject) -> None:
        delivered = data.draw(st.integers(0, self.breaker.taken))
        failed = data.draw(st.integers(0, self.breaker.taken - delivered))
        before = self.breaker
        self.breaker = machine.judged(before, Probes(delivered, failed), self.now)
        idle = self.now - (before.taken_at or before.since) >= machine.IDLE_MS
        if self.breaker.state is State.CLOSED is not before.state and not idle:
            assert before.round == len(ROUNDS) - 1
            assert delivered >= 0.8 * ROUNDS[-1]

    @invariant()
    def bounds_hold(self) -> None:
        assert 0 <= self.breaker.taken <= ROUNDS[self.breaker.round]
        assert self.breaker.since <= self.now
        if self.breaker.state in (State.OPEN, State.FORCED_OPEN, State.FORCED_CLOSED):
            assert self.breaker.until is not None
        if self.breaker.state is not State.HALF_OPEN:
            assert machine.room(self.breaker) == 0


TestLife = Life.TestCase


def test_a_clock_that_was_set_back_holds_nobody_longer() -> None:
    """What opened in the future did so by another clock; what somebody forced keeps its moment."""
    breaker = opened(now=2 * HOUR)
    assert machine.due(breaker, HOUR).state is State.HALF_OPEN
    assert machine.due(breaker, 2 * HOUR) is breaker
    shut = machine.forced(Breaker(), 2 * HOUR, shut=True, until=3 * HOUR)
    assert machine.due(shut, HOUR) is shut


def test_the_receipts_of_probes_are_not_awaited_until_a_clock_comes_round_again() -> None:
    size = machine.room(probing(opened()))
    probed = machine.taken(probing(opened()), size, 2 * HOUR)
    fared = Probes(size - 1, 0)
    assert machine.judged(probed, fared, 2 * HOUR) is probed
    assert machine.judged(probed, fared, HOUR).round == 1
