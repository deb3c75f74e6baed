"""The judgement of a run of faults: whatever is wrong in the books is found, and nothing else."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from benchmarks.faults.judging import Accepted, Evidence, Findings, Standing, judge

NUMBERS = {"msg_1": "8613900000001", "msg_2": "8613900000002", "msg_3": "8613900000003"}
DELIVERED = Standing("delivered", final=True)
SAID = {1: {"DELIVRD"}}


def books() -> Evidence:
    """Two messages that were delivered and told, one that owes its receipt, and two clicks."""
    one, two, _ = NUMBERS.values()
    return Evidence(
        accepted={message_id: Accepted(number) for message_id, number in NUMBERS.items()},
        standing={"msg_1": DELIVERED, "msg_2": DELIVERED, "msg_3": Standing("sent", final=False)},
        submits={number: Counter({1: 1}) for number in NUMBERS.values()},
        offered={one: SAID, two: SAID},
        acknowledged={one: SAID, two: SAID},
        told={"msg_1": {"delivered"}, "msg_2": {"delivered"}},
        clicks_told=frozenset({11, 12}),
        clicks_stored=[11, 12, 13],
        clicks_asked=3,
        counts={"accepted": 3, "delivered": 2, "pending": 1},
    )


def found(**changed: object) -> Findings:
    return judge(msgspec.structs.replace(books(), **changed))


def test_books_that_agree_break_nothing() -> None:
    findings = found()
    assert findings.broken == {}
    assert (findings.in_doubt, findings.owed) == ([], ["msg_3"])


def test_a_lost_message_is_found() -> None:
    standing = {"msg_2": DELIVERED, "msg_3": Standing("sent", final=False)}
    assert found(standing=standing, counts=None).broken == {"lost": ["msg_1"]}


def test_a_message_that_we_say_is_sent_and_the_carrier_never_saw_is_found() -> None:
    submits = {number: Counter({1: 1}) for number in list(NUMBERS.values())[:2]}
    assert found(submits=submits).broken == {"lost": ["msg_3"]}


def test_a_part_that_the_carrier_never_saw_is_found() -> None:
    accepted = {**books().accepted, "msg_3": Accepted(NUMBERS["msg_3"], parts=2)}
    assert found(accepted=accepted).broken == {"lost": ["msg_3"]}


@pytest.mark.parametrize(
    ("doubts", "copies", "doubled"),
    [([], 2, True), (["hold"], 2, True), (["resend"], 2, False), (["resend"], 3, True)],
)
def test_a_doubled_message_is_found_unless_its_doubts_explain_it(
    doubts: list[str], copies: int, doubled: bool
) -> None:
    submits = {**books().submits, NUMBERS["msg_1"]: Counter({1: copies})}
    findings = found(submits=submits, doubts={"msg_1": doubts})
    assert findings.doubled == (["msg_1"] if doubled else [])
    assert findings.in_doubt == (["msg_1"] if doubts else [])


def test_what_was_sent_and_never_accepted_is_found() -> None:
    submits = {**books().submits, "8613900000009": Counter({1: 1})}
    assert found(submits=submits).broken == {"never_accepted": ["8613900000009"]}


@pytest.mark.parametrize("status", ["queued", "sending", "unconfirmed"])
def test_a_stuck_message_is_found(status: str) -> None:
    standing = {**books().standing, "msg_3": Standing(status, final=False)}
    counts = {"accepted": 3, "delivered": 2, "pending": 1}
    if status == "unconfirmed":
        counts = {"accepted": 3, "delivered": 2, "unconfirmed": 1}
    assert found(standing=standing, counts=counts).broken == {"stuck": ["msg_3"]}


def test_a_message_in_doubt_may_wait_unconfirmed() -> None:
    standing = {**books().standing, "msg_3": Standing("unconfirmed", final=False)}
    counts = {"accepted": 3, "delivered": 2, "unconfirmed": 1}
    findings = found(standing=standing, counts=counts, doubts={"msg_3": ["hold"]})
    assert findings.broken == {}
    assert findings.in_doubt == ["msg_3"]


def test_a_doubt_that_its_receipt_should_have_ended_is_found() -> None:
    standing = {**books().standing, "msg_3": Standing("unconfirmed", final=False)}
    receipts = {**books().acknowledged, NUMBERS["msg_3"]: SAID}
    late: dict[str, object] = {
        "standing": standing,
        "acknowledged": receipts,
        "doubts": {"msg_3": ["hold"]},
    }
    assert found(**late, counts=None).broken == {}
    broken = found(**late, counts=None, doubts_over=True).broken
    assert broken == {"receipts_missed": ["msg_3"], "stuck": ["msg_3"]}
    # Nobody knows which of two parts a receipt is about.
    late["accepted"] = {**books().accepted, "msg_3": Accepted(NUMBERS["msg_3"], parts=2)}
    late["acknowledged"] = {**books().acknowledged, NUMBERS["msg_3"]: {**SAID, 2: {"DELIVRD"}}}
    assert found(**late, counts=None, doubts_over=True).broken == {}


def test_a_receipt_that_is_offered_again_and_again_is_found() -> None:
    assert found(pressing=frozenset({NUMBERS["msg_3"]})).broken == {"stuck": ["msg_3"]}


def test_a_receipt_that_was_acknowledged_and_forgotten_is_found() -> None:
    receipts = {**books().acknowledged, NUMBERS["msg_3"]: SAID}
    findings = found(acknowledged=receipts, offered=receipts)
    assert findings.broken == {"receipts_missed": ["msg_3"], "stuck": ["msg_3"]}


def test_a_receipt_that_was_read_wrong_is_found() -> None:
    said: dict[int, set[str]] = {1: {"UNDELIV", "DELIVRD"}}
    receipts = {**books().acknowledged, NUMBERS["msg_1"]: said}
    standing = {**books().standing, "msg_1": Standing("undelivered", final=True)}
    findings = found(
        acknowledged=receipts, offered=receipts, standing=standing, told={"msg_2": {"delivered"},
        "msg_1": {"undelivered"}}, counts=None,
    )  # fmt: skip
    assert findings.broken == {"receipts_missed": ["msg_1"]}


def test_an_end_that_no_carrier_gave_is_found() -> None:
    assert found(offered={NUMBERS["msg_2"]: SAID}).broken == {"receipts_invented": ["msg_1"]}


def test_a_missing_click_is_found() -> None:
    assert found(clicks_stored=[11, 13]).broken == {"clicks_missing": 1}
    assert found(clicks_untold=1).broken == {"clicks_missing": 1}
    assert found(clicks_untold=1, clicks_known_lost=1).broken == {}


def test_a_click_that_nobody_made_is_found() -> None:
    assert found(clicks_stored=[11, 12, 13, 14]).broken == {"clicks_invented": 1}
    assert found(clicks_stored=[11, 12, 12]).broken == {"clicks_invented": 1}


def test_a_missing_webhook_is_found() -> None:
    told = {"msg_2": {"delivered"}}
    assert found(told=told).broken == {"webhooks_missing": ["msg_1"]}
    assert found(told=told, untold=frozenset({"msg_1"})).broken == {}


def test_a_webhook_that_told_something_else_is_found() -> None:
    told = {**books().told, "msg_1": {"undelivered"}}
    assert found(told=told).broken == {"webhooks_wrong": ["msg_1"]}


def test_a_report_that_does_not_add_up_is_found() -> None:
    counts = {"accepted": 3, "delivered": 1, "pending": 2}
    assert found(counts=counts).broken == {"unaccounted": 2}
