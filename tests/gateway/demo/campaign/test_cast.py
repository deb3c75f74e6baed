"""The people of a rehearsed campaign: each has one number, and does only what can be done."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import DEMO_PEOPLE_MAX
from gateway.demo.campaign.cast import (
    IN_SEGMENT,
    OPT_OUT_REPLIES,
    OTHERS_MIN,
    ROWS_MAX,
    STEPS,
    Cast,
    Habits,
    Handset,
    Role,
    by_chance,
)
from gateway.demo.campaign.win_back import CATEGORIES, WIN_BACK, category
from recipients.keywords import Keyword, KeywordSets, heard
from recipients.numbers.plan import NumberPlan

LARGE = Cast(people=DEMO_PEOPLE_MAX, seed=3)
PLACES = st.integers(0, LARGE.rows - 1)
SEEDS = st.integers(-(2**40), 2**40)
SHARES = st.floats(0, 1)
HABITS = st.builds(
    Habits, off=SHARES, preview=st.floats(0.001, 1), taps=st.tuples(SHARES, SHARES), twice=SHARES,
    steps=st.tuples(SHARES, SHARES, SHARES, SHARES), opts_out=SHARES, complains=SHARES,
)  # fmt: skip


@given(PLACES)
def test_a_number_says_whose_it_is_and_is_a_telephone(place: int) -> None:
    number = LARGE.number(place)
    assert LARGE.place(number) == LARGE.place(number.removeprefix("+")) == place
    assert NumberPlan().fault(number) is None
    handset = LARGE.behaviour(place, 0).handset
    assert (number[-4:] in {Handset.OFF.value, Handset.TOO_LONG_OFF.value}) == (
        handset is not Handset.ON
    )


@given(st.from_regex(r"\+?[0-9]{0,14}", fullmatch=True))
def test_another_number_is_nobodys(number: str) -> None:
    place = WIN_BACK.place(number)
    assert place is None or WIN_BACK.number(place) == f"+{number.removeprefix('+')}"


def test_no_two_people_share_a_number() -> None:
    cast = Cast(people=30_000, seed=2)
    assert len({cast.number(place) for place in range(cast.rows)}) == cast.rows
    assert LARGE.rows <= ROWS_MAX


@given(HABITS, SEEDS, PLACES, st.sampled_from((0, 1)))
def test_nobody_does_what_cannot_be_done(habits: Habits, seed: int, place: int, arm: int) -> None:
    does = by_chance(habits, seed, place, arm)
    assert does == by_chance(habits, seed, place, arm)
    assert does.steps == STEPS[: does.done]
    if does.handset is not Handset.ON:
        assert (does.taps, does.preview, does.reply, does.complains) == (0, None, None, False)
    if not does.taps:
        assert does.done == 0
    # The text alone decides whether somebody taps: all else is the same person's.
    other = by_chance(habits, seed, place, 1 - arm)
    assert (other.handset, other.reply, other.complains, other.preview) == (
        does.handset, does.reply, does.complains, does.preview,
    )  # fmt: skip


def test_chance_keeps_to_its_shares() -> None:
    habits, people = Habits(), 40_000
    found = [by_chance(habits, 7, place, 1) for place in range(people)]
    assert abs(sum(each.taps > 0 for each in found) / people - 0.98 * habits.taps[1]) < 0.005
    assert abs(sum(each.handset is Handset.ON for each in found) / people - 0.98) < 0.003
    assert 0.4 < sum(each.done > 0 for each in found) / sum(each.taps > 0 for each in found) < 0.6
    assert {each.preview for each in found} == {None, 0, 1, 2, 3}
    assert {each.reply for each in found} == {None, *OPT_OUT_REPLIES}
    assert any(each.complains for each in found)


@given(st.integers(2, DEMO_PEOPLE_MAX))
def test_every_reason_against_a_text_stands_in_the_file(people: int) -> None:
    cast = Cast(people=people)
    assert cast.others >= OTHERS_MIN
    assert {cast.role(people + place) for place in range(OTHERS_MIN)} == set(Role) - {Role.MEANT}
    assert cast.with_role(*Role) == cast.rows


def test_roles_are_counted_as_they_are_given() -> None:
    cast = Cast(people=1_234)
    counted = Counter(cast.role(place) for place in range(cast.rows))
    assert all(cast.with_role(role) == counted[role] for role in Role)
    assert cast.with_role(*IN_SEGMENT) == sum(counted[role] for role in IN_SEGMENT)


def test_every_reply_opts_out() -> None:
    sets = KeywordSets.of()
    assert {heard(reply, sets).keyword for reply in OPT_OUT_REPLIES} == {Keyword.OPT_OUT}


def test_c56_the_case_is_thirty_people_of_whom_three_log_in_two_order_and_one_again() -> None:
    """C56."""
    assert WIN_BACK.people == 30 and len(CATEGORIES) == 11
    assert {category(place) for place in range(30)} == set(CATEGORIES)
    done = [WIN_BACK.behaviour(place, 0).done for place in range(30)]
    assert [sum(each > step for each in done) for step in range(len(STEPS))] == [3, 2, 2, 1]
