"""What a load met: times, last statuses in any order, and thresholds that hold or do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.load import figures
from gateway.load.figures import Outcome, Times, Waiting, kept
from gateway.load.profile import Thresholds


@given(st.lists(st.floats(1e-6, 1e5), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_right_to_a_hundredth(seconds: list[float], share: float) -> None:
    times = Times()
    for each in seconds:
        times.note(each)
    found = times.quantile(share)
    assert found is not None
    at_most = sum(each <= found * (1 + 1e-9) for each in seconds)
    under = sum(each < found / 1.0101 for each in seconds)
    assert at_most >= share * len(seconds) - 1e-6
    assert under < max(share * len(seconds), 1) + 1e-6


def test_of_nothing_there_is_no_quantile() -> None:
    assert Times().quantile(0.5) is None


def test_a_last_status_counts_once_in_either_order() -> None:
    outcome = Outcome()
    waiting = Waiting(outcome)
    waiting.accepted("msg_1", 1.0)
    waiting.told("msg_2", "failed", 2.5)  # before its answer
    assert len(waiting) == 1
    waiting.told("msg_1", "delivered", 3.0)
    waiting.accepted("msg_2", 2.0)
    waiting.told("msg_1", "delivered", 4.0)
    waiting.told("msg_2", "failed", 4.0)
    assert len(waiting) == 0
    assert outcome.statuses == {"delivered": 1, "failed": 1}
    assert (outcome.final.count, outcome.final.longest, outcome.repeated) == (2, 2.0, 2)


def test_what_is_open_has_a_bound_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "OPEN_MAX", 2)
    outcome = Outcome()
    waiting = Waiting(outcome)
    for name in "abcd":
        waiting.accepted(name, 0.0)
    assert (len(waiting), outcome.beyond) == (2, 2)


def test_thresholds_hold_or_do_not_and_no_figure_holds_none() -> None:
    outcome = Outcome(planned=100, accepted=98, requests=10, late=1)
    outcome.refused["429"] = 2
    outcome.statuses["delivered"] = 49
    outcome.accept.note(0.040)
    asked = Thresholds(
        accept_p99_ms=50, final_p99_ms=1_000, failed_share_max=0.01, late_share_max=0.1,
        delivered_share_min=0.5,
    )  # fmt: skip
    found = {each.name: each for each in kept(outcome, asked)}
    assert {name: each.met for name, each in found.items()} == {
        "accept_p99_ms": True,
        "final_p99_ms": False,
        "failed_share_max": False,
        "late_share_max": True,
        "delivered_share_min": True,
    }
    assert found["final_p99_ms"].found is None
    assert list(kept(outcome, Thresholds())) == []
