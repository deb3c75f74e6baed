"""One way to the text of a deliver_sm, for receipts and for messages from handsets (E102)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.encoding import TextSettings
from smpp.pdu import DataSm, DeliverSm
from smpp.reassembly import Reassembly, inbound_part
from smpp.segmentation import Concatenation
from smpp.text import encode_text
from smpp.user_data import plain_text, readings, user_data, usual_octets
from smpp.vocabulary import TLV_MESSAGE_PAYLOAD

RECEIPT = "id:77 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
UDH = bytes.fromhex("0500030a0201")
PORTS = bytes.fromhex("0b050415b315b300030a0201")
WIDE = bytes.fromhex("060804010a0201")
PLAIN = TextSettings()


def payload(octets: bytes) -> tuple[tuple[int, bytes], ...]:
    return ((TLV_MESSAGE_PAYLOAD, octets),)


@pytest.mark.parametrize(
    "octets",
    [
        RECEIPT.encode(),
        RECEIPT.encode("utf-16-be"),
        RECEIPT.encode("utf-16-le"),
        b"\xfe\xff" + RECEIPT.encode("utf-16-be"),
        b"\xff\xfe" + RECEIPT.encode("utf-16-le"),
        b"\xef\xbb\xbf" + RECEIPT.encode(),
        b"\0" + RECEIPT.encode() + b"\0\0",
        RECEIPT.encode("utf-16-be") + b"\0",
    ],
)
@pytest.mark.parametrize("header", [b"", UDH, PORTS])
def test_e102_a_receipt_in_any_order_of_octets_behind_any_header(
    octets: bytes, header: bytes
) -> None:
    pdu = DeliverSm(0, esm_class=0x44 if header else 0x04, short_message=header + octets)
    assert next(readings(user_data(pdu), 8, PLAIN)) == RECEIPT


def test_e102_a_header_that_is_none_hides_no_receipt() -> None:
    """UDHI is set, and the first letter is taken for the length of a header."""
    pdu = DeliverSm(0, esm_class=0x44, short_message=RECEIPT.encode() + b"x" * 80)
    ways = list(readings(user_data(pdu), 0, PLAIN))
    assert any(way.startswith(RECEIPT) for way in ways)


def test_e102_the_underscore_of_the_default_alphabet() -> None:
    assert plain_text(b"id:a\x11b done\x11date:1") == "id:a_b done_date:1"


@pytest.mark.parametrize(
    ("short", "long", "whole"),
    [
        (b"id:77 sub:001", RECEIPT.encode(), RECEIPT.encode()),
        (b"id:77 sub:001\0", RECEIPT.encode(), RECEIPT.encode()),
        (RECEIPT.encode(), b"id:77", RECEIPT.encode()),
        (b"\0", b"hello", b"hello"),
        (b"", b"hello", b"hello"),
        (b"hello", b"", b"hello"),
        (b"hel", b"lo", b"hello"),  # the payload goes on where the other ends
    ],
)
def test_e102_a_text_in_two_fields_is_read_to_its_end(
    short: bytes, long: bytes, whole: bytes
) -> None:
    assert user_data(DeliverSm(0, short_message=short, tlvs=payload(long))).octets == whole
    if not short.strip(b"\0"):
        assert user_data(DataSm(0, tlvs=payload(long))).octets == whole


def test_e102_a_header_in_one_of_two_fields() -> None:
    begun, text = UDH + b"id:77 ", RECEIPT.encode() + b"x" * 90
    for long in (text, UDH + text):
        data = user_data(DeliverSm(0, esm_class=0x44, short_message=begun, tlvs=payload(long)))
        assert data.octets == text
        assert data.concatenation == Concatenation(10, 2, 1)


@pytest.mark.parametrize("header", [UDH, PORTS, WIDE])
def test_e102_a_header_without_its_bit_is_no_text(header: bytes) -> None:
    part = inbound_part(DeliverSm(0, short_message=header + b"hello"))
    assert (part.octets, part.guessed) == (b"hello", True)
    assert part.concatenation is not None
    assert part.concatenation.total == 2


@pytest.mark.parametrize(
    "octets",
    [
        b"hello",
        UDH[:-1],
        UDH,  # nothing behind it
        bytes.fromhex("0500030a0103") + b"part 3 of 1",
        bytes.fromhex("0500030a0101") + b"part 1 of 1",
        bytes.fromhex("0600030a0201") + b"it does not fill its length",
        bytes.fromhex("04000102") + b"no concatenation",
        "Ԁ̀".encode("utf-16-be"),
        b"",
    ],
)
def test_e102_what_may_be_text_is_text(octets: bytes) -> None:
    part = inbound_part(DeliverSm(0, short_message=octets))
    assert (part.octets, part.concatenation, part.guessed) == (octets, None, False)


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"STOP\0", 3, "STOP"),
        (b"STOP\0\0", 1, "STOP"),
        ("退订\0".encode("utf-16-be"), 8, "退订"),
        ("退订".encode("utf-16-be") + b"\0", 8, "退订"),
        (b"home\0", 0, "home@"),  # a character of that alphabet
        ("STOP".encode("utf-16-le"), 8, "STOP"),
        ("TD\n".encode("utf-16-le"), 8, "TD\n"),
        ("OK".encode("utf-16-le"), 8, "OK"),
        ("　　一".encode("utf-16-be"), 8, "　　一"),
        ("一一一".encode("utf-16-be"), 8, "一一一"),
        ("一刀".encode("utf-16-be"), 8, "一刀"),
    ],
)
def test_e102_what_a_text_ends_in_and_which_way_round_it_is(
    octets: bytes, data_coding: int, text: str
) -> None:
    part = inbound_part(DeliverSm(0, data_coding=data_coding, short_message=octets))
    (message,) = Reassembly().feed(part, 0.0)
    assert message.text(PLAIN) == text


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 255), st.integers(0, 255))
def test_e102_no_octets_raise(short: bytes, long: bytes, esm_class: int, data_coding: int) -> None:
    pdu = DeliverSm(0, esm_class=esm_class, short_message=short, tlvs=payload(long))
    for way in readings(user_data(pdu), data_coding, PLAIN):
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in way)


@given(st.binary(max_size=60), st.sampled_from([b"", b"x", b"\0"]), st.sampled_from([0, 4, 0x44]))
def test_e102_the_quick_way_reads_what_the_other_reads_first(
    short: bytes, long: bytes, esm_class: int
) -> None:
    tlvs = payload(long) if long else ()
    pdu = DeliverSm(0, esm_class=esm_class, short_message=short, tlvs=tlvs)
    quick = usual_octets(pdu)
    if quick is not None:
        assert plain_text(quick) == next(readings(user_data(pdu), 0, PLAIN))


@given(st.text(min_size=1, max_size=35))
def test_e102_what_handsets_write_is_not_taken_for_a_header(text: str) -> None:
    encoded = encode_text(text)
    pdu = DeliverSm(0, data_coding=encoded.data_coding, short_message=encoded.parts[0])
    assert not user_data(pdu).guessed
