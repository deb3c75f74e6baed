"""Receipt or message: strong evidence goes before weak (E93)."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.answers.delivery_kind import NO_TLVS, DeliveryKind, TlvEvidence, kind_of
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dlr.receipt import Likeness
from dlr.status import Status
from smpp.pdu import DeliverSm, decode
from tests.dispatch.answers.test_receipt_reading import NOW
from tests.dispatch.world import CONNECTOR

BY_TLVS = bytes.fromhex(
    "0000004300000005000000000000001d000101343437393936353534333238000500"
    "53484f500000000000000000000000001e00097236333535393238000427000102"
)
evidence = st.builds(TlvEvidence, st.booleans(), st.booleans(), st.booleans())
likenesses = st.sampled_from(Likeness)


def kind(
    esm_class: int,
    tlvs: TlvEvidence = NO_TLVS,
    text: Likeness = Likeness.NONE,
    *,
    without_esm_class: bool = False,
) -> DeliveryKind:
    return kind_of(esm_class, tlvs, lambda: text, without_esm_class=without_esm_class)


def test_e93_two_tlvs_that_no_handset_can_set_make_a_receipt() -> None:
    pdu = decode(BY_TLVS)
    assert isinstance(pdu, DeliverSm)
    reader = ReceiptReader(CONNECTOR, ReceiptManners())
    assert reader.is_receipt(pdu)
    row = reader.row(pdu, NOW)
    assert row is not None
    assert (row.carrier_id, row.status) == ("r6355928", Status.DELIVERED)


@given(st.integers(0, 255), likenesses, st.booleans(), st.booleans())
def test_e93_whatever_esm_class_and_text_say(
    esm_class: int, text: Likeness, without: bool, reference: bool
) -> None:
    pair = TlvEvidence(names_message=not reference, repeats_reference=reference, gives_state=True)
    assert kind(esm_class, pair, text, without_esm_class=without) is DeliveryKind.RECEIPT


@given(st.integers(0, 255), evidence, likenesses, st.booleans())
def test_e93_bits_two_and_five_say_receipt(
    esm_class: int, tlvs: TlvEvidence, text: Likeness, without: bool
) -> None:
    for bits in (0x04, 0x20, 0x24):
        said = esm_class | bits
        assert kind(said, tlvs, text, without_esm_class=without) is DeliveryKind.RECEIPT


@pytest.mark.parametrize(
    ("esm_class", "text", "receipt"),
    [
        (0x08, Likeness.NONE, False),
        (0x08, Likeness.STATED, False),
        (0x08, Likeness.NAMED, True),
        (0x10, Likeness.NONE, False),
        (0x50, Likeness.CERTAIN, True),  # with a UDH
        (0x18, Likeness.CERTAIN, False),  # the end of a conversation
        (0x00, Likeness.CERTAIN, False),
        (0x80, Likeness.CERTAIN, False),  # a reply path
        (0x03, Likeness.CERTAIN, False),  # bits 1-0 are a mode
    ],
)
def test_e93_acknowledgements_are_what_they_read_as(
    esm_class: int, text: Likeness, receipt: bool
) -> None:
    assert (kind(esm_class, text=text) is DeliveryKind.RECEIPT) == receipt


def test_e93_a_single_tlv_needs_a_text_that_says_the_rest() -> None:
    for text, named, stated in product(Likeness, (False, True), (False, True)):
        found = kind(0, TlvEvidence(names_message=named, gives_state=stated), text)
        wanted = (
            (named and stated)
            or (named and text >= Likeness.STATED)
            or (stated and text >= Likeness.NAMED)
        )
        assert (found is DeliveryKind.RECEIPT) == wanted


def test_e93_where_esm_class_is_left_out_only_a_certain_text_is_one() -> None:
    for text in Likeness:
        found = kind(0, text=text, without_esm_class=True)
        assert (found is DeliveryKind.RECEIPT) == (text is Likeness.CERTAIN)
        assert kind(0x18, text=text, without_esm_class=True) is DeliveryKind.MESSAGE
