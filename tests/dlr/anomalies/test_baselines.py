"""A window is compared with its like: the same quarter, at the same age."""

from __future__ import annotations

from dlr.anomalies import detectors
from dlr.anomalies.baselines import (
    Window,
    age_that_tells,
    compared_with,
    usual_count,
    usual_share,
)
from dlr.anomalies.significance import Share, level_of
from dlr.rollups.columns import QUARTERS_PER_DAY

QUIET = Window(accepted=1000, sent=1000, d5m=600, d1h=950)


def test_the_same_quarter_of_a_week_and_of_four_weekdays() -> None:
    compared = compared_with(100_000)
    days = [(100_000 - each) / QUARTERS_PER_DAY for each in compared]
    assert days == [1, 2, 3, 4, 5, 6, 7, 14, 21, 28]


def test_g18_a_young_window_is_compared_at_its_own_age() -> None:
    """After 5 minutes 60 % are delivered, as always: 95 % is what an hour brings."""
    usual = [QUIET] * 7
    young = Share(600, 1000)
    late, early = usual_share(usual, "d1h"), usual_share(usual, "d5m")
    assert late is not None
    assert early is not None
    assert detectors.drop(young, early, 1, level_of(200)) is None
    assert detectors.drop(young, late, 1, level_of(200)) is not None


def test_fewer_than_four_windows_say_nothing() -> None:
    empty = Window(accepted=0, sent=0, d5m=0, d1h=0)
    assert usual_share([QUIET] * 3 + [empty] * 7, "d1h") is None
    assert usual_share([QUIET] * 4, "d1h") == Share(3800, 4000)
    assert usual_count([QUIET] * 3) is None
    assert usual_count([empty] * 10) is None
    assert usual_count([QUIET, empty] * 2) == (500, 1_000_000 / 3)


def test_a_key_is_looked_at_when_most_has_come() -> None:
    assert age_that_tells(Share(600, 1000), Share(950, 1000)) == "d5m"
    assert age_that_tells(Share(400, 1000), Share(950, 1000)) == "d1h"
    assert age_that_tells(None, Share(950, 1000)) == "d1h"
    assert age_that_tells(Share(400, 1000), None) == "d5m"
    assert age_that_tells(Share(0, 1000), Share(0, 1000)) == "d1h"


def test_more_delivered_than_sent_is_never_a_share_above_one() -> None:
    assert Window(accepted=5, sent=5, d5m=6, d1h=6).share("d5m") == Share(5, 5)
