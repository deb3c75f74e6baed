"""The database's clock is known without asking, whatever is done to this machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.database_clock import DatabaseClock

SECOND = 1_000_000_000
THEN = datetime(2026, 11, 30, tzinfo=UTC)


class Machine:
    """A clock that people set, and one that only rises."""

    def __init__(self) -> None:
        self.wall = THEN
        self.risen = 5 * SECOND
        self.clock = DatabaseClock(lambda: int(self.wall.timestamp() * 1000), lambda: self.risen)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.risen += int(seconds * SECOND)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)


def test_before_the_first_answer_it_is_this_machine_s() -> None:
    machine = Machine()
    assert machine.now == THEN


@given(st.floats(-1e6, 1e6), st.floats(0, 1e4))
def test_who_sets_this_machine_s_clock_moves_nothing(step: float, passed: float) -> None:
    machine = Machine()
    machine.clock.answered(THEN, machine.risen, machine.risen)
    machine.wall += timedelta(seconds=step)
    machine.passes(passed)
    assert abs((machine.now - THEN).total_seconds() - passed) < 0.01


def test_a_database_whose_clock_is_set_is_followed() -> None:
    machine = Machine()
    machine.clock.answered(THEN, machine.risen, machine.risen)
    machine.passes(3)
    set_back = THEN - timedelta(hours=1)
    machine.clock.answered(set_back, machine.risen, machine.risen + SECOND // 100)
    assert abs((machine.now - set_back).total_seconds()) < 0.01


def test_a_slow_answer_changes_nothing_that_agrees_with_it() -> None:
    machine = Machine()
    machine.clock.answered(THEN, machine.risen, machine.risen)
    began = machine.risen
    machine.passes(4)
    machine.clock.answered(THEN + timedelta(seconds=3.9), began, machine.risen)
    assert machine.now == THEN + timedelta(seconds=4)
