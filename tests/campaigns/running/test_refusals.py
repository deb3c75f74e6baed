"""A setting that refuses everybody is told from people whom it refuses."""

from __future__ import annotations

from campaigns.running.refusals import IN_A_ROW_MAX, Refusals

ROUTE = "route_unavailable"


def test_so_many_in_a_row_are_no_chance() -> None:
    refusals = Refusals()
    for _ in range(IN_A_ROW_MAX - 1):
        assert refusals.seen(1, 0, [ROUTE]) is None
    assert refusals.seen(2, 0, [ROUTE]) is None, "another campaign"
    found = refusals.seen(1, 0, [ROUTE])
    assert found is not None
    assert found.startswith("route_unavailable: 100 people")


def test_one_who_is_written_to_ends_the_row() -> None:
    refusals = Refusals()
    for _ in range(3):
        assert refusals.seen(1, 0, [ROUTE] * (IN_A_ROW_MAX - 1)) is None
        assert refusals.seen(1, 1, [ROUTE] * IN_A_ROW_MAX) is None


def test_what_is_people_s_own_is_not_counted() -> None:
    assert Refusals().seen(1, 0, ["number_gone"] * 500) is None


def test_a_campaign_that_stands_begins_anew() -> None:
    refusals = Refusals()
    assert refusals.seen(1, 0, [ROUTE] * (IN_A_ROW_MAX - 1)) is None
    refusals.only([2])
    assert refusals.seen(1, 0, [ROUTE]) is None
