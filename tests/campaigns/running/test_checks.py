"""What stands against a start is told at once, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from campaigns.running.checks import ArmFacts, Facts, conflict, start_faults
from campaigns.running.schedule import START_BY
from campaigns.running.states import CampaignState, Move

NOW = datetime(2026, 11, 10, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = Facts(
    state=CampaignState.TESTING,
    actor="key 2",
    author="key 1",
    four_eyes=True,
    arms=[ArmFacts(delivered_at=NOW - HOUR)],
    planned=1_000,
    confirmed=1_000,
    start=NOW + HOUR,
    now=NOW,
)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"state": CampaignState.DRAFT}, ["state_conflict"]),
        ({"actor": "key 1"}, ["four_eyes"]),
        ({"actor": "key 1", "four_eyes": False}, []),
        ({"arms": [ArmFacts()]}, ["not_tested"]),
        ({"arms": [ArmFacts(delivered_at=NOW - 25 * HOUR)]}, ["not_tested"]),
        ({"arms": [ArmFacts(there=False, delivered_at=NOW)]}, ["template_unknown"]),
        ({"arms": [ArmFacts(errors=("R3", "R2"), delivered_at=NOW)]}, ["lint_failed"] * 2),
        ({"planned": None}, ["not_planned"]),
        ({"planned": 0, "confirmed": 0}, ["not_planned"]),
        ({"confirmed": 950}, []),
        ({"confirmed": 949}, ["count_changed"]),
        ({"confirmed": 1_051}, ["count_changed"]),
        ({"start": NOW - START_BY - HOUR}, ["state_conflict"]),
        ({"start": None}, []),
        (
            {"state": CampaignState.RUNNING, "actor": "key 1", "arms": [ArmFacts()], "planned": 5},
            ["state_conflict", "four_eyes", "not_tested", "count_changed"],
        ),
    ],
)
def test_each_condition_and_all_at_once(changes: dict[str, Any], codes: list[str]) -> None:
    found = start_faults(msgspec.structs.replace(GOOD, **changes))
    assert [fault.code for fault in found] == codes
    assert all(fault.pointer for fault in found)


def test_a_conflict_names_the_states_that_would_do() -> None:
    [fault] = conflict(Move.EDIT, CampaignState.RUNNING)
    assert fault.detail == "it is running; edit is for what is draft or testing or paused"
    assert conflict(Move.EDIT, CampaignState.PAUSED) == []
