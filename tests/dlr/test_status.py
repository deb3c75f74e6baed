"""The state table: whatever order receipts come in, the end is the same."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.status import RECEIPT_STATUSES, STATUSES, Status, advance, fold, status_of, stopped

WIRE = [status for status in Status if STATUSES[status].wire]
PART = [status for status in Status if status > 0]


def end_of(receipts: list[Status], start: Status = Status.SENT) -> Status:
    return reduce(advance, receipts, start)


@given(st.lists(st.sampled_from(sorted(RECEIPT_STATUSES)), max_size=5), st.data())
def test_every_order_and_every_duplication_gives_the_same_end(
    receipts: list[Status], data: st.DataObject
) -> None:
    expected = end_of(receipts)
    for order in permutations(receipts):
        assert end_of(list(order)) == expected
    again = data.draw(st.permutations(receipts + receipts[: len(receipts) // 2]))
    assert end_of(list(again)) == expected


@given(st.sampled_from(WIRE), st.lists(st.sampled_from(sorted(RECEIPT_STATUSES))))
def test_a_part_never_goes_back(start: Status, receipts: list[Status]) -> None:
    status = start
    for receipt in receipts:
        following = advance(status, receipt)
        assert following >= status
        status = following


@pytest.mark.parametrize("receipt", sorted(RECEIPT_STATUSES))
@pytest.mark.parametrize(
    "ended", [Status.FAILED, Status.SUPPRESSED, Status.CAPPED, Status.CANCELED]
)
def test_no_receipt_changes_a_message_that_ended_without_the_wire(
    ended: Status, receipt: Status
) -> None:
    assert advance(ended, receipt) == ended


def test_intermediate_then_final_and_final_then_intermediate() -> None:
    assert end_of([Status.SENT, Status.DELIVERED]) == Status.DELIVERED  # E16: ACCEPTD, DELIVRD
    assert end_of([Status.DELIVERED, Status.SENT]) == Status.DELIVERED  # E17: ENROUTE after DELIVRD


def test_a_late_receipt_upgrades_unknown_and_corrects_expired() -> None:
    assert end_of([Status.UNDELIVERED], Status.UNKNOWN) == Status.UNDELIVERED
    assert end_of([Status.DELIVERED], Status.EXPIRED) == Status.DELIVERED


@given(st.lists(st.sampled_from(PART), min_size=1, max_size=6), st.randoms())
def test_fold_does_not_care_about_the_order_of_parts(parts: list[Status], random: object) -> None:
    assert fold(parts) == fold(parts[::-1]) == fold(sorted(parts))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Status.DELIVERED] * 3, Status.DELIVERED),
        ([Status.DELIVERED, Status.SENT], Status.SENT),
        ([Status.DELIVERED, Status.UNDELIVERED, Status.SENT], Status.UNDELIVERED),
        ([Status.UNKNOWN, Status.SENT], Status.UNKNOWN),
        ([Status.UNCONFIRMED, Status.UNDELIVERED, Status.SENT], Status.UNCONFIRMED),
        ([Status.UNCONFIRMED, Status.SENT], Status.UNCONFIRMED),
        ([Status.DELIVERED, Status.UNDELIVERED], Status.UNDELIVERED),
        ([Status.DELIVERED, Status.UNKNOWN, Status.EXPIRED], Status.EXPIRED),
        ([Status.DELIVERED, Status.FAILED], Status.FAILED),
        ([Status.SUPPRESSED], Status.SUPPRESSED),
    ],
)
def test_fold(parts: list[Status], expected: Status) -> None:
    assert fold(parts) == expected


@pytest.mark.parametrize("status", [Status.SUPPRESSED, Status.CANCELED, Status.FAILED])
def test_what_may_have_reached_the_wire_is_none_of_those_that_never_do(status: Status) -> None:
    assert stopped(status, in_doubt=False, begun=False) is status
    assert stopped(status, in_doubt=True, begun=False) is Status.UNCONFIRMED
    assert stopped(status, in_doubt=True, begun=True) is Status.UNCONFIRMED
    assert stopped(status, in_doubt=False, begun=True) is Status.DROPPED
    assert stopped(Status.EXPIRED, in_doubt=False, begun=True) is Status.EXPIRED


def test_a_message_without_parts_has_no_fold() -> None:
    with pytest.raises(ValueError, match="without parts"):
        fold([])


@given(st.lists(st.sampled_from(PART), min_size=1, max_size=4))
def test_a_message_is_final_when_all_its_parts_are_or_one_failed(parts: list[Status]) -> None:
    failed = any(part.final and part is not Status.DELIVERED for part in parts)
    in_doubt = Status.UNCONFIRMED in parts
    assert fold(parts).final == (not in_doubt and (failed or all(part.final for part in parts)))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Status.DELIVERED], Status.SENT),
        ([Status.DELIVERED] * 2, Status.DELIVERED),
        ([Status.UNDELIVERED], Status.UNDELIVERED),
        ([Status.SUPPRESSED], Status.SUPPRESSED),
    ],
)
def test_a_part_that_has_no_status_yet_keeps_a_message_open(
    parts: list[Status], expected: Status
) -> None:
    assert fold(parts, of=2) is expected


@given(st.lists(st.sampled_from(sorted(RECEIPT_STATUSES)), min_size=2, max_size=4))
def test_e100_a_failed_part_decides_at_once_and_receipts_of_all_parts_correct_it(
    receipts: list[Status],
) -> None:
    parts = [Status.SENT] * len(receipts)
    worst = Status.SENT
    for position, receipt in enumerate(receipts):
        parts[position] = receipt
        if receipt not in {Status.SENT, Status.DELIVERED}:
            worst = max(worst, receipt)
        if worst is not Status.SENT:
            assert fold(parts) is worst
    corrected = [advance(part, Status.DELIVERED) for part in parts]
    assert fold(corrected) is Status.DELIVERED


def test_labels_are_read_back_and_only_what_was_given_up_shares_one() -> None:
    assert {status_of(status.label) for status in Status} == set(Status) - {Status.DROPPED}
    assert status_of(Status.DROPPED.label) is Status.FAILED
    with pytest.raises(ValueError, match="accepted, scheduled"):
        status_of("gone")
