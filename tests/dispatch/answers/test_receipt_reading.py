"""How each carrier writes receipts: ids in any base, receipts without esm_class, as data_sm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.answers.message_references import REFERENCES, MessageReferences
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.records import KnownId
from dispatch.message import MessageOptions
from dlr.id_learning import IdLearner
from dlr.id_rewrite import IdRewrite
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from smpp.pdu import DataSm, DeliverSm, SubmitSm
from smpp.vocabulary import (
    ESME_ROK,
    ESME_RX_R_APPN,
    TLV_MESSAGE_PAYLOAD,
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)
from storage.categories import Category
from tests.dispatch.answers.test_receipt_intake import RECEIPT, answers
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.world import CONNECTOR, VAULT, World, running

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def read(manners: ReceiptManners, text: bytes, **fields: object) -> ReceiptRow | None:
    pdu = DeliverSm(0, short_message=text, **fields)  # type: ignore[arg-type]  # the constructor checks the names
    reader = ReceiptReader(CONNECTOR, manners)
    return reader.row(pdu, NOW) if reader.is_receipt(pdu) else None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (b"id:7 sub:001 dlvrd:001 submit date:2601021504 done date:2601021504 stat:DELIVRD err:000",
         True),
        (b"stat:UNDELIV id:7", True),
        (b"id:7 stat:MA:0001", True),
        (b"id:7 sub:001 dlvrd:000 done date:2601021504 stat:NOROUTE err:1", True),
        (b"7 sub:001 dlvrd:001 done date:2601021504 stat:DELIVRD err:0", False),
        (b"my id: 7 is in a bad state", False),
        (b"id:7 stat:", False),
        (b"id:7 stat:HELLO", False),
        (b"stat:DELIVRD", False),
        (b"STOP", False),
        (b"", False),
    ],
)  # fmt: skip
def test_e19_without_esm_class_a_text_must_have_an_id_and_a_known_state(
    text: bytes, known: bool
) -> None:
    leaves_it_out = ReceiptManners(without_esm_class=True)
    assert (read(leaves_it_out, text) is not None) == known
    assert read(ReceiptManners(), text) is None  # by esm_class alone, it is a handset's
    # What says what it is, the end of a conversation for instance, is believed.
    assert read(leaves_it_out, text, esm_class=0x18) is None


def test_e7_the_id_that_is_tried_first_is_a_setting() -> None:
    tlvs = ((TLV_RECEIPTED_MESSAGE_ID, b"6aad5\0"),)
    for first, ids in (("tlv", ("6aad5", "436949")), ("text", ("436949", "6aad5"))):
        row = read(
            ReceiptManners(text_id_first=first == "text"),
            b"id:436949 stat:DELIVRD",
            esm_class=RECEIPT,
            tlvs=tlvs,
        )
        assert row is not None
        assert (row.carrier_id, row.alternate_id) == ids


def test_e6_ids_are_rewritten_on_both_sides_before_their_base_is_read() -> None:
    manners = ReceiptManners(
        response_base="hex", receipt_base="dec", rewrite=IdRewrite("^SAR-", "")
    )
    reader = ReceiptReader(CONNECTOR, manners)
    assert reader.answer_id(b"SAR-00FF") == "255"
    row = read(manners, b"id:SAR-0255 stat:DELIVRD", esm_class=RECEIPT)
    assert row is not None
    assert row.carrier_id == "255"


async def test_e1_receipts_in_another_base_are_understood_and_the_first_ones_again(
    world: World,
) -> None:
    """Answers in padded hexadecimal, receipts in decimal, and nothing says so."""
    carrier = Carrier()
    submitted: dict[int, SubmitSm] = {}

    def identify(pdu: SubmitSm) -> str:
        identifier = 0xA0000 + len(submitted)
        submitted[identifier] = pdu
        return f"{identifier:08X}"

    carrier.identify = identify
    messages = world.messages(40)
    async with sending(
        world, carrier, window=40, manners=ReceiptManners(receipt_base=None)
    ) as dispatch:
        await world.store(messages)
        push(dispatch, messages)
        await carrier.came(40)
        await world.until("SELECT count(*) FROM submission", 40)
        receipts = [
            DeliverSm(
                0,
                esm_class=RECEIPT,
                source_addr_ton=1,
                source_addr=pdu.destination_addr,
                short_message=f"id:{identifier} stat:DELIVRD".encode(),
            )
            for identifier, pdu in submitted.items()
        ]
        assert await answers(carrier, receipts) == [ESME_ROK] * 40
        await world.recorder.commits.drain()
    assert set((await world.results()).values()) == {Status.DELIVERED}


async def test_e22_a_receipt_may_come_as_data_sm(world: World) -> None:
    carrier = Carrier()
    message = world.message()
    async with sending(world, carrier) as dispatch:
        await world.store([message])
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM submission", 1)
        identifier = await world.connection.fetchval("SELECT carrier_id FROM submission")
        in_tlvs = DataSm(
            0,
            esm_class=RECEIPT,
            tlvs=(
                (TLV_RECEIPTED_MESSAGE_ID, identifier.encode() + b"\0"),
                (TLV_MESSAGE_STATE, b"\5"),
            ),
        )
        in_text = DataSm(
            0,
            esm_class=RECEIPT,
            tlvs=((TLV_MESSAGE_PAYLOAD, f"id:{identifier} stat:DELIVRD".encode()),),
        )
        from_a_handset = DataSm(0, tlvs=((TLV_MESSAGE_PAYLOAD, b"STOP"),))
        pdus = [in_tlvs, in_text, from_a_handset]
        assert await answers(carrier, pdus) == [ESME_ROK, ESME_ROK, ESME_RX_R_APPN]
        await world.recorder.commits.drain()
    assert await world.results() == {(message.id, 1): Status.DELIVERED}


def test_what_was_not_understood_is_read_again_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dispatch.answers.receipt_reading.UNSURE_MAX", 30)
    reader = ReceiptReader(CONNECTOR, ReceiptManners(receipt_base=None))
    numbers = {0xB000 + n: f"+86138{n:08d}" for n in range(50)}
    reader.remember([KnownId(f"{n:x}", n, to) for n, to in numbers.items()])
    seen, last = 0, None
    for identifier, to in numbers.items():
        pdu = DeliverSm(
            0,
            esm_class=RECEIPT,
            source_addr=to[1:].encode(),
            short_message=f"id:{identifier} stat:DELIVRD".encode(),
        )
        row = reader.row(pdu, NOW)
        assert row is not None
        last = row.submission_id
        again = reader.understood()
        assert not (again and seen)
        seen += len(again)
        assert all(each.submission_id == int(each.carrier_id, 16) for each in again)
    assert 0 < seen <= 30
    assert last == max(numbers)


async def test_e33_a_receipt_that_repeats_our_reference_ends_the_doubt(world: World) -> None:
    """The answer never came, so no id is known; number and reference together are enough."""
    carrier = Carrier(lambda _pdu: None)
    messages = [world.message(Category.MARKETING) for _ in range(3)]
    references = MessageReferences(first=REFERENCES - 1)
    own = MessageOptions(tlvs=((TLV_USER_MESSAGE_REFERENCE, b"me"), (0x1400, b"kept")))
    messages[2].options = own
    async with sending(
        world, carrier, response_timeout_seconds=0.05, references=references
    ) as dispatch:
        await world.store(messages)
        push(dispatch, messages)
        await carrier.came(3)
        await world.until("SELECT count(*) FROM submission", 3)
        assert set((await world.results()).values()) == {Status.UNCONFIRMED}
        tlvs = [dict(pdu.tlvs) for pdu in carrier.submitted]
        assert [each[TLV_USER_MESSAGE_REFERENCE] for each in tlvs] == [
            b"\xff\xff",
            b"\0\0",
            b"\0\1",
        ]
        assert tlvs[2][0x1400] == b"kept"

        def about(index: int, reference: bytes) -> DeliverSm:
            return DeliverSm(
                0,
                esm_class=RECEIPT,
                source_addr_ton=1,
                source_addr=carrier.submitted[index].destination_addr,
                short_message=b"id:nobody-knows stat:DELIVRD",
                tlvs=((TLV_USER_MESSAGE_REFERENCE, reference),),
            )

        pdus = [about(0, b"\xff\xff"), about(1, b"\xff\xff"), about(2, b"\0\1\0")]
        assert await answers(carrier, pdus) == [ESME_ROK] * 3
    results = await world.results()
    assert [results[message.id, 1] for message in messages] == [
        Status.DELIVERED, Status.UNCONFIRMED, Status.UNCONFIRMED
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ton", "source", "number"),
    [
        (1, b"8613800000001", "+8613800000001"),
        (0, b"8613800000001", "+8613800000001"),  # TON left out
        (5, b"SHOP", None),
        (0, b"", None),
    ],
)
def test_e33_a_parked_receipt_keeps_whom_it_is_about(
    ton: int, source: bytes, number: str | None
) -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners(), indexes=lambda number: [number.encode()])
    pdu = DeliverSm(
        0, source_addr_ton=ton, source_addr=source, dest_addr_ton=5, destination_addr=b"SHOP",
        esm_class=RECEIPT, short_message=b"id:7 stat:DELIVRD",
    )  # fmt: skip
    row = reader.row(pdu, NOW)
    assert row is not None
    assert row.parties is not None
    parties = row.parties()
    assert parties[:2] == (None if number is None else number.encode(), "SHOP")
    assert list(parties.other_idx) == []


def test_n3_a_parked_receipt_keeps_every_index_of_its_number() -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners(), indexes=VAULT.indexes)
    pdu = DeliverSm(
        0, source_addr_ton=1, source_addr=b"541123017883", esm_class=RECEIPT,
        short_message=b"id:7 stat:DELIVRD",
    )  # fmt: skip
    row = reader.row(pdu, NOW)
    assert row is not None
    assert row.parties is not None
    parties = row.parties()
    assert parties.to_idx == VAULT.index("+5491123017883")
    assert VAULT.digest("+5491123017883") in parties.other_idx


def test_a_reference_that_was_given_again_means_the_newer_part() -> None:
    references = MessageReferences(first=7)
    first = references.give(1, "+8613800000001")
    given = [references.give(2 + number, "+8613800000001") for number in range(REFERENCES)]
    assert first == given[-1] == (7).to_bytes(2, "big")
    assert references.find(first, "13800000001") == 1 + REFERENCES


_WORD = st.sampled_from(
    ["stat:DELIVRD", "stat:UNDELIV", "stat:NOROUTE", "DELIVRD", "err:000", "err:ID:0076", "001",
     "sub:001", "dlvrd:000", "dlvrd:001", "submit date:2611291200", "done date:2611291200",
     "done date:9912312359", "id:77", "text", "Text:", "context:", "message text:", "a", "\xe9"]
)  # fmt: skip
_TEXTS = st.builds(
    lambda key, identifier, gap, words, end, tail: (
        f"{key}{identifier}{gap}{' '.join(words)}{end}{tail}"
    ),
    st.sampled_from(["id:", "ID:", "id: ", ""]),
    st.text("0123456789abcdefZ-", max_size=6) | st.sampled_from(["7", "7a"]),
    st.sampled_from([" ", "  ", "", "\t"]),
    st.lists(_WORD, max_size=8),
    st.sampled_from([" text:", " Text:", " TEXT:", "text:", " context:", ""]),
    st.text("abc :1\xe9\n", max_size=8)
    | st.sampled_from(["id:5 stat:EXPIRED err:027", "stat:REJECTD"]),
)  # fmt: skip


_TLVS = st.lists(
    st.sampled_from(
        [
            (TLV_RECEIPTED_MESSAGE_ID, b"7\0"), (TLV_RECEIPTED_MESSAGE_ID, b"7a"),
            (TLV_RECEIPTED_MESSAGE_ID, b""), (TLV_MESSAGE_STATE, b"\2"),
            (TLV_MESSAGE_STATE, b"\5"), (TLV_MESSAGE_STATE, b""),
            (TLV_NETWORK_ERROR_CODE, b"\3\0\1"), (0x1400, b"x"),
        ]
    ),
    max_size=4,
)  # fmt: skip


@given(st.lists(st.tuples(_TEXTS, _TLVS), min_size=1, max_size=4))
def test_e95_what_is_read_once_is_what_each_receipt_says(
    receipts: list[tuple[str, list[tuple[int, bytes]]]],
) -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners(states={"NOROUTE": Status.UNDELIVERED}))
    plain = ReceiptReader(CONNECTOR, reader.manners)
    plain._repeated.read = lambda pdu, tlvs: None  # type: ignore[method-assign]
    now = datetime.now(UTC)
    for text, tlvs in [*receipts, *receipts]:
        octets = text.encode("latin-1")
        pdu = DeliverSm(0, esm_class=4, short_message=octets, tlvs=tuple(tlvs))
        found, wanted = reader.row(pdu, now), plain.row(pdu, now)
        assert told(found) == told(wanted), (text, tlvs)


def told(row: ReceiptRow | None) -> dict[str, object] | None:
    """All that a row says but who it is about, which is asked for later."""
    if row is None:
        return None
    said = msgspec.structs.asdict(row)
    return {name: value for name, value in said.items() if name != "parties"}


def test_e95_what_is_read_once_is_read_again_when_the_manners_change() -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners())
    pdu = DeliverSm(0, esm_class=4, short_message=b"id:7 stat:NOROUTE done date:2611291200 text:x")
    first = reader.row(pdu, datetime.now(UTC))
    reader.follow(ReceiptManners(states={"NOROUTE": Status.UNDELIVERED}), IdLearner())
    second = reader.row(pdu, datetime.now(UTC))
    assert first is not None and second is not None
    assert (first.status, second.status) == (Status.SENT, Status.UNDELIVERED)
