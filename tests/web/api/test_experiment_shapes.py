"""Every word that an experiment may say has its place in the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest

from campaigns.decisions.decided import Decided, How
from campaigns.decisions.holdouts import HoldoutReport, NoLift
from campaigns.decisions.verdicts import Verdict
from campaigns.experiments.holdout import lift
from campaigns.experiments.winner import Reason
from campaigns.running.phases import NOBODY
from dlr.anomalies.significance import Share
from web.api import experiment_shapes as shapes

NOW = datetime(2026, 11, 10, tzinfo=UTC)


def test_the_words_are_those_of_the_room() -> None:
    for named, known in (
        (shapes.HowName, How), (shapes.VerdictName, Verdict), (shapes.ReasonName, Reason),
        (shapes.NoLiftName, NoLift),
    ):  # fmt: skip
        assert set(get_args(named)) == {each.value for each in known}


@pytest.mark.parametrize(
    ("arm", "remainder", "shown"), [(1, "arm", 1), (0, "arm", 0), (None, "split", None),
                                    (NOBODY, "stop", None)]
)  # fmt: skip
def test_a_decision_says_what_the_others_get(
    arm: int | None, remainder: str, shown: int | None
) -> None:
    made = Decided(at=NOW, how=How.FALLBACK, arm=arm, by="job")
    found = shapes.decision_resource(made)
    assert found is not None
    assert (found.remainder, found.arm, found.by, found.reason) == (remainder, shown, "job", None)
    assert shapes.decision_resource(None) is None


def test_a_lift_is_shown_with_its_bounds() -> None:
    """180 more of 18 000, between 32 and 299."""
    texted, held_out = Share(630, 18_000), Share(50, 2_000)
    made = HoldoutReport(
        event="order_paid", window=timedelta(hours=72), texted=texted, held_out=held_out,
        lift=lift(texted, held_out), why=None,
    )  # fmt: skip
    found = msgspec.to_builtins(shapes.holdout_resource(made))
    assert (found["event"], found["window_hours"], found["why"]) == ("order_paid", 72, None)
    assert {name: round(value) for name, value in found["lift"]["extra"].items()} == {
        "value": 180, "low": 32, "high": 299,
    }  # fmt: skip
    assert found["lift"]["ratio"]["value"] == pytest.approx(1.4)
