"""The shortest schedule, whatever failing is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulated.schedule import Answer, Fate, Kind, Schedule, Step, draw
from benchmarks.simulated.shrinking import shrink


@given(st.sets(st.integers(0, 29), min_size=1, max_size=4))
def test_only_the_steps_that_are_needed_are_left(needed: set[int]) -> None:
    schedule = tuple(Step(at, Kind.CUT) for at in range(30))

    def fails(tried: Schedule) -> bool:
        return needed <= {step.at_ms for step in tried}

    assert [step.at_ms for step in shrink(schedule, fails)] == sorted(needed)


def test_what_is_left_is_as_usual_as_it_can_be() -> None:
    fates = (Fate(answer=Answer.BUSY, told=3), Fate(state=""))
    schedule = (Step(1, Kind.MESSAGE, number=4, category=3, account=2, parts=4, fates=fates),)

    def fails(tried: Schedule) -> bool:
        return any(step.parts == 4 and step.fates[:1] and step.fates[0].told > 1 for step in tried)

    (left,) = shrink(schedule, fails)
    assert left == Step(1, Kind.MESSAGE, number=4, parts=4, fates=(Fate(told=3),))


def test_a_pause_is_shortened() -> None:
    (left,) = shrink(
        (Step(1, Kind.SILENCE, 90.0),), lambda tried: bool(tried) and tried[0].seconds > 10
    )
    assert 10 < left.seconds < 25


def test_a_seed_draws_its_hour_again_and_another_one_others() -> None:
    assert draw("1/2") == draw("1/2") != draw("1/3")
    assert [step.at_ms for step in draw("1/2")] == sorted(step.at_ms for step in draw("1/2"))
