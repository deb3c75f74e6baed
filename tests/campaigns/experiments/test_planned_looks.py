"""O'Brien and Fleming's bounds keep their level, as planned and where looks come late."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.experiments.crossing import Moment, crossed
from campaigns.experiments.planned_looks import (
    LOOKS_MAX,
    Crossings,
    Taken,
    bound,
    bounds,
    inflation,
    shown,
    spent,
)
from dlr.anomalies.significance import Share

LEVELS = (0.5, 0.05, 0.025, 0.05 / 4, 0.001 / 19)


def test_five_looks() -> None:
    assert bounds(5) == pytest.approx((4.562, 3.226, 2.634, 2.281, 2.040), abs=5e-4)


@pytest.mark.parametrize(
    ("looks", "last"), [(1, 1.960), (2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040)]
)
def test_the_last_bound_is_the_published_one(looks: int, last: float) -> None:
    assert bounds(looks)[-1] == pytest.approx(last, abs=6e-4)


@pytest.mark.parametrize(
    ("looks", "times"), [(1, 1.0), (2, 1.008), (3, 1.017), (4, 1.024), (5, 1.028)]
)
def test_a_few_looks_cost_a_few_people_more(looks: int, times: float) -> None:
    assert inflation(looks, 0.05) == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("looks", range(1, LOOKS_MAX + 1))
def test_bounds_fall_and_what_is_spent_grows_to_the_level(looks: int, level: float) -> None:
    assert all(later < earlier for earlier, later in pairwise(bounds(looks, level)))
    parts = spent(looks, level)
    assert all(earlier < later for earlier, later in pairwise(parts))
    assert parts[-1] == pytest.approx(level, rel=1e-3)


def taken(looks: int, level: float, found: list[tuple[int, float]]) -> list[Taken]:
    """Looks of these numbers that found so much."""
    made: list[Taken] = []
    for number, information in found:
        limit = bound(looks, level, made, number, information)
        made.append(Taken(number, information, limit))
    return made


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("looks", range(1, LOOKS_MAX + 1))
def test_looks_that_find_what_was_planned_have_the_bounds_that_were_planned(
    looks: int, level: float
) -> None:
    made = taken(looks, level, [(number, number / looks) for number in range(1, looks + 1)])
    assert [each.bound for each in made] == pytest.approx(bounds(looks, level), abs=2e-3)


found_somehow = st.lists(
    st.tuples(st.integers(1, LOOKS_MAX), st.floats(1e-3, 0.7)), min_size=1, max_size=5,
    unique_by=lambda pair: pair[0],
).map(
    lambda pairs: [
        (number, sum(step for _, step in pairs[: place + 1]))
        for place, number in enumerate(sorted(number for number, _ in pairs))
    ]
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(found_somehow, st.sampled_from(LEVELS))
def test_whatever_looks_find_and_whichever_are_missed_no_more_is_spent_than_planned(
    found: list[tuple[int, float]], level: float
) -> None:
    made = taken(LOOKS_MAX, level, found)
    whole = crossed([Moment(each.information, each.bound) for each in made])
    for each, share in zip(made, whole, strict=True):
        assert share <= spent(LOOKS_MAX, level)[each.number - 1] + 0.01 * level


def test_a_look_that_found_nobody_has_no_bound() -> None:
    assert bound(5, 0.05, [], 5, 0.0) == inf


def test_fewer_people_than_before_are_as_many_as_before() -> None:
    """Nothing that is deleted takes back what a look knew."""
    before = taken(5, 0.05, [(1, 0.2)])
    assert bound(5, 0.05, before, 2, 0.1) == bound(5, 0.05, before, 2, 0.2)


@pytest.mark.parametrize("looks", [0, 6])
def test_other_numbers_of_looks_have_no_bounds(looks: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 5"):
        bounds(looks)


GOOD, BAD = Share(260, 10_000), Share(200, 10_000)  # z is 2.83


def test_what_the_last_look_shows_the_first_may_not() -> None:
    found = [shown(GOOD, BAD, limit) for limit in bounds(5)]
    assert found == [False, False, True, True, True]
    assert shown(BAD, GOOD, bounds(5)[-1])


def winner(*looks: tuple[Share, ...], limit: float = 2.5) -> int | None:
    found = Crossings.none(len(looks[0]))
    for each in looks:
        found = found.looked(each, limit)
    return found.winner()


def test_a_winner_is_shown_above_every_other_arm_at_whichever_look() -> None:
    assert winner((GOOD, BAD)) == 0
    assert winner((BAD, GOOD, BAD)) == 1
    assert winner((BAD, GOOD, GOOD)) is None
    assert winner((GOOD, BAD, GOOD), (GOOD, GOOD, BAD)) == 0
    assert winner((GOOD, BAD), (BAD, BAD)) == 0, "what was shown stays"
    assert winner((GOOD, BAD), (BAD, GOOD)) is None
    assert winner((GOOD, BAD), limit=2.9) is None


def test_a_few_successes_are_not_looked_at() -> None:
    assert winner((Share(900, 10_000), Share(19, 10_000))) is None
    assert winner((Share(900, 10_000), Share(20, 10_000))) == 0
