"""What is answered ESME_ROK leaves a row: messages with odd marks, receipts nobody can read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from dispatch.inbound.opt_outs import OptOutPolicy
from recipients.replies import ReplyWords
from smpp.pdu import DataSm, DeliverSm, decode
from smpp.tlv import HEADER, HEADER_OCTETS
from smpp.vocabulary import DELIVER_SM, ESME_ROK, TLV_MESSAGE_PAYLOAD, TLV_MESSAGE_STATE
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER, Inbound, receiving

UDH = bytes.fromhex("0500030a0201")
# The body of a deliver_sm with esm_class 0x08 and the text STOP.
ACKNOWLEDGED = bytes.fromhex(
    "0001013434373930393030313039360003003338333833000800000000000000000453544f50"
)


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    policies = {ACCOUNT: OptOutPolicy(ReplyWords.of())}
    async with receiving(database_url, policies=policies) as inbound:
        yield inbound


def delivered(esm_class: int, octets: bytes, **fields: object) -> DeliverSm:
    return DeliverSm(
        0,
        source_addr_ton=1,
        source_addr=HANDSET[1:].encode(),
        destination_addr=SENDER.encode(),
        esm_class=esm_class,
        short_message=octets,
        **fields,  # type: ignore[arg-type]  # the constructor checks the names
    )


async def test_e94_what_is_called_an_acknowledgement_and_reads_as_a_text_is_one(
    inbound: Inbound,
) -> None:
    header = HEADER.pack(HEADER_OCTETS + len(ACKNOWLEDGED), DELIVER_SM, 0, 1)
    pdu = decode(header + ACKNOWLEDGED)
    assert isinstance(pdu, DeliverSm)
    kinds = (0x08, 0x10, 0x18, 0x48)
    texts = [delivered(kind, b"hello %d" % kind) for kind in kinds]
    assert await inbound.answers([pdu, *texts]) == [ESME_ROK] * 5
    assert await inbound.texts() == ["STOP", "hello 8", "hello 16", "hello 24", "hello 72"]
    assert {row["unclear"] for row in await inbound.rows()} == {None}


async def test_e94_it_opts_out_behind_a_header_too(inbound: Inbound) -> None:
    header = bytes.fromhex("0400010000")  # no concatenation
    assert await inbound.answers([delivered(0x48, header + b"STOP")]) == [ESME_ROK]
    assert [row["keyword"] for row in await inbound.rows()] == ["opt_out"]
    assert await inbound.world.count("suppression") == 1


@pytest.mark.parametrize("esm_class", [0x04, 0x20, 0x24, 0x44])
async def test_e94_a_receipt_that_cannot_be_read_is_kept_and_marked(
    inbound: Inbound, esm_class: int
) -> None:
    octets = [b"no receipt at all", b"stat:DELIVRD", b"", b"\x00\x01\xfe"]
    pdus = [delivered(esm_class, each) for each in octets]
    in_payload = DataSm(
        0,
        source_addr=HANDSET[1:].encode(),
        destination_addr=SENDER.encode(),
        esm_class=esm_class,
        tlvs=((TLV_MESSAGE_PAYLOAD, b"nor this"),),
    )
    with capture_logs() as logs:
        assert await inbound.answers([*pdus, in_payload]) == [ESME_ROK] * 5
    rows = await inbound.rows()
    assert [row["unclear"] for row in rows] == ["unreadable"] * 5
    assert [rows[0]["text"], rows[1]["text"], rows[4]["text"]] == [
        "no receipt at all", "stat:DELIVRD", "nor this"
    ]  # fmt: skip
    assert inbound.dispatch.intake.counters.unreadable == 5
    assert await inbound.world.count("unmatched_receipt") == 0
    said = str([entry for entry in logs if entry["event"] == "receipt_unreadable"])
    assert said != "[]"
    assert "receipt at all" not in said
    assert octets[0].hex()[:16] not in said


async def test_e94_a_mark_for_receipts_does_not_silence_an_opt_out(inbound: Inbound) -> None:
    assert await inbound.answers([delivered(0x04, b"STOP")]) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert (row["unclear"], row["keyword"]) == ("unreadable", "opt_out")


async def test_e94_an_unreadable_receipt_in_parts_is_stored_part_by_part(inbound: Inbound) -> None:
    """Whoever wrote half a receipt may never send the rest."""
    assert await inbound.answers([delivered(0x44, UDH + b"half")]) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert (row["text"], row["parts_missing"], row["unclear"]) == ("half", 0, "unreadable")


async def test_e94_unreadable_receipts_that_differ_beside_their_text_are_two(
    inbound: Inbound,
) -> None:
    """And one that comes twice is one: the carrier got no answer."""
    first, second = ((TLV_MESSAGE_STATE, bytes((state,))) for state in (1, 2))
    for tlv in (first, second, second):
        assert await inbound.answers([delivered(0x04, b"", tlvs=(tlv,))]) == [ESME_ROK]
        inbound.intake.forget(inbound.dispatch.pool.binds[0])  # type: ignore[union-attr]  # it is bound
    assert [row["unclear"] for row in await inbound.rows()] == ["unreadable"] * 2


async def test_e94_a_text_that_only_looks_like_a_receipt_is_a_message_and_marked(
    inbound: Inbound,
) -> None:
    """Of a carrier that leaves esm_class out, before anybody has said so."""
    texts = [b"id:7 stat:DELIVRD", b"id:7 see you", b"hello"]
    with capture_logs() as logs:
        assert await inbound.answers([delivered(0, each) for each in texts]) == [ESME_ROK] * 3
    marks = {row["text"]: row["unclear"] for row in await inbound.rows()}
    assert marks == {
        "id:7 stat:DELIVRD": "receipt_like",
        "id:7 see you": None,
        "hello": None,
    }
    assert inbound.dispatch.intake.counters.receipt_like == 1
    assert [each for each in logs if each["event"] == "message_reads_as_receipt"]


async def test_e94_what_has_to_go_for_a_marked_message_is_not_marked(inbound: Inbound) -> None:
    """The reference came again with other content: the first is stored as far as it came."""
    announced = [delivered(0x40, UDH + b"old")]
    assert await inbound.answers([*announced, delivered(0, UDH + b"new ")]) == [ESME_ROK] * 2
    assert await inbound.answers([delivered(0, UDH[:-1] + b"\x02half")]) == [ESME_ROK]
    marks = [(row["text"], row["unclear"]) for row in await inbound.rows()]
    assert marks == [("old[…]", None), ("new half", "guessed")]


async def test_e102_parts_without_the_header_bit_are_joined_and_it_is_said(
    inbound: Inbound,
) -> None:
    first, second = UDH + b"hello ", UDH[:-1] + b"\x02world"
    assert await inbound.answers([delivered(0, first), delivered(0, second)]) == [ESME_ROK] * 2
    (row,) = await inbound.rows()
    assert (row["text"], row["parts"], row["unclear"]) == ("hello world", 2, "guessed")
    assert inbound.intake.counters.headers_guessed == 2
