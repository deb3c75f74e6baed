"""Some simulated hours; `python -m benchmarks simulation` makes a thousand."""

from __future__ import annotations

import pytest

from benchmarks.simulated.schedule import Answer, Fate, Kind, Step, draw, read, text_of
from benchmarks.simulated.world import run

HOURS = 8


def test_hours_with_faults_keep_every_promise() -> None:
    broken = {}
    messages = 0
    for number in range(HOURS):
        ran = run(draw(f"17/{number}"))
        messages += ran.messages
        if ran.faults:
            broken[number] = ran.faults
    assert broken == {}
    assert messages > 10 * HOURS


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.MESSAGE])
def test_each_fault_by_itself_loses_nothing(kind: Kind) -> None:
    messages = [Step(1_000 + 20 * number, Kind.MESSAGE, number=number) for number in range(1, 9)]
    ran = run((*messages[:4], Step(1_085, kind, 2.0), *messages[4:]))
    assert ran.faults == []
    assert ran.submits >= 4


def test_the_same_schedule_gives_the_same_octets_at_the_same_moments() -> None:
    schedule = draw("17/3")
    first, again = run(schedule), run(schedule)
    assert first == again
    assert run(draw("17/4")).digest != first.digest


def test_a_schedule_is_read_back_as_it_was_written() -> None:
    schedule = draw("17/0")
    assert read(text_of(schedule)) == schedule


def test_e33_a_message_that_late_answers_complete_is_not_stuck() -> None:
    """Found by an hour of this simulation, and this is what it was shortened to."""
    late = Fate(answer_ms=58_000)
    ran = run(
        (
            Step(603, Kind.MESSAGE, number=31, fates=(Fate(answer=Answer.UNHEARD),)),
            Step(637, Kind.MESSAGE, number=27, parts=2),
            Step(650, Kind.SILENCE, 4.0),
            Step(830, Kind.MESSAGE, number=32, parts=2, fates=(late,)),
        )
    )
    assert ran.faults == []
