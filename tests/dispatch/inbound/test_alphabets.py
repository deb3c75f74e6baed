"""Texts of handsets in alphabets that their data_coding does not say, packed, or in none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.inbound.opt_outs import OptOutPolicy
from dlr.status import Status
from recipients.replies import ReplyWords
from smpp.encoding import TextSettings
from smpp.pdu import DataSm, DeliverSm
from smpp.vocabulary import ESME_ROK, TLV_MESSAGE_PAYLOAD
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER, Inbound, receiving
from tests.dispatch.world import CONNECTOR, instant
from tests.smpp.test_decoding import pack

PACKED = TextSettings(inbound_packed=True)
POLICIES = {ACCOUNT: OptOutPolicy(ReplyWords.of())}


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url, policies=POLICIES) as inbound:
        yield inbound


def delivered(octets: bytes, data_coding: int, esm_class: int = 0) -> DeliverSm:
    return DeliverSm(
        0,
        source_addr_ton=1,
        source_addr=HANDSET[1:].encode(),
        destination_addr=SENDER.encode(),
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=octets,
    )


async def test_e101_what_data_coding_does_not_say_is_read_and_marked(inbound: Inbound) -> None:
    texts = [
        (bytes.fromhex("6461746111736d201b652005"), 1, "data_sm € é", "gsm7"),
        (bytes.fromhex("3520e282ac"), 0, "5 €", "utf8"),
        (b"caf\xe9", 0, "café", "latin1"),
        (b"\x9b\x05", 0x20, "\x9b\x05", "compressed"),
        (b"\x01\xff", 4, "\x01ÿ", "binary"),
        (b"\x05", 0x8F, "é", "reserved"),
        (b"\x9a\x8c\x00", 8, "验", None),  # the half of a terminator
        (b"\x9a\x8c\xd8\x3d", 8, "验\ufffd", "unreadable"),
        *[(b"\x05", number, "é", None) for number in (0x00, 0x40, 0xC0, 0xD0)],
        *[(b"\x04\x36", number, "ж", None) for number in (0x08, 0x48, 0xE0)],
    ]
    pdus = [delivered(octets, data_coding) for octets, data_coding, _, _ in texts]
    assert await inbound.answers(pdus) == [ESME_ROK] * len(texts)
    rows = await inbound.rows()
    assert [(row["text"], row["read_as"]) for row in rows] == [
        (text, read_as) for _, _, text, read_as in texts
    ]
    for row in rows:
        assert row["unclear"] == (None if row["read_as"] is None else "guessed")


async def test_e101_guesses_are_counted_and_each_kind_is_logged_once(inbound: Inbound) -> None:
    with capture_logs() as logs:
        for number in range(3):
            octets = "5 €".encode() + b"%d" % number
            assert await inbound.answers([delivered(octets, 0)]) == [ESME_ROK]
        assert await inbound.answers([delivered(b"\xe9", 1), delivered(b"a", 0)]) == [ESME_ROK] * 2
    assert inbound.intake.counters.read_as == {"utf8": 3, "latin1": 1}
    guessed = [line for line in logs if line["event"] == "inbound_text_guessed"]
    assert [line["read_as"] for line in guessed] == ["utf8", "latin1"]
    assert not any("5" in str(value) for line in guessed for value in line.values())


async def test_e101_packed_septets_opt_out_alone_and_behind_headers(database_url: str) -> None:
    text = "Vertrag gekündigt? {JA} oder STOP, bitte."
    units = bytes.fromhex("56657274726167206765") + b"k\x7endigt? \x1b(JA\x1b) oder STOP, bitte."
    first = bytes.fromhex("0500030a0201") + pack(units[:20], 6)
    second = bytes.fromhex("0500030a0202") + pack(units[20:], 6)
    ports = bytes.fromhex("06050415b315b3")
    async with receiving(database_url, policies=POLICIES, text=PACKED) as inbound:
        pdus = [
            delivered(bytes.fromhex("53ea130a"), 0),
            delivered(ports + pack(b"hello", 7), 0, 0x40),
            delivered(second, 0x11, 0x40),
            delivered(first, 0x11, 0x40),
            delivered(b"\x00S\x00T", 8),
        ]
        assert await inbound.answers(pdus) == [ESME_ROK] * 5
        rows = await inbound.rows()
        assert [row["text"] for row in rows] == ["STOP", "hello", text, "ST"]
        assert [row["keyword"] for row in rows] == ["opt_out", None, None, None]
        assert {row["read_as"] for row in rows} == {None}
        assert await inbound.world.count("suppression") == 1


async def test_e101_how_septets_come_follows_the_settings(inbound: Inbound) -> None:
    """Parts that wait are those that came, as they were read then."""
    header = bytes.fromhex("0500030a02")
    assert await inbound.answers([delivered(header + b"\x01ST", 0, 0x40)]) == [ESME_ROK]
    inbound.intake.text = PACKED  # as a reload does
    assert await inbound.answers([delivered(header + b"\x02" + pack(b"OP", 6), 0, 0x40)]) == [0]
    assert await inbound.texts() == ["STOP"]


@pytest.mark.parametrize("header", [b"", bytes.fromhex("0500030a0101")])
@pytest.mark.parametrize("in_payload", [False, True])
def test_e101_receipts_of_a_carrier_that_packs_are_read(header: bytes, in_payload: bool) -> None:
    text = b"id:c449ab9744f2 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
    octets = header + pack(text, len(header))
    esm_class = 0x44 if header else 0x04
    pdu = delivered(octets, 0, esm_class)
    reader = ReceiptReader(CONNECTOR, ReceiptManners(text=PACKED))
    at = instant(1_790_000_000_000)
    assert at is not None
    if in_payload:
        payload = ((TLV_MESSAGE_PAYLOAD, octets),)
        row = reader.row(DataSm(0, esm_class=esm_class, tlvs=payload), at)
    else:
        row = reader.row(pdu, at)
    assert row is not None
    assert (row.carrier_id, row.status) == ("c449ab9744f2", Status.DELIVERED)
