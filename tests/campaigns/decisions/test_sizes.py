"""Whether a test is large enough is known before anybody is texted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from campaigns.decisions.sizes import needed_matured, needed_planned, rules_of, warnings
from campaigns.experiments.winner import Fallback
from campaigns.running.experiment_spec import Experiment
from campaigns.running.spec import Schedule, Spec

ASKED: dict[str, Any] = {
    "metric": "uctr_delivered", "tau": 0.005, "test_share": 0.2, "decide_by": "PT36H",
}  # fmt: skip


def spec(*weights: int, **changes: Any) -> Spec:
    arms = [{"template": "tpl_0nx25tc8g2000@1", "weight": weight} for weight in weights]
    values = {
        "name": "x", "audience": {"segment": "has a"}, "arms": arms,
        "experiment": {**ASKED, **changes},
    }  # fmt: skip
    return msgspec.convert(values, Spec)


def asked(**changes: Any) -> Experiment:
    found = spec(1, 1, **changes).experiment
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "arms", "needed"),
    [
        ({}, 2, 13_809),
        ({"tau": 0.01}, 2, 3_826),
        ({"tau": 0.01}, 4, 5_103),  # each of three comparisons is held to a third of alpha
        ({"test": {"kind": "planned"}}, 2, 14_205),  # five looks: 1.0286 times as many
        ({"test": {"kind": "planned", "looks": 1}}, 2, 13_809),
        ({"tau": 0.01, "test": {"kind": "planned"}}, 4, 5_195),
        ({"base": 0.06, "tau": 0.06}, 2, 1_000),  # 356 would do: a winner needs 1 000
    ],
)
def test_what_is_needed_follows_from_the_rate_that_is_expected(
    changes: dict[str, Any], arms: int, needed: int
) -> None:
    assert needed_matured(asked(**changes), arms) == needed


def test_c56_a_test_that_is_too_small_is_told_with_what_it_would_take() -> None:
    """C56: of 30 people nothing can be said, and that is said before they are texted."""
    [warning] = warnings(spec(1, 3), {"0": 7, "1": 23})
    assert (warning.code, warning.pointer) == ("underpowered", "/experiment")
    needed = needed_planned(asked(), 2)
    assert needed == 14_536  # of which 95 % are 13 809
    assert f"has 7 people, and {needed} are needed" in warning.detail
    assert f"{4 * needed} in the test" in warning.detail
    assert list(warnings(spec(1, 3), {"0": needed, "1": 3 * needed})) == []


def test_the_rules_are_those_that_were_written() -> None:
    found = rules_of(spec(1, 3), asked(fallback="stop"))
    assert (found.tau, found.weights, found.matured_min) == (0.005, (1, 3), 13_809)
    assert (found.alpha, found.fallback) == (0.05, Fallback.STOP)


@pytest.mark.parametrize(
    ("schedule", "warned"),
    [({}, False), ({"rate": 9}, False), ({"rate": 8}, True), ({"rate": 9, "ramp": True}, True)],
)
def test_a_test_that_is_not_sent_in_time_is_told(schedule: dict[str, Any], warned: bool) -> None:
    """29 072 people in the hour between what is judged last and the decision."""
    found = msgspec.structs.replace(spec(1, 1, decide_by="PT25H"), schedule=Schedule(**schedule))
    needed = needed_planned(asked(), 2)
    told = list(warnings(found, {"0": needed, "1": needed}))
    assert [each.code for each in told] == (["test_too_slow"] if warned else [])


@pytest.mark.parametrize(
    ("schedule", "test", "warned"),
    [
        ({}, {"kind": "planned"}, True),
        ({"spread": "PT35M"}, {"kind": "planned"}, True),
        ({"spread": "PT36M"}, {"kind": "planned"}, False),  # a count each 7.2 minutes
        ({"spread": "PT15M"}, {"kind": "planned", "looks": 2}, False),
        ({"rate": 100}, {"kind": "planned"}, True),
        ({"rate": 10}, {"kind": "planned"}, False),
        ({}, {"kind": "planned", "looks": 1}, False),
        ({}, {"kind": "always_valid"}, False),
    ],
)
def test_looks_that_come_all_at_once_are_told(
    schedule: dict[str, Any], test: dict[str, Any], warned: bool
) -> None:
    found = msgspec.structs.replace(spec(1, 1, test=test), schedule=Schedule(**schedule))
    told = list(warnings(found, {"0": 20_000, "1": 20_000}))
    assert [each.code for each in told] == (["looks_at_once"] if warned else [])
    if warned and not schedule:
        assert told[0].pointer == "/experiment/test"
        assert "A spread of 36 minutes or more" in told[0].detail
