"""The same arm in SQL and in Python, and nobody moves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.assignment import (
    BUCKETS,
    GLOBAL_HOLDOUT,
    HOLDOUT,
    Split,
    bucket,
    weighted,
)
from campaigns.experiments.sample_ratio import sample_ratio
from storage.pool import Connection

ARMS = weighted([50, 50])
PEOPLE = range(20_000)


@pytest.mark.parametrize(
    ("salt", "contact", "wanted"),
    [("cmp_1", 1, 9767), ("cmp_1", 2, 1957), ("cmp_1", 3, 4708), ("cmp_2", 1, 535)],
)
def test_a_bucket_is_the_hash_of_salt_and_contact(salt: str, contact: int, wanted: int) -> None:
    assert bucket(salt, contact) == wanted


@pytest.mark.parametrize(
    ("weights", "uppers"),
    [
        ([50, 50], (5000, 10000)),
        ([1, 1, 1], (3334, 6667, 10000)),
        ([1, 0, 3], (2500, 2500, 10000)),
        ([7], (10000,)),
    ],
)
def test_weights_become_buckets(weights: list[int], uppers: tuple[int, ...]) -> None:
    assert weighted(weights) == uppers


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1, 3], [1] * 21])
def test_what_is_no_weight_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="no weights"):
        weighted(weights)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_weights_are_kept_to_one_bucket(weights: list[int]) -> None:
    uppers = weighted(weights)
    sizes = [upper - lower for lower, upper in zip((0, *uppers), uppers, strict=False)]
    assert uppers[-1] == BUCKETS
    for size, weight in zip(sizes, weights, strict=True):
        assert abs(size - weight * BUCKETS / sum(weights)) < 1


async def test_sql_gives_every_contact_the_same_arm(connection: Connection) -> None:
    """Of ids of any size, with and without people held out."""
    contacts = [*range(1, 2000), 2**62 + 1, 2**63 - 1]
    splits = [
        Split("cmp_1", weighted([1, 0, 2])),
        Split("cmp_1", ARMS, holdout=500),
        Split("cmp_2", (BUCKETS,), 1000, global_salt="2026-q4", global_holdout=200),
    ]
    for split in splits:
        rows = await connection.fetch(
            "SELECT experiment_bucket($2, c), experiment_arm(c, $2, $3, $4, $5, $6)"
            " FROM unnest($1::bigint[]) c",
            contacts, split.salt, split.uppers, split.holdout,
            split.global_salt, split.global_holdout,
        )  # fmt: skip
        assert [tuple(row) for row in rows] == [
            (bucket(split.salt, contact), split.arm(contact)) for contact in contacts
        ]


def test_c51_every_arm_is_as_large_as_its_weight() -> None:
    for weights in ([50, 50], [1, 1, 1], [10, 20, 30, 40]):
        split = Split("cmp_even", weighted(weights))
        found = Counter(split.arm(contact) for contact in PEOPLE)
        counts = [found[arm] for arm in range(len(weights))]
        assert not sample_ratio(counts, weights).off
        assert sum(counts) == len(PEOPLE)


def test_c52_a_contact_has_one_arm_whoever_asks_and_however_often() -> None:
    split = Split("cmp_1", ARMS, holdout=500)
    again = Split("cmp_1", ARMS, holdout=500)
    arms = {contact: split.arm(contact) for contact in PEOPLE}
    assert set(arms.values()) == {HOLDOUT, 0, 1}
    assert all(again.arm(contact) == arms[contact] for contact in reversed(PEOPLE))


@given(
    st.integers(1, 2**63 - 1), st.integers(0, BUCKETS), st.integers(0, BUCKETS),
    st.integers(0, BUCKETS), st.integers(0, BUCKETS),
)  # fmt: skip
def test_c55_a_larger_test_or_smaller_holdout_moves_nobody_to_another_arm(
    contact: int, holdout: int, less: int, test: int, more: int
) -> None:
    before = Split("cmp_1", ARMS, max(holdout, less), min(test, more))
    after = Split("cmp_1", ARMS, min(holdout, less), max(test, more))
    assert before.arm(contact) in (HOLDOUT, after.arm(contact))
    assert after.in_test(contact) or not before.in_test(contact)


def test_c55_test_and_holdout_take_from_every_arm_alike() -> None:
    split = Split("cmp_1", ARMS, holdout=3000, test=3000)
    arms = Counter(split.arm(contact) for contact in PEOPLE)
    tested = Counter(split.arm(contact) for contact in PEOPLE if split.in_test(contact))
    assert not sample_ratio([arms[HOLDOUT], arms[0], arms[1]], [30, 35, 35]).off
    assert not sample_ratio([tested[0], tested[1]], [1, 1]).off


def test_the_holdout_of_a_quarter_is_of_all_campaigns_and_comes_first() -> None:
    splits = [
        Split(name, ARMS, holdout=5000, global_salt="2026-q4", global_holdout=500)
        for name in ("cmp_1", "cmp_2")
    ]
    held = [{c for c in PEOPLE if split.arm(c) == GLOBAL_HOLDOUT} for split in splits]
    assert held[0] == held[1]
    assert not sample_ratio([len(held[0]), len(PEOPLE) - len(held[0])], [5, 95]).off
    of_campaigns = [{c for c in PEOPLE if split.arm(c) == HOLDOUT} for split in splits]
    assert of_campaigns[0] != of_campaigns[1]
