"""Whether a test is large enough is known before anybody is texted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from campaigns.decisions.sizes import needed_matured, needed_planned, rules_of, underpowered
from campaigns.experiments.winner import Fallback
from campaigns.running.experiment_spec import Experiment
from campaigns.running.spec import Spec

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
        ({"base": 0.06, "tau": 0.06}, 2, 1_000),  # 356 would do: a winner needs 1 000
    ],
)
def test_what_is_needed_follows_from_the_rate_that_is_expected(
    changes: dict[str, Any], arms: int, needed: int
) -> None:
    assert needed_matured(asked(**changes), arms) == needed


def test_c56_a_test_that_is_too_small_is_told_with_what_it_would_take() -> None:
    """C56: of 30 people nothing can be said, and that is said before they are texted."""
    [warning] = underpowered(spec(1, 3), {"0": 7, "1": 23})
    assert (warning.code, warning.pointer) == ("underpowered", "/experiment")
    needed = needed_planned(asked(), 2)
    assert needed == 14_536  # of which 95 % are 13 809
    assert f"has 7 people, and {needed} are needed" in warning.detail
    assert f"{4 * needed} in the test" in warning.detail
    assert list(underpowered(spec(1, 3), {"0": needed, "1": 3 * needed})) == []


def test_the_rules_are_those_that_were_written() -> None:
    found = rules_of(spec(1, 3), asked(fallback="stop"))
    assert (found.tau, found.weights, found.matured_min) == (0.005, (1, 3), 13_809)
    assert (found.alpha, found.fallback) == (0.05, Fallback.STOP)
