"""The best hour of a contact: its own, as far as it has any, among those of its segment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.events.best_hour import best_hour, of_day, shares


def test_own_hours_weigh_as_events_and_the_segments_as_ten() -> None:
    found = shares([1, 3, 0], [0.5, 0.3, 0.2])
    assert found == pytest.approx([0.429, 0.429, 0.143], abs=0.0005)
    assert sum(found) == pytest.approx(1)


def test_of_equal_hours_the_earlier_one_is_taken_and_only_allowed_ones_are() -> None:
    assert best_hour([1, 3, 0], [0.5, 0.3, 0.2], {0, 1, 2}) == 0
    assert best_hour([1, 3, 0], [0.5, 0.3, 0.2], {2, 1}) == 1
    assert best_hour([1, 3, 0], [0.5, 0.3, 0.2], ()) is None


def test_a_week_has_two_kinds_of_days() -> None:
    profile = list(range(48))
    assert (of_day(profile, weekend=False)[0], of_day(profile, weekend=True)[0]) == (0, 24)


@given(st.lists(st.integers(0, 30), min_size=24, max_size=24), st.sets(st.integers(0, 23)))
def test_c22_an_hour_that_is_not_allowed_is_never_taken(own: list[int], allowed: set[int]) -> None:
    best = best_hour(own, [1 / 24] * 24, allowed)
    assert best in allowed or (best is None and not allowed)
    if best is not None:
        assert own[best] == max(own[hour] for hour in allowed)
