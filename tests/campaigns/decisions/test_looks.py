"""When an experiment is looked at: not before anybody is judged, seldom enough, and in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from campaigns.decisions.counting import ArmCounts, larger
from campaigns.decisions.looks import LOOKS_MAX, apart, due, evidence_of, ratio_of
from campaigns.experiments.winner import Rules
from campaigns.running.experiment_spec import Experiment

START = datetime(2026, 11, 10, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASKED = Experiment(
    metric="uctr_delivered", tau=0.005, test_share=0.2, decide_by="PT36H", window="24h"
)
RULES = Rules(0.005, (1, 1))


def counts(*pairs: tuple[int, int]) -> list[ArmCounts]:
    return [ArmCounts(matured=whole, successes=part) for part, whole in pairs]


def test_a_look_is_due_when_somebody_is_matured_and_then_now_and_then() -> None:
    first = START + 24 * HOUR
    assert not due(ASKED, START, None, first - timedelta(seconds=1))
    assert due(ASKED, START, None, first)
    assert not due(ASKED, START, first, first)
    assert not due(ASKED, START, first, first + apart(ASKED) - timedelta(seconds=1))
    assert due(ASKED, START, first, first + apart(ASKED))


def test_at_the_end_it_is_due_however_short_ago_the_last_one_was() -> None:
    end = START + 36 * HOUR
    assert due(ASKED, START, end - timedelta(seconds=1), end)


@given(window=st.integers(1, 168 * 60), more=st.integers(1, 500 * 60), turn=st.integers(10, 60))
def test_looks_are_bounded_however_long_an_experiment_lasts(
    window: int, more: int, turn: int
) -> None:
    asked = Experiment(
        metric="uctr_delivered", tau=0.005, test_share=0.2, window=f"{window}m",
        decide_by=f"{window + more}m",
    )  # fmt: skip
    end, last, made = START + asked.decide_span, None, 0
    step = max(timedelta(seconds=turn), asked.decide_span / 5_000)
    now = START + asked.window_span - step
    while now < end:
        if due(asked, START, last, now):
            last, made = now, made + 1
        now += step
    assert 1 <= made <= LOOKS_MAX + 1
    assert due(asked, START, last, end)


def test_looks_add_up_to_evidence_and_the_strongest_one_stays() -> None:
    strong, weak = counts((200, 10_000), (273, 10_000)), counts((210, 10_500), (250, 10_500))
    found = evidence_of([strong, weak], 2, RULES)
    assert found.winner(0.05) == 1
    assert evidence_of([weak], 2, RULES).winner(0.05) is None
    assert abs(ratio_of(strong, RULES) - 51.6162) < 1e-4
    assert ratio_of(counts((0, 100_000), (100_000, 100_000)), RULES) == 0  # no variance is known
    assert ratio_of(counts((10, 100_000), (99_990, 100_000)), RULES) > 1e300


def test_counts_that_know_of_more_people_are_told() -> None:
    """Messages are deleted by age, and looks are not."""
    before, now = counts((5, 100), (6, 90)), counts((5, 100), (0, 0))
    assert larger(now, before) is before
    assert larger(before, now) is before
