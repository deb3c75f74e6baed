"""One definite code suppresses a number; nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dlr.codes import Codes, CodesOfConnectors
from dlr.hygiene import may_prune, prunes, suppression_of
from dlr.ledger import AppliedReceipt, apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import suppression
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from storage.pool import Connection

NUMBER = bytes(16)
CODES = CodesOfConnectors([(CONNECTOR, Codes("map"))])


def applied(
    code: str, status: Status = Status.UNDELIVERED, *, changed: bool = True, matched: bool = True
) -> AppliedReceipt:
    row = World().receipt("1", status, reason=CODES.of(CONNECTOR).reason(status, code), error=code)
    return AppliedReceipt(row, message_id=5, matched=matched, changed=changed)


@pytest.mark.parametrize("code", ["001", "MK:0001", "MK:0012"])
def test_a_definite_code_prunes(code: str) -> None:
    assert prunes(applied(code), CODES)
    assert prunes(applied(code, Status.REJECTED), CODES)


DOUBTFUL = ["MI:0210", "MI:0073", "MI:0054", "MN:0001", "MK:0000", "MK:0005", "006", "999", ""]


@pytest.mark.parametrize("code", DOUBTFUL)
def test_a_doubtful_code_does_not(code: str) -> None:
    assert not prunes(applied(code), CODES)


def test_what_changed_nothing_or_belongs_to_nobody_is_no_proof() -> None:
    assert not prunes(applied("001", changed=False), CODES)
    assert not prunes(applied("001", matched=False, changed=False), CODES)


def test_delivered_and_intermediate_receipts_are_no_proof_whatever_their_reason() -> None:
    for status in (Status.DELIVERED, Status.SENT, Status.EXPIRED, Status.UNKNOWN):
        row = World().receipt("1", status, reason=Reason.NUMBER_UNKNOWN, error="001")
        assert not may_prune(row, CODES)


def test_the_entry_names_its_evidence() -> None:
    entry = suppression_of(applied("MK:0001"), NUMBER)
    assert entry.to_idx == NUMBER
    assert entry.reason is Reason.NUMBER_UNKNOWN
    assert (entry.account, entry.category) == (
        suppression.EVERY_ACCOUNT,
        suppression.EVERY_CATEGORY,
    )
    assert (entry.source, entry.message_id, entry.detail) == ("receipt", 5, "carrier code MK:0001")


async def test_a_receipt_contradicted_by_a_delivery_is_no_proof(connection: Connection) -> None:
    world = World()
    row = world.part("1", status=Status.DELIVERED)
    await insert_submissions(connection, [row])
    late = world.receipt("1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="001")
    assert may_prune(late, CODES)
    [told] = await apply_receipts(connection, [late], world.ids)
    assert not prunes(told, CODES)
