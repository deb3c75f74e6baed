"""Spans roll: whatever the moment, no recipient is sent more in any stretch of that length."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.caps import (
    DAY_MS,
    GAP,
    HOUR_MS,
    NO_CAPS,
    SPANS,
    Caps,
    Refusal,
    Rule,
    Ruled,
    TooMany,
    refusal,
    strictest,
)
from recipients.velocity import SLOT_MS, counted, in_last_hour

NOW = 1_790_000_000_000
MARKETING = Caps(day=1, week=2, month=4, gap_seconds=3600)


@pytest.mark.parametrize(
    ("ages_hours", "found"),
    [
        ([], None),
        ([23], Refusal("day", NOW + HOUR_MS)),
        ([24], None),
        ([25, 50], Refusal("week", NOW + 7 * DAY_MS - 50 * HOUR_MS)),
        ([25, 168], None),
        ([200, 300, 400, 500], Refusal("month", NOW + 30 * DAY_MS - 500 * HOUR_MS)),
        ([200, 300, 400, 720], None),
    ],
)
def test_a_span_is_full_until_its_oldest_send_leaves_it(
    ages_hours: list[int], found: Refusal | None
) -> None:
    assert refusal(MARKETING, [NOW - age * HOUR_MS for age in ages_hours], NOW) == found


def test_a_gap_delays_and_what_is_full_comes_first() -> None:
    gap = Caps(gap_seconds=60)
    assert refusal(gap, [NOW - 59_000], NOW) == Refusal("gap", NOW + 1000)
    assert refusal(gap, [NOW - 60_000], NOW) is None
    assert refusal(MARKETING, [NOW - 1], NOW) == Refusal("day", NOW - 1 + DAY_MS)
    assert refusal(Caps(day=0), [], NOW) == Refusal("day", NOW + DAY_MS)
    assert not NO_CAPS
    assert gap


SOME_CAPS = st.builds(
    Caps, *(st.none() | st.integers(0, 4) for _ in SPANS), gap_seconds=st.integers(0, 7200)
)


@given(
    SOME_CAPS,
    st.lists(st.integers(0, 40 * 24 * 60), max_size=60).map(sorted),
)
def test_no_stretch_of_time_holds_more_than_its_cap(caps: Caps, minutes: list[int]) -> None:
    sends: list[int] = []
    for minute in minutes:
        at = NOW + minute * 60_000
        refused = refusal(caps, sends, at)
        if refused is None:
            sends.append(at)
        else:
            assert refused.until > at
    for name, length in SPANS:
        limit = getattr(caps, name)
        if limit is not None:
            for first in sends:
                assert sum(first <= send < first + length for send in sends) <= limit
    for before, after in pairwise(sends):
        assert after - before >= caps.gap_seconds * 1000


@given(st.lists(st.integers(0, 3 * HOUR_MS), max_size=60).map(sorted))
def test_an_hour_in_slots_is_never_less_than_the_hour(offsets: list[int]) -> None:
    slots: dict[int, int] = {}
    for position, offset in enumerate(offsets):
        at = NOW + offset
        exact = sum(at - HOUR_MS < NOW + other for other in offsets[:position])
        longer = sum(at - HOUR_MS - SLOT_MS < NOW + other for other in offsets[:position])
        assert exact <= in_last_hour(slots, at) <= longer
        slots = counted(slots, at, 1)
        assert len(slots) <= 14


@given(
    st.lists(
        st.builds(
            Ruled, st.sampled_from([each for each in Rule if each is not Rule.GAP]), SOME_CAPS
        ),
        max_size=6,
    ),
    st.lists(st.integers(0, 40 * 24 * 60).map(lambda minutes: NOW - minutes * 60_000), max_size=12),
)
def test_the_strictest_of_all_rules_holds_and_is_named(
    asked: list[Ruled], sends: list[int]
) -> None:
    """Too many by any is too many; a full span before a gap; what holds longest is named."""
    found = strictest(asked, sends, NOW)
    each = [(ruled, refusal(ruled.caps, sends, NOW)) for ruled in asked]
    refused = [(ruled, one) for ruled, one in each if one is not None]
    assert (found is None) == (not refused)
    if found is None:
        return
    full = [(ruled, one) for ruled, one in refused if one.span != GAP]
    assert found.delays == (not full)
    named = full or refused
    assert found.until == max(one.until for _, one in named)
    first = next(ruled for ruled, one in named if one.until == found.until)
    assert found.rule is (Rule.GAP if found.delays else first.rule)
    assert strictest(asked[::-1], sends, NOW) is not None, "no order of the rules lets it go"


def test_the_rule_says_in_words_why() -> None:
    asked = [
        Ruled(Rule.WISH, Caps(month=4)),
        Ruled(Rule.GROUP, Caps(week=1), "VIP"),
        Ruled(Rule.ACCOUNT, Caps(day=1, gap_seconds=60)),
    ]
    found = strictest(asked, [NOW - 1], NOW)
    assert found == TooMany(Rule.GROUP, "week", NOW - 1 + 7 * DAY_MS, "VIP")
    assert found.why == "as many as a week allows in the group VIP"
    gap = strictest([Ruled(Rule.ACCOUNT, Caps(gap_seconds=60))], [NOW - 1], NOW)
    assert gap == TooMany(Rule.GAP, GAP, NOW - 1 + 60_000)
