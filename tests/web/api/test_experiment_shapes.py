"""Every word that an experiment may say has its place in the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest

from campaigns.decisions.counting import ArmCounts
from campaigns.decisions.decided import Decided, How
from campaigns.decisions.holdouts import HoldoutReport, NoLift
from campaigns.decisions.looks import StoredLook
from campaigns.decisions.planned import LookPlan
from campaigns.decisions.reporting import Difference, ExperimentReport
from campaigns.decisions.verdicts import Verdict
from campaigns.experiments.holdout import lift
from campaigns.experiments.intervals import Bounded
from campaigns.experiments.sample_ratio import SampleRatio
from campaigns.experiments.winner import Reason
from campaigns.running.experiment_spec import ChosenTest, Experiment
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


def test_planned_looks_are_shown_with_what_they_were_judged_by() -> None:
    """And with what was not as planned, and what comes next."""
    test = ChosenTest(kind="planned", looks=3)
    asked = Experiment(
        metric="uctr_delivered", tau=0.05, test_share=0.2, decide_by="PT36H", test=test
    )
    plan = LookPlan.of(asked, [6_000, 6_000])
    assert plan is not None
    counts = [ArmCounts(planned=6_000, matured=3_000, successes=part) for part in (300, 310)]
    looks = [StoredLook(at=NOW, counts=counts, number=1, bound=3.4)]
    apart = Difference(one=1, other=0, difference=Bounded(0.1, -0.1, 0.2), p=None, z=0.4)
    report = ExperimentReport(
        asked=asked, decide_by=NOW, needed=1_000, underpowered=False, waiting=3,
        verdict=Verdict.NO_DIFFERENCE, words="no", better=None, reasons=(Reason.BETWEEN_LOOKS,),
        decided=None, arms=counts, differences=[apart], planned_ratio=SampleRatio(0, 1),
        matured_ratio=SampleRatio(0, 1), looks=looks, plan=plan, upcoming=plan.next(looks, NOW),
    )  # fmt: skip
    found = msgspec.to_builtins(shapes.experiment_resource(report))
    assert found["test"] == {"kind": "planned", "looks": 3}
    assert found["reasons"] == ["between_looks"]
    assert (found["differences"][0]["p"], found["differences"][0]["z"]) == (None, 0.4)
    [look] = found["looks"]
    assert (look["number"], look["bound"], look["ratio"]) == (1, 3.4, None)
    assert look["note"].startswith("6000 people were matured instead of 3800")
    upcoming = found["next_look"]
    assert (upcoming["number"], upcoming["matured"]) == (2, [3_800, 3_800])
    assert upcoming["bound"] == pytest.approx(2.4545, abs=1e-3)
    ended = msgspec.structs.replace(report, upcoming=None, plan=None)
    shown = shapes.experiment_resource(ended)
    assert shown is not None
    assert (shown.next_look, shown.looks[0].note) == (None, None)
