"""Each detector alarms at what is certain and matters, and at nothing else."""

from __future__ import annotations

import pytest

from dlr.anomalies import detectors
from dlr.anomalies.significance import Share, level_of

LEVEL = level_of(200)
USUAL = Share(6658, 7000)


@pytest.mark.parametrize(
    ("now", "usual", "spread", "alarms"),
    [
        (Share(920, 1000), USUAL, 1, False),
        (Share(880, 1000), USUAL, 3, True),
        (Share(870, 1000), Share(6650, 7000), 14.737, False),
        (Share(180_000, 200_000), Share(1_876_000, 2_000_000), 1, False),  # 3.8 points: certain
    ],
)
def test_a_drop(now: Share, usual: Share, spread: float, alarms: bool) -> None:
    assert (detectors.drop(now, usual, spread, LEVEL) is not None) is alarms


def test_g16_two_of_four_messages_are_no_alarm() -> None:
    few = Share(2, 4)
    assert detectors.drop(few, USUAL, 1, 0.4) is None
    assert detectors.latency(few, Share(350, 7000), 1, 0.4) is None
    assert detectors.reason(few, Share(70, 7000), 1, 0.4) is None
    assert detectors.silence(Share(0, 4), USUAL, 0.4) is None
    assert detectors.surge(4, 0.1, 0.1, 0.4) is None
    assert detectors.complaints(4, 0.01, 0.4) is None
    assert detectors.drop(Share(100, 199), USUAL, 1, LEVEL) is None
    assert detectors.drop(Share(100, 200), USUAL, 1, LEVEL) is not None


@pytest.mark.parametrize(
    ("now", "usual", "alarms"),
    [
        (Share(0, 20), Share(500, 1000), True),
        (Share(0, 19), Share(999, 1000), False),
        (Share(0, 200), Share(50, 1000), False),
        (Share(1, 2000), Share(500, 1000), False),
        (Share(0, 2000), Share(0, 1000), False),
    ],
)
def test_silence(now: Share, usual: Share, alarms: bool) -> None:
    found = detectors.silence(now, usual, LEVEL)
    assert (found is not None) is alarms
    if found is not None:
        assert found.probability == pytest.approx(9.5e-7, rel=0.01)


@pytest.mark.parametrize(("count", "alarms"), [(197, False), (198, True)])
def test_a_surge(count: int, alarms: bool) -> None:
    found = detectors.surge(count, 104.286, 270.238, LEVEL)
    assert (found is not None) is alarms
    assert detectors.surge(count, 150.0, 160.0, 0.5) is None  # not half as many again


def test_a_surge_of_what_does_not_scatter() -> None:
    assert detectors.surge(156, 104.286, 104.286, LEVEL) is None
    found = detectors.surge(157, 104.286, 104.286, LEVEL)
    assert found is not None
    assert found.test == "poisson"


@pytest.mark.parametrize(
    ("now", "usual", "alarms"),
    [
        (Share(40, 1000), Share(70, 7000), False),
        (Share(60, 1000), Share(70, 7000), True),
        (Share(19, 1000), Share(7, 70_000), False),
        (Share(2000, 10_000), Share(11_000, 100_000), False),  # certain, and not doubled
    ],
)
def test_a_reason_that_rises(now: Share, usual: Share, alarms: bool) -> None:
    found = detectors.reason(now, usual, 3, LEVEL)
    assert (found is not None) is alarms


@pytest.mark.parametrize(
    ("now", "alarms"), [(Share(200, 1000), True), (Share(99, 1000), False), (Share(90, 199), False)]
)
def test_answers_that_take_longer(now: Share, alarms: bool) -> None:
    assert (detectors.latency(now, Share(350, 7000), 1, LEVEL) is not None) is alarms


@pytest.mark.parametrize(("usual", "first"), [(0.5, 7), (1, 9), (2, 13), (5, 20)])
def test_complaints(usual: float, first: int) -> None:
    assert detectors.complaints(first - 1, usual, LEVEL) is None
    found = detectors.complaints(first, usual, LEVEL)
    assert found is not None
    assert (found.observed, found.usual) == (first, usual)
