"""What follows from a command_status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.answers.error_policy import (
    ACTIONS,
    ATTEMPTS_MAX,
    RETRY_SECONDS_MAX,
    Kind,
    action_for,
    decide,
)
from dlr.codes import WORDS_ONLY
from dlr.reasons import Reason
from dlr.status import Status


@pytest.mark.parametrize("status", [0x58, 0x14])
def test_throttling_and_a_full_queue_both_slow_down_and_use_no_attempt(status: int) -> None:  # E37
    for attempt in (1, ATTEMPTS_MAX, 1000):
        assert decide(status, attempt).kind is Kind.THROTTLE


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (0x0B, Kind.FINAL, Reason.NUMBER_INVALID),
        (0x08, Kind.RETRY, Reason.ROUTE_UNAVAILABLE),
        (0x45, Kind.FINAL, Reason.CARRIER_REJECTED),
        (0x04, Kind.RECONNECT, Reason.ROUTE_UNAVAILABLE),
        (0x0E, Kind.SUSPEND, Reason.ROUTE_UNAVAILABLE),
    ],
)
def test_the_table(status: int, kind: Kind, reason: Reason) -> None:
    action = action_for(status)
    assert (action.kind, action.reason) == (kind, reason)


@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.integers(1, 20))
def test_whatever_the_carrier_answers_there_is_an_end(
    status: int, attempt: int, attempts_max: int
) -> None:
    action = decide(status, attempt, attempts_max)
    assert 0 <= action.cooldown_seconds <= RETRY_SECONDS_MAX
    if attempt >= attempts_max:
        assert action.kind in (Kind.FINAL, Kind.THROTTLE)
    if status and action.kind is Kind.FINAL:
        assert action.status.final


def test_an_unknown_vendor_status_is_tried_again_and_named_by_its_number() -> None:
    action = decide(0x480, 1)
    assert action.kind is Kind.RETRY
    assert action.name == "0x00000480"
    last = decide(0x480, ATTEMPTS_MAX)
    assert (last.kind, last.status) == (Kind.FINAL, Status.REJECTED)


def test_the_pause_before_a_retry_grows_to_its_bound() -> None:
    pauses = [decide(0x08, attempt, 100).cooldown_seconds for attempt in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[1] < pauses[-1] == RETRY_SECONDS_MAX


def test_names_are_unique_and_reasons_agree_with_those_of_receipts() -> None:
    names = [action.name for action in ACTIONS.values()]
    assert len(set(names)) == len(names)
    for action in ACTIONS.values():
        known = WORDS_ONLY.find(action.name)
        if known is not None:
            assert action.reason is known.reason, action.name
