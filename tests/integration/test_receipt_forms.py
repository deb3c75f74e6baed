"""Receipts as carriers really write them, through a running gateway: one message each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from smpp.pdu import DeliverSm
from smpp.vocabulary import (
    TLV_MESSAGE_PAYLOAD,
    TLV_MESSAGE_STATE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)
from tests.integration.carrier import Submit, carrier
from tests.integration.running import gateway, message, write_config
from tests.integration.test_inbound import asked, reading_key

RECEIPT = 0x04  # esm_class
STATE = (TLV_MESSAGE_STATE, b"\x02")


def text_of(submit: Submit, state: str, error: str = "000") -> bytes:
    return (
        f"id:{submit.message_id} sub:000 dlvrd:000 submit date:2611291700 done date:2611291701"
        f" {state} err:{error} Text:"
    ).encode()


def by_tlvs(submit: Submit) -> dict[str, Any]:
    return {"tlvs": ((TLV_RECEIPTED_MESSAGE_ID, submit.message_id.encode() + b"\0"), STATE)}


def by_reference(submit: Submit) -> dict[str, Any]:
    reference = dict(submit.pdu.tlvs)[TLV_USER_MESSAGE_REFERENCE]
    return {"tlvs": ((TLV_USER_MESSAGE_REFERENCE, reference), STATE)}


def without_key(submit: Submit) -> dict[str, Any]:
    return {"esm_class": RECEIPT, "short_message": text_of(submit, "DELIVRD")}


def little_endian(submit: Submit) -> dict[str, Any]:
    octets = b"\xff\xfe" + text_of(submit, "stat:DELIVRD").decode().encode("utf-16-le")
    return {"esm_class": RECEIPT, "data_coding": 8, "short_message": octets}


def begun(submit: Submit) -> dict[str, Any]:
    whole = text_of(submit, "stat:DELIVRD")
    payload = ((TLV_MESSAGE_PAYLOAD, whole),)
    return {"esm_class": RECEIPT, "short_message": whole[:30], "tlvs": payload}


def unknown_with_a_code(submit: Submit) -> dict[str, Any]:
    return {"esm_class": RECEIPT, "short_message": text_of(submit, "stat:NOROUTE", "ID:0076")}


def code_for_state(submit: Submit) -> dict[str, Any]:
    return {"esm_class": RECEIPT, "short_message": text_of(submit, "stat:ID:0076")}


def unreadable(_submit: Submit) -> dict[str, Any]:
    return {"esm_class": RECEIPT, "short_message": b"what?"}


def acknowledged(_submit: Submit) -> dict[str, Any]:
    return {"esm_class": 0x08, "short_message": b"STOP"}


# What comes about a message, and what becomes of it: status, carrier's code.
FORMS: list[tuple[Callable[[Submit], dict[str, Any]], str, str | None]] = [
    (by_tlvs, "delivered", None),
    (by_reference, "delivered", None),
    (without_key, "delivered", "000"),
    (little_endian, "delivered", "000"),
    (begun, "delivered", "000"),
    (unknown_with_a_code, "undelivered", "ID:0076"),
    (code_for_state, "undelivered", "ID:0076"),
    (unreadable, "sent", None),
    (acknowledged, "sent", None),
]


async def test_e93_e94_e95_e96_e102_each_form_says_what_its_carrier_meant(
    database_url: str, folder: Path
) -> None:
    async with carrier(Submit.answer) as told:
        config = write_config(
            folder, database_url, told.port, connector="user_message_reference = true"
        )
        async with gateway(config) as running:
            items = await running.send([message(number) for number in range(len(FORMS))])
            await told.submitted(len(FORMS))
            assert told.live is not None
            about = {submit.to: submit for submit in told.submits}
            for number, (form, _, _) in enumerate(FORMS):
                submit = about[str(message(number)["to"]).removeprefix("+")]
                pdu = DeliverSm(
                    0,
                    source_addr_ton=1,
                    source_addr=submit.pdu.destination_addr,
                    destination_addr=b"10690001",
                    **form(submit),
                )
                told.live.deliver([(pdu, None)])
            await told.until(lambda: len(told.deliveries) == len(FORMS))
            assert set(told.deliveries) == {0}
            views = [await running.message(item["id"]) for item in items]
            found = [(view["status"], view["error"]) for view in views]
            assert found == [(status, error) for _, status, error in FORMS]
            inbound = await asked(running, await reading_key(config), "/v1/inbound")
            assert {(each["text"], each["unclear"], each["keyword"]) for each in inbound} == {
                ("what?", "unreadable", None),
                ("STOP", None, "opt_out"),
            }
            assert await running.metric("sms_receipts_unreadable_total") == 1
            assert await running.metric("sms_receipts_unknown_state_total") == 1
