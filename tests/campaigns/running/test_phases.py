"""Up to where a plan may be fed, and who gets whose text, before and after a decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.experiments.winner import Decision, Fallback, State
from campaigns.running.phases import NOBODY, Phases

START = datetime(2026, 11, 10, 2, tzinfo=UTC)
LATER = START + timedelta(hours=36)


def phases(**fields: Any) -> Phases:
    values = {"canary": 200, "planned": 5_000, "started_at": START, "test_end": 1_000, **fields}
    return Phases(**values)


@pytest.mark.parametrize(
    ("found", "seq", "in_canary", "end"),
    [
        (phases(), 0, True, 200),
        (phases(), 200, False, 1_000),
        (phases(), 1_000, False, 1_000),  # they wait
        (phases(test_end=None), 200, False, 5_000),
        (phases(decided_at=LATER), 200, False, 1_000),  # a chunk lies in one phase
        (phases(decided_at=LATER), 200, True, 200),
        (phases(decided_at=LATER), 1_000, False, 5_000),
        (phases(decided_at=LATER, decided_arm=NOBODY), 1_000, False, 5_000),
    ],
)
def test_a_phase_ends_where_the_next_one_begins(
    found: Phases, seq: int, in_canary: bool, end: int
) -> None:
    assert found.end(seq, in_canary=in_canary) == end


def test_slots_behind_the_test_count_from_the_decision() -> None:
    assert phases().begun(999) == START
    decided = phases(decided_at=LATER)
    assert (decided.begun(999), decided.begun(1_000)) == (START, LATER)
    assert phases(test_end=None).begun(4_999) == START


@pytest.mark.parametrize(
    ("decision", "fallback", "decided"),
    [
        (Decision(State.WAITING), Fallback.CONTROL, {}),
        (Decision(State.WON, 1), Fallback.STOP, {"decided_at": LATER, "decided_arm": 1}),
        (Decision(State.NOT_SHOWN), Fallback.CONTROL, {"decided_at": LATER, "decided_arm": 0}),
        (Decision(State.NOT_SHOWN), Fallback.SPLIT, {"decided_at": LATER}),
        (Decision(State.NOT_SHOWN), Fallback.STOP, {"decided_at": LATER, "decided_arm": NOBODY}),
    ],
)
def test_c53_who_gets_whose_text_is_what_the_decision_says(
    decision: Decision, fallback: Fallback, decided: dict[str, Any]
) -> None:
    """C53: who is in the test keeps the own arm, whatever is decided."""
    found = phases(**decided)
    for arm in (0, 1, 2):
        for seq in (0, 999, 1_000, 4_999):
            wanted = decision.arm_sent(arm, in_test=seq < 1_000, fallback=fallback)
            assert found.arm_sent(seq, arm) == wanted
            assert found.stopped(seq) == (wanted is None and bool(decided))
