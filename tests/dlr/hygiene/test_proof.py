"""What a verdict says about a number: only what is about the number, and only as much as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.codes import Codes, CodesOfConnectors
from dlr.hygiene.entries import suppression_of
from dlr.hygiene.evidence import Evidence
from dlr.hygiene.policy import PROOF_LASTS
from dlr.hygiene.proof import Kind, Verdict, against, kind_of
from dlr.ledger import AppliedReceipt, apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import suppression
from storage.names import SANDBOX
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from storage.pool import Connection

NUMBER = bytes(16)
MAP = Codes("map")
CODES = CodesOfConnectors([(CONNECTOR, MAP)])


def applied(
    code: str, status: Status = Status.UNDELIVERED, *, changed: bool = True
) -> AppliedReceipt:
    row = World().receipt("1", status, reason=MAP.reason(status, code), error=code)
    return AppliedReceipt(row, message_id=5, matched=True, changed=changed)


@pytest.mark.parametrize("code", ["001", "MK:0001", "MK:0012"])
def test_a_definite_code_prunes(code: str) -> None:
    assert kind_of(Status.UNDELIVERED, code, MAP) is Kind.PRUNE
    assert kind_of(Status.REJECTED, code, MAP) is Kind.PRUNE


DOUBTFUL = ["MI:0210", "MI:0073", "MI:0054", "MN:0001", "MK:0000", "MK:0005", "044", "999", ""]


@pytest.mark.parametrize("code", DOUBTFUL)
def test_a_doubtful_code_does_not(code: str) -> None:
    assert kind_of(Status.UNDELIVERED, code, MAP) is Kind.AMBIGUOUS


@pytest.mark.parametrize(
    "code", ["ESME_RX_P_APPN", "XA:0003", "XA:0004", "MB:1077", "009", "013", "ESME_RSUBMITFAIL"]
)
def test_g24_what_is_permanent_is_no_proof_that_nobody_has_the_number(code: str) -> None:
    assert kind_of(Status.REJECTED, code, MAP) is None
    assert kind_of(Status.UNDELIVERED, code, MAP) is None


def test_a_refusal_of_the_number_itself_is_ambiguous() -> None:
    assert kind_of(Status.REJECTED, "ESME_RINVDSTADR", MAP) is Kind.AMBIGUOUS


def test_what_may_work_later_is_temporary_if_it_is_about_the_handset() -> None:
    assert kind_of(Status.UNDELIVERED, "006", MAP) is Kind.TEMPORARY
    assert kind_of(Status.EXPIRED, "006", MAP) is Kind.TEMPORARY
    assert kind_of(Status.UNDELIVERED, "034", MAP) is None  # the carrier's network
    assert kind_of(Status.REJECTED, "ESME_RTHROTTLED", MAP) is None


def test_an_expiry_speaks_through_its_code_alone() -> None:
    assert kind_of(Status.EXPIRED, None, MAP) is None
    assert kind_of(Status.EXPIRED, "999", MAP) is None
    assert kind_of(Status.EXPIRED, "001", MAP) is Kind.AMBIGUOUS


def test_a_refusal_without_a_known_code_is_about_nobody() -> None:
    assert kind_of(Status.REJECTED, None, MAP) is None
    assert kind_of(Status.REJECTED, "0x00000401", MAP) is None


@pytest.mark.parametrize("table", ["none", "smpp", "unicom", "twilio", "8x8"])
def test_g27_a_foreign_code_1_proves_nothing(table: str) -> None:
    codes = Codes(table)  # type: ignore[arg-type]
    assert kind_of(Status.UNDELIVERED, "1", codes) is not Kind.PRUNE
    assert kind_of(Status.REJECTED, "001", codes) is not Kind.PRUNE


@given(
    st.sampled_from([status for status in Status if status is not Status.DELIVERED]),
    st.none() | st.text(max_size=12) | st.sampled_from(["001", "MK:0001", "006", "MI:0054"]),
)
def test_only_a_verdict_of_the_carrier_is_evidence(status: Status, error: str | None) -> None:
    kind = kind_of(status, error, MAP)
    assert kind is not Kind.DELIVERED
    if status not in (Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED):
        assert kind is None


def test_what_changed_nothing_or_belongs_to_nobody_is_no_evidence() -> None:
    assert against((), [applied("001", changed=False)], CODES) == []
    nobody = applied("001")
    nobody.message_id = None
    assert against((), [nobody], CODES) == []


def test_an_unknown_word_for_the_state_and_the_sandbox_are_no_evidence() -> None:
    unknown = applied("001")
    unknown.row.unknown_state = "NOSUCH"
    made_up = applied("MK:0001")
    made_up.row.connector = SANDBOX
    assert against((), [unknown, made_up], CODES) == []


def test_refusals_and_folded_receipts_are_evidence_as_receipts_are() -> None:
    world = World()
    refused = world.part(status=Status.REJECTED, reason=Reason.NUMBER_INVALID)
    refused.error = "ESME_RINVDSTADR"
    ours = world.part(status=Status.FAILED, reason=Reason.INTERNAL, error="cannot be packed")
    doubt = world.part(status=Status.UNCONFIRMED)
    [verdict] = against([refused, ours, doubt], (), CODES)
    assert (verdict.message_id, verdict.kind) == (refused.message_id, Kind.AMBIGUOUS)
    assert verdict.at == world.now
    [verdict] = against((), [applied("001")], CODES)
    assert (verdict.message_id, verdict.kind, verdict.error) == (5, Kind.PRUNE, "001")


def test_the_entry_names_its_evidence_and_ends() -> None:
    world = World()
    verdict = Verdict(5, 1, CONNECTOR, Kind.PRUNE, Reason.NUMBER_UNKNOWN, "MK:0001", world.now)
    entry = suppression_of(Evidence.of(verdict, NUMBER, b"sealed"))
    assert entry.to_idx == NUMBER
    assert entry.reason is Reason.NUMBER_UNKNOWN
    assert (entry.account, entry.category) == (
        suppression.EVERY_ACCOUNT,
        suppression.EVERY_CATEGORY,
    )
    assert (entry.source, entry.message_id, entry.detail) == ("receipt", 5, "carrier code MK:0001")
    assert entry.expires_at == world.now + PROOF_LASTS


async def test_a_receipt_contradicted_by_a_delivery_is_no_proof(connection: Connection) -> None:
    world = World()
    row = world.part("1", status=Status.DELIVERED)
    await insert_submissions(connection, [row])
    late = world.receipt("1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="001")
    told = await apply_receipts(connection, [late], world.ids)
    assert against((), told, CODES) == []
