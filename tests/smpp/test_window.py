"""The window of unanswered requests: numbers, bounds, deadlines; and the backoff between binds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.backoff import AttemptLimit, Backoff
from smpp.pdu import SubmitSm
from smpp.vocabulary import SEQUENCE_NUMBER_MAX
from smpp.window import LATE_MAX, Window


def batch(*contexts: object) -> list[tuple[SubmitSm, object]]:
    return [(SubmitSm(0), context) for context in contexts]


def test_takes_no_more_than_its_capacity() -> None:
    window = Window(3)
    first = window.admit(batch("a", "b"), 1.0)
    second = window.admit(batch("c", "d"), 1.0)
    assert [pdu.sequence_number for pdu in first + second] == [1, 2, 3]
    assert window.free == 0
    assert window.admit(batch("e"), 1.0) == []


def test_e32_a_second_answer_finds_nothing() -> None:
    window = Window(2)
    window.admit(batch("a"), 1.0)
    assert window.settle(1) == (1.0, "a")
    assert window.settle(1) is None
    assert window.settle(99) is None


def test_e33_everything_in_flight_is_handed_over_oldest_first() -> None:
    window = Window(5)
    window.admit(batch("a", "b", "c"), 1.0)
    window.settle(2)
    assert window.hand_over() == ["a", "c"]
    assert len(window) == 0
    assert window.next_deadline() is None


def test_only_what_is_due_expires() -> None:
    window = Window(5)
    window.admit(batch("a", "b"), 10.0)
    window.admit(batch("c"), 20.0)
    assert window.next_deadline() == 10.0
    assert window.expire(9.9) == []
    assert window.expire(10.0) == ["a", "b"]
    assert window.next_deadline() == 20.0
    assert len(window) == 1


def test_what_expired_is_known_when_its_answer_comes_after_all_up_to_a_bound() -> None:
    window = Window(LATE_MAX + 1)
    window.admit(batch(*range(LATE_MAX + 1)), 10.0)
    window.expire(10.0)
    assert window.settle_late(1) is None  # the oldest was forgotten
    assert (window.settle_late(2), window.settle_late(2)) == (1, None)
    assert window.settle_late(LATE_MAX + 1) == LATE_MAX


def test_e67_numbers_wrap_while_requests_are_in_flight() -> None:
    window = Window(10, last_sequence=SEQUENCE_NUMBER_MAX - 2)
    numbers = [pdu.sequence_number for pdu in window.admit(batch(*range(5)), 1.0)]
    top = SEQUENCE_NUMBER_MAX
    assert numbers == [top - 1, top, 1, 2, 3]
    assert window.next_sequence() == 4
    assert [window.settle(number) for number in numbers] == [(1.0, n) for n in range(5)]


def test_e67_a_number_in_flight_is_not_given_again() -> None:
    window = Window(10)
    window.admit(batch("old"), 1.0)  # number 1, and the peer never answers it
    window._last_sequence = SEQUENCE_NUMBER_MAX  # two billion messages later
    assert window.next_sequence() == 2
    window._last_sequence = SEQUENCE_NUMBER_MAX
    assert [pdu.sequence_number for pdu in window.admit(batch("new"), 2.0)] == [2]
    assert window.settle(1) == (1.0, "old")


def test_withdrawn_requests_leave_no_trace() -> None:
    window = Window(2)
    window.withdraw(window.admit(batch("a", "b"), 1.0))
    assert window.free == 2
    assert window.hand_over() == []


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.integers(0, 6)),
        st.tuples(st.just("settle"), st.integers(1, 40)),
        st.tuples(st.just("expire"), st.integers(0, 12)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_every_context_comes_out_exactly_once(actions: list[tuple[str, int]]) -> None:
    window = Window(8)
    put: list[int] = []
    out: list[object] = []
    deadlines: dict[object, float] = {}
    for now, (action, number) in enumerate(actions):
        if action == "admit":
            contexts = range(len(put), len(put) + number)
            taken = len(window.admit(batch(*contexts), now + 10.0))
            assert taken == min(number, 8 - (len(put) - len(out)))
            put += contexts[:taken]
            deadlines |= dict.fromkeys(contexts[:taken], now + 10.0)
        elif action == "settle":
            entry = window.settle(number)
            out += [] if entry is None else [entry[1]]
        else:
            expired = window.expire(now + number)
            assert all(deadlines[context] <= now + number for context in expired)
            out += expired
            left = set(put) - set(out)
            assert window.next_deadline() == min((deadlines[c] for c in left), default=None)
    out += window.hand_over()
    assert sorted(map(int, map(str, out))) == put


def test_e53_waits_double_up_to_the_maximum_and_keep_at_least_half() -> None:
    backoff = Backoff(1.0, 60.0)
    longest = [backoff.next_wait(0.999999) for _ in range(8)]
    assert [round(wait) for wait in longest] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    shortest = [backoff.next_wait(0.0) for _ in range(8)]
    assert shortest == [0.5, 1, 2, 4, 8, 16, 30, 30]
    for _ in range(2000):
        assert backoff.next_wait(0.5) == 45


def test_e53_binds_lost_together_come_back_apart() -> None:
    chance = random.Random(7)
    waits = [Backoff(10.0, 60.0).next_wait(chance.random()) for _ in range(20)]
    assert len({round(wait, 1) for wait in waits}) > 10
    assert all(5 <= wait < 10 for wait in waits)


def test_e54_attempts_in_any_minute_are_bounded() -> None:
    limit = AttemptLimit(3)
    made: list[float] = []
    now = 0.0
    while now < 300:
        wait = limit.wait(now)
        if wait == 0:
            limit.record(now)
            made.append(now)
        now += wait or 1.0
    assert len(made) == 15
    assert all(later - earlier >= 60 for earlier, later in zip(made, made[3:], strict=False))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1), (-1, 1)])
def test_a_backoff_that_cannot_wait_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="min <= max"):
        Backoff(low, high)
