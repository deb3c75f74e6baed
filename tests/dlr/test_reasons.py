"""Carrier codes: what is definite prunes, what is ambiguous never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.reasons import (
    CHINA_CODES,
    COMMAND_STATUSES,
    MAP_CODES,
    REASONS,
    Reason,
    canonical_code,
    reason_from_label,
    reason_of,
)
from dlr.status import Status


def test_every_reason_has_its_row() -> None:
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("code", ["001", "1", "0001", " 01 ", "MK:0001", "mk:0001", "MI:0210"])
def test_a_vacant_number_is_recognised_in_every_spelling(code: str) -> None:
    assert reason_of(Status.UNDELIVERED, code) is Reason.NUMBER_UNKNOWN


@pytest.mark.parametrize("code", ["MI:0054", "MI:0059", "MN:0001", "MK:0000", "032", "21b", "999"])
def test_an_ambiguous_code_does_not_prune(code: str) -> None:
    assert not reason_of(Status.UNDELIVERED, code).prune


@pytest.mark.parametrize("status", [status for status in Status if status > 0])
def test_only_a_verdict_of_the_carrier_prunes(status: Status) -> None:
    verdict = status in (Status.UNDELIVERED, Status.REJECTED)
    assert reason_of(status, "MK:0001").prune is verdict


def test_an_error_code_of_a_delivered_message_means_nothing() -> None:
    assert reason_of(Status.DELIVERED, "000") is Reason.NONE
    assert reason_of(Status.DELIVERED, "001") is Reason.NONE
    assert reason_of(Status.SENT, "006") is Reason.NONE


def test_a_code_says_more_than_the_status() -> None:
    assert reason_of(Status.EXPIRED, None) is Reason.EXPIRED
    assert reason_of(Status.EXPIRED, "006") is Reason.HANDSET_UNREACHABLE
    assert reason_of(Status.REJECTED, "MK:0115") is Reason.CONTENT_FILTERED
    assert reason_of(Status.REJECTED, "ESME_RINVDSTADR") is Reason.NUMBER_INVALID
    assert reason_of(Status.REJECTED, None) is Reason.CARRIER_REJECTED
    assert reason_of(Status.UNDELIVERED, "7777") is Reason.UNKNOWN


def test_the_connectors_own_table_wins() -> None:
    carrier_map = {"001": Reason.HANDSET_FULL, "650": Reason.NUMBER_UNKNOWN}
    assert reason_of(Status.UNDELIVERED, "1", carrier_map) is Reason.HANDSET_FULL
    assert reason_of(Status.UNDELIVERED, "650", carrier_map) is Reason.NUMBER_UNKNOWN
    assert reason_of(Status.UNDELIVERED, "MK:0001", carrier_map) is Reason.NUMBER_UNKNOWN


def test_shipped_codes_are_in_the_spelling_they_are_looked_up_by() -> None:
    tables = [MAP_CODES, CHINA_CODES, COMMAND_STATUSES]
    codes = [code for table in tables for code in table]
    assert [canonical_code(code) for code in codes] == codes
    assert len(set(codes)) == len(codes)


@given(st.sampled_from(Status), st.none() | st.text(max_size=40))
def test_any_text_gives_a_reason(status: Status, error: str | None) -> None:
    assert reason_of(status, error) in REASONS


def test_labels_read_back() -> None:
    assert {reason_from_label(reason.label) for reason in Reason} == set(Reason)
    with pytest.raises(ValueError, match="number_unknown"):
        reason_from_label("vacant")
