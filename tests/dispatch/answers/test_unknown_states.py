"""Words for states that nobody knows: on the timeline, counted, logged once, explained by setting
(E96).

Also a receipt that names no id but repeats our reference (E102).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dispatch.answers import unknown_words
from dispatch.answers.message_references import MessageReferences
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.unknown_states import UNKNOWN_STATE, tell_unknown_states
from dispatch.answers.unknown_words import OTHERS, UNPRINTABLE, UnknownWords, shown_word
from dlr.codes import Codes, CodesOfConnectors
from dlr.hygiene import proof
from dlr.ledger import AppliedReceipt
from dlr.parked import sweep_unmatched
from dlr.reasons import Reason
from dlr.status import Status
from gateway.config.connector_settings import ConnectorSettings
from gateway.wiring.connectors import Wiring, references_of
from smpp.pdu import DeliverSm
from smpp.vocabulary import (
    ESME_ROK,
    TLV_MESSAGE_STATE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)
from storage.ids import IdSource
from tests.dispatch.answers.test_receipt_intake import RECEIPT, answers
from tests.dispatch.answers.test_receipt_reading import NOW
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.world import CONNECTOR, World, running


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def about(identifier: str, state: str = "NOROUTE", rest: str = "err:000") -> DeliverSm:
    text = f"id:{identifier} sub:001 stat:{state} {rest} text:"
    return DeliverSm(0, esm_class=RECEIPT, short_message=text.encode())


async def test_e96_the_message_stays_sent_and_its_timeline_has_the_word(world: World) -> None:
    carrier = Carrier()
    message = world.message()
    async with sending(world, carrier) as dispatch:
        await world.store([message])
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM submission", 1)
        identifier = await world.connection.fetchval("SELECT carrier_id FROM submission")
        repeated = [about(identifier), about(identifier), about(identifier, "HD:29", "err:45")]
        with capture_logs() as logs:
            assert await answers(carrier, repeated) == [ESME_ROK] * 3
            assert await answers(carrier, [about(identifier)]) == [ESME_ROK]
        assert dispatch.intake.reader.unknown_words.total == 4
        assert dispatch.intake.reader.unknown_words.counts() == {"NOROUTE": 3, "HD:29": 1}
    assert await world.results() == {(message.id, 1): Status.SENT}
    told = {"part": 1, "connector": CONNECTOR, "status": "sent"}
    assert await world.events(message.id) == [
        (UNKNOWN_STATE, {**told, "state": "NOROUTE", "carrier_code": "000"}),
        (UNKNOWN_STATE, {**told, "state": "HD:29", "carrier_code": "45"}),
    ]
    logged = [entry["state"] for entry in logs if entry["event"] == "receipt_state_unknown"]
    assert logged == ["NOROUTE", "HD:29"]


async def test_e96_in_the_flush_of_its_result_too(world: World) -> None:
    """A receipt that is folded into its row would leave no event."""
    carrier = Carrier()
    message = world.message()
    async with sending(world, carrier) as dispatch:
        carrier.identify = lambda _pdu: "77"
        carrier.before = lambda: (
            carrier.session.deliver([(about("77"), 0)]) if carrier.session else None
        )
        await world.store([message])
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM submission", 1)
        await world.recorder.commits.drain()
    # Before its answer it was parked, and the answer's transaction took it out again.
    assert [kind for kind, _ in await world.events(message.id)] == [UNKNOWN_STATE]
    assert await world.count("unmatched_receipt") == 0


async def test_e96_a_parked_receipt_keeps_its_word_until_it_finds_its_message(
    world: World,
) -> None:
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        assert await answers(carrier, [about("later")]) == [ESME_ROK]
        parked = await world.connection.fetchval("SELECT unknown_state FROM unmatched_receipt")
        assert parked == "NOROUTE"
        message = world.message()
        await world.store([message])
        carrier.identify = lambda _pdu: "later"
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM submission", 1)
        await world.recorder.commits.drain()
    assert [detail["state"] for _, detail in await world.events(message.id)] == ["NOROUTE"]


async def test_e96_the_carrier_explains_its_words_while_it_runs(world: World) -> None:
    carrier = Carrier()
    messages = world.messages(2)
    explained = ReceiptManners(states={"NOROUTE": Status.UNDELIVERED})
    async with sending(world, carrier) as dispatch:
        await world.store(messages)
        push(dispatch, messages)
        await world.until("SELECT count(*) FROM submission", 2)
        rows = await world.connection.fetch("SELECT message_id, carrier_id FROM submission")
        ids = {row["message_id"]: row["carrier_id"] for row in rows}
        assert await answers(carrier, [about(ids[messages[0].id])]) == [ESME_ROK]
        dispatch.intake.reader.manners = explained
        assert await answers(carrier, [about(ids[messages[1].id])]) == [ESME_ROK]
        assert dispatch.intake.reader.unknown_words.total == 1
    assert [(await world.results())[message.id, 1] for message in messages] == [
        Status.SENT,
        Status.UNDELIVERED,
    ]
    error = "SELECT error FROM submission WHERE message_id = $1"
    assert await world.connection.fetchval(error, messages[1].id) == "NOROUTE"


@pytest.mark.parametrize("code", ["1", "MK:0001", "45"])
def test_e96_what_is_inferred_has_no_reason_and_prunes_nobody(code: str) -> None:
    """Also of codes that would, had the carrier said what became of the message."""
    reader = ReceiptReader(CONNECTOR, ReceiptManners(codes=Codes("map")))
    rest = f"dlvrd:000 done date:2401011203 err:{code}"
    row = reader.row(about("1", "NOROUTE", rest), NOW)
    assert row is not None
    assert (row.status, row.reason, row.error) == (Status.UNDELIVERED, Reason.UNKNOWN, code)
    assert row.unknown_state == "NOROUTE"
    applied = AppliedReceipt(row, message_id=1, matched=True, changed=True)
    codes = CodesOfConnectors([(CONNECTOR, Codes("map"))])
    assert proof.against((), [applied], codes) == []
    row.unknown_state = None
    assert proof.against((), [applied], codes) != []


def test_e96_words_are_counted_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_words, "WORDS_MAX", 3)
    words = UnknownWords()
    news = [words.count(word) for word in ("A", "B", "a", "C", "D", "E", "A", "F")]
    assert news == ["A", "B", None, "C", OTHERS, None, None, None]
    assert words.counts() == {"A": 3, "B": 1, "C": 1, OTHERS: 3}
    assert words.total == 8


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("NOROUTE", "NOROUTE"),
        ("noroute", "NOROUTE"),
        ("2:100", "2:100"),
        ("MK00013", "MK00013"),
        ("STATE-4294967295", UNPRINTABLE),
        ("+8613812345678", UNPRINTABLE),
        ("13812345678", UNPRINTABLE),
        ("A1234567", UNPRINTABLE),
        ("Dear", "DEAR"),
        ("你好", UNPRINTABLE),
        ("x" * 17, UNPRINTABLE),
        ("", "(none)"),
    ],
)
def test_e96_a_word_is_shown_only_if_it_can_be_no_text_and_no_number(word: str, shown: str) -> None:
    assert shown_word(word) == shown


@given(st.text(max_size=40))
def test_e96_whatever_is_shown_is_short_and_holds_no_number(word: str) -> None:
    shown = shown_word(word)
    assert len(shown) <= 16
    assert shown.isascii()
    assert sum(map(str.isdigit, shown)) <= 6


REFERENCE = (TLV_USER_MESSAGE_REFERENCE, b"\0\x07")
STATE = (TLV_MESSAGE_STATE, b"\x02")


async def test_e102_a_state_and_our_reference_are_enough_without_an_id(world: World) -> None:
    carrier = Carrier()
    message = world.message()
    async with sending(world, carrier, references=MessageReferences(first=7)) as dispatch:
        await world.store([message])
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM submission", 1)
        pdu = DeliverSm(
            0,
            source_addr_ton=1,
            source_addr=carrier.submitted[0].destination_addr,
            tlvs=(REFERENCE, STATE),
        )
        assert await answers(carrier, [pdu]) == [ESME_ROK]
        assert dispatch.intake.counters.unreadable == 0
    assert await world.results() == {(message.id, 1): Status.DELIVERED}


async def test_e102_a_reference_before_its_answer_is_parked_and_found(world: World) -> None:
    """The submission it points to is stored only with the answer."""
    carrier = Carrier(lambda _pdu: None)
    message = world.message()
    async with sending(world, carrier, references=MessageReferences(first=7)) as dispatch:
        await world.store([message])
        push(dispatch, [message])
        await carrier.came(1)
        early = DeliverSm(
            0,
            source_addr_ton=1,
            source_addr=carrier.submitted[0].destination_addr,
            esm_class=RECEIPT,
            short_message=b"stat:DELIVRD",
            tlvs=(REFERENCE,),
        )
        assert await answers(carrier, [early]) == [ESME_ROK]
        assert await world.count("unmatched_receipt") == 1
        carrier.answer_oldest()
        await world.until("SELECT count(*) FROM submission", 1)
        await world.recorder.commits.drain()
        later = datetime.now(UTC) + timedelta(minutes=1)
        async with world.connection.transaction():
            applied = await sweep_unmatched(world.connection, later, world.ids)
            await tell_unknown_states(world.connection, applied, world.ids)
    assert await world.results() == {(message.id, 1): Status.DELIVERED}
    assert await world.count("unmatched_receipt") == 0


def test_e102_the_recipient_may_stand_where_it_was_in_the_submit() -> None:
    references = MessageReferences(first=7)
    references.give(42, "+8613800000001")
    reader = ReceiptReader(CONNECTOR, ReceiptManners(), references=references)
    pdu = DeliverSm(
        0, source_addr=b"SHOP", destination_addr=b"8613800000001", tlvs=(REFERENCE, STATE)
    )
    row = reader.row(pdu, NOW)
    assert row is not None
    assert row.reference_id == 42
    pdu.destination_addr = b"8613800000002"
    assert reader.row(pdu, NOW) is None


def test_e102_connectors_of_one_carrier_know_each_others_references() -> None:
    wiring = cast("Wiring", SimpleNamespace(ids=IdSource(1, lambda: 0), references={}))
    alone = ConnectorSettings(name="a", host="h", system_id="s", user_message_reference=True)
    grouped = msgspec.structs.replace(alone, receipt_group="g")
    first = references_of(None, grouped, wiring)
    assert first is not None
    assert references_of(None, msgspec.structs.replace(grouped, name="b"), wiring) is first
    assert references_of(first, grouped, wiring) is first
    own = references_of(first, alone, wiring)  # it leaves the group
    assert own is not None
    assert own is not first
    assert references_of(own, alone, wiring) is own
    never = msgspec.structs.replace(alone, user_message_reference=False)
    assert references_of(own, never, wiring) is None


def test_e102_of_a_tlv_that_comes_twice_the_first_that_says_something_counts() -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners())
    ids = [(TLV_RECEIPTED_MESSAGE_ID, value) for value in (b"", b"7\0", b"8\0")]
    row = reader.row(DeliverSm(0, esm_class=RECEIPT, tlvs=(*ids, STATE)), NOW)
    assert row is not None
    assert row.carrier_id == "7"


def test_e102_without_the_setting_a_receipt_without_id_names_no_message() -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners())
    pdu = DeliverSm(0, esm_class=RECEIPT, tlvs=(REFERENCE, STATE))
    assert reader.is_receipt(pdu)
    assert reader.row(pdu, NOW) is None
