"""Ordered steps: who did one thing after another, and how far the others came."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.click_steps import people_by_step, steps_done

STEPS = ("login", "cart", "order", "order")


@pytest.mark.parametrize(
    ("events", "done"),
    [
        ((), 0),
        (("cart", "order"), 0),
        (("cart", "login", "order"), 1),
        (("login", "login", "cart"), 2),
        (("login", "order", "cart", "order"), 3),
        (("login", "cart", "order", "cart", "order"), 4),
        (("login", "cart", "order", "order", "order"), 4),
    ],
)
def test_a_step_counts_after_all_before_it(events: tuple[str, ...], done: int) -> None:
    assert steps_done(STEPS, events) == done


@given(st.lists(st.sampled_from("abc"), max_size=4), st.lists(st.sampled_from("abcd"), max_size=8))
def test_no_other_choice_of_events_comes_farther(steps: list[str], events: list[str]) -> None:
    best = max(
        length
        for length in range(len(steps) + 1)
        if any(list(chosen) == steps[:length] for chosen in combinations(events, length))
    )
    assert steps_done(steps, events) == best


def test_people_are_summed_up_by_step() -> None:
    walks = [(("login", "cart"), 5), (("login",), 3), (("cart",), 9)]
    assert people_by_step(STEPS, walks) == [8, 5, 0, 0]
