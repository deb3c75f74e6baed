"""A receipt in every form of octets: its id is found, and nothing that comes raises (E95, E102)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatch.answers.message_references import MessageReferences
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dlr.status import Status
from smpp.encoding import TextSettings
from smpp.pdu import DataSm, DeliverSm
from smpp.vocabulary import (
    TLV_MESSAGE_PAYLOAD,
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)
from tests.dispatch.answers.test_receipt_reading import NOW
from tests.dispatch.world import CONNECTOR
from tests.smpp.test_decoding import pack

OPAQUE = ReceiptManners()
EVERYTHING = ReceiptManners(
    receipt_base=None, without_esm_class=True, states={"NOROUTE": Status.REJECTED}
)
UDH = bytes.fromhex("0500030a0201")
MARKS = {
    "utf-16-be": b"\xfe\xff",
    "utf-16-le": b"\xff\xfe",
    "latin-1": b"",
    "utf-8": b"\xef\xbb\xbf",
}
SHORT_OCTETS_MAX = 254

identifiers = st.text("0123456789abcdefABCDEF-", min_size=1, max_size=65)


@given(
    identifiers,
    st.sampled_from(sorted(MARKS)),
    st.booleans(),  # a byte order mark
    st.sampled_from([(b"", 0), (UDH, 0x40), (UDH, 0), (b"", 0x40)]),
    st.sampled_from(["short", "payload", "begun", "data_sm"]),
    st.sampled_from([0, 3, 8]),
)
def test_e102_an_id_is_found_in_every_form(
    identifier: str,
    encoding: str,
    mark: bool,
    header: tuple[bytes, int],
    where: str,
    data_coding: int,
) -> None:
    """Also where data_coding says another alphabet, or UDHI is set without a header."""
    text = f"id:{identifier} stat:DELIVRD err:000 text:"
    octets = header[0] + (MARKS[encoding] if mark else b"") + text.encode(encoding)
    tlvs = () if where == "short" else ((TLV_MESSAGE_PAYLOAD, octets),)
    esm_class = 0x04 | header[1]
    pdu: DataSm | DeliverSm
    if where == "data_sm":
        pdu = DataSm(0, esm_class=esm_class, data_coding=data_coding, tlvs=tlvs)
    else:
        begun = {"short": octets, "payload": b"", "begun": octets[:40]}[where]
        pdu = DeliverSm(
            0, esm_class=esm_class, data_coding=data_coding, short_message=begun, tlvs=tlvs
        )
    row = ReceiptReader(CONNECTOR, OPAQUE).row(pdu, NOW)
    assert row is not None
    assert (row.carrier_id, row.status) == (identifier, Status.DELIVERED)


def test_e102_a_carrier_that_packs_messages_packs_receipts() -> None:
    packs = ReceiptManners(text=TextSettings(inbound_packed=True))
    for header, esm_class in ((b"", 0x04), (UDH, 0x44)):
        text = pack(b"id:77 stat:DELIVRD err:000 text:", len(header))
        pdu = DeliverSm(0, esm_class=esm_class, short_message=header + text)
        row = ReceiptReader(CONNECTOR, packs).row(pdu, NOW)
        assert row is not None
        assert (row.carrier_id, row.status) == ("77", Status.DELIVERED)


tags = st.sampled_from(
    [
        TLV_RECEIPTED_MESSAGE_ID,
        TLV_MESSAGE_STATE,
        TLV_NETWORK_ERROR_CODE,
        TLV_USER_MESSAGE_REFERENCE,
        TLV_MESSAGE_PAYLOAD,
        0x1400,
    ]
)
pieces = st.sampled_from(
    [b"id:", b"stat:", b"NOROUTE", b"DELIVRD", b"dlvrd:000", b" ", b"\0", b"7"]
)
octets = st.binary(max_size=80) | st.lists(pieces | st.binary(max_size=4), max_size=12).map(
    b"".join
)


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    octets,
    st.lists(st.tuples(tags, octets), max_size=5).map(tuple),
    st.sampled_from([OPAQUE, EVERYTHING]),
)
def test_e95_no_delivery_raises_and_what_is_read_can_be_stored(
    esm_class: int,
    data_coding: int,
    short_message: bytes,
    tlvs: tuple[tuple[int, bytes], ...],
    manners: ReceiptManners,
) -> None:
    reader = ReceiptReader(CONNECTOR, manners, references=MessageReferences(first=0))
    for pdu in (
        DeliverSm(
            0,
            esm_class=esm_class,
            data_coding=data_coding,
            short_message=short_message,
            tlvs=tlvs,
        ),
        DataSm(0, esm_class=esm_class, data_coding=data_coding, tlvs=tlvs),
    ):
        if not reader.is_receipt(pdu):
            reader.reads_as_receipt(pdu)
            continue
        row = reader.row(pdu, NOW)
        if row is not None:
            stored = f"{row.carrier_id}{row.alternate_id}{row.error}{row.unknown_state}"
            assert "\0" not in stored
            stored.encode()
            assert row.carrier_id or row.reference_id is not None
            assert row.unknown_state is None or row.status in (Status.SENT, Status.UNDELIVERED)
