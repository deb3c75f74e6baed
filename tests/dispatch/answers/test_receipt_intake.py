"""What a carrier sends: receipts that are stored, and clear answers for what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from dispatch.answers import receipt_reading
from dispatch.answers.records import KnownId, ReceiptArrived
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.reasons import Reason
from dlr.status import Status
from smpp.pdu import DataSm, DeliverSm
from smpp.vocabulary import (
    ESME_ROK,
    ESME_RX_R_APPN,
    ESME_RX_T_APPN,
    TLV_MESSAGE_PAYLOAD,
    TLV_MESSAGE_STATE,
    TLV_RECEIPTED_MESSAGE_ID,
)
from tests.dispatch.on_the_wire import Carrier, sending
from tests.dispatch.world import CONNECTOR, World, running

RECEIPT = 0x04  # esm_class
INTERMEDIATE = 0x20
UNREACHABLE = b"id:7 sub:001 dlvrd:000 done date:2601021504 stat:UNDELIV err:027 text:hello"


def receipt(number: int, state: str = "DELIVRD") -> DeliverSm:
    text = f"id:{number} sub:001 dlvrd:001 stat:{state} err:000 text:"
    return DeliverSm(0, esm_class=RECEIPT, short_message=text.encode())


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url, receipts_waiting_max=10) as world:
        yield world


async def answers(carrier: Carrier, pdus: Sequence[DeliverSm | DataSm]) -> list[int]:
    """The command_status that each of these got, once all have one."""
    before = len(carrier.answers)
    assert carrier.session is not None
    assert carrier.session.deliver([(pdu, n) for n, pdu in enumerate(pdus)]) == len(pdus)
    await carrier.until(lambda: len(carrier.answers) == before + len(pdus))
    got = {answer.context: answer.command_status for answer in carrier.answers[before:]}
    return [got[n] for n in range(len(pdus))]


async def test_a_receipt_is_stored_with_all_it_says(world: World) -> None:
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        pdu = DeliverSm(0, esm_class=RECEIPT, short_message=UNREACHABLE)
        assert await answers(carrier, [pdu]) == [ESME_ROK]
        assert dispatch.intake.counters.receipts == 1
    row = await world.connection.fetchrow("SELECT * FROM unmatched_receipt")
    assert row is not None
    assert (row["connector"], row["carrier_id"], row["error"]) == (CONNECTOR, "7", "027")
    assert Status(row["status"]) is Status.UNDELIVERED
    assert Reason(row["reason"]) is Reason.HANDSET_UNREACHABLE
    assert row["done_at"] == datetime(2026, 1, 2, 15, 4, tzinfo=UTC)


async def test_a_receipt_in_tlvs_alone_is_one_too(world: World) -> None:
    carrier = Carrier()
    tlvs = ((TLV_RECEIPTED_MESSAGE_ID, b"tlv-9\0"), (TLV_MESSAGE_STATE, b"\x02"))
    async with sending(world, carrier):
        pdu = DeliverSm(0, esm_class=RECEIPT, tlvs=tlvs)
        assert await answers(carrier, [pdu]) == [ESME_ROK]
    row = await world.connection.fetchrow("SELECT carrier_id, status FROM unmatched_receipt")
    assert row is not None
    assert tuple(row) == ("tlv-9", Status.DELIVERED)


async def test_a_text_in_message_payload_is_read(world: World) -> None:
    carrier = Carrier()
    async with sending(world, carrier):
        pdu = DeliverSm(0, esm_class=RECEIPT, tlvs=((TLV_MESSAGE_PAYLOAD, UNREACHABLE),))
        assert await answers(carrier, [pdu]) == [ESME_ROK]
    assert await world.connection.fetchval("SELECT carrier_id FROM unmatched_receipt") == "7"


async def test_an_intermediate_notification_is_a_receipt(world: World) -> None:
    carrier = Carrier()
    async with sending(world, carrier):
        pdu = DeliverSm(0, esm_class=INTERMEDIATE, short_message=b"id:5 stat:ENROUTE")
        assert await answers(carrier, [pdu]) == [ESME_ROK]
    assert await world.connection.fetchval("SELECT status FROM unmatched_receipt") == Status.SENT


async def test_what_cannot_be_read_and_has_nowhere_to_go_is_not_taken(world: World) -> None:
    """ESME_ROK is said of what has a row. Where messages are taken, it is kept as one: E94."""
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        pdus = [
            DeliverSm(0, esm_class=RECEIPT, short_message=octets)
            for octets in (b"", b"\xff\x00\x01", b"stat:DELIVRD", b"hello")
        ]
        assert await answers(carrier, [*pdus, receipt(1)]) == [ESME_RX_R_APPN] * 4 + [ESME_ROK]
        assert dispatch.intake.counters.unreadable == 4
    assert await world.count("unmatched_receipt") == 1


async def test_a_mobile_originated_message_is_refused_and_counted(world: World) -> None:
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        pdus = [DeliverSm(0, short_message=b"STOP"), receipt(1)]
        assert await answers(carrier, pdus) == [ESME_RX_R_APPN, ESME_ROK]
        assert dispatch.intake.counters.inbound_refused == 1


@asynccontextmanager
async def slow_database(world: World) -> AsyncIterator[None]:
    """Receipts are taken and cannot be committed."""
    async with world.connection.transaction():
        await world.connection.execute("LOCK TABLE unmatched_receipt")
        yield


async def test_without_room_the_carrier_keeps_the_rest_and_nothing_is_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESME_RX_T_APPN and no more reading; once half is free, reading goes on."""
    calls: list[str] = []
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        watch_reading(dispatch, calls, monkeypatch)
        assert carrier.session is not None
        async with slow_database(world):
            carrier.session.deliver([(receipt(n), n) for n in range(15)])
            await carrier.until(lambda: len(carrier.answers) == 5)
            refused = {answer.context for answer in carrier.answers}
            assert {answer.command_status for answer in carrier.answers} == {ESME_RX_T_APPN}
            assert refused == set(range(10, 15))
            assert world.recorder.room_for_receipts() == 0
            assert calls == ["pause"]
            carrier.session.deliver([(receipt(n), n) for n in range(20, 23)])
        await carrier.until(lambda: len(carrier.answers) == 18)
        assert calls == ["pause", "resume"]
        again = [receipt(n) for n in range(10, 15)]
        assert await answers(carrier, again) == [ESME_ROK] * 5
        assert dispatch.intake.counters.deferred == 5
    stored = await world.connection.fetch("SELECT carrier_id FROM unmatched_receipt")
    assert {row["carrier_id"] for row in stored} == {str(n) for n in (*range(15), 20, 21, 22)}
    assert world.recorder.receipts_waiting == 0


def watch_reading(
    dispatch: ConnectorDispatch, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dispatch.pool is not None
    [bind] = dispatch.pool.binds
    pause, resume = bind.pause_reading, bind.resume_reading

    def paused() -> None:
        calls.append("pause")
        pause()

    def resumed() -> None:
        calls.append("resume")
        resume()

    monkeypatch.setattr(bind, "pause_reading", paused)
    monkeypatch.setattr(bind, "resume_reading", resumed)


async def test_a_session_lost_while_it_was_paused_reads_again_in_its_next_life(
    world: World,
) -> None:
    """Its receipts are stored; their answers have nowhere to go, and the carrier repeats them."""
    carrier = Carrier()
    async with sending(world, carrier):
        assert carrier.session is not None
        async with slow_database(world):
            carrier.session.deliver([(receipt(n), n) for n in range(12)])
            await carrier.until(lambda: len(carrier.answers) == 2)
            carrier.session.protocol.abort("the link is cut")
        await carrier.until(lambda: len(carrier.sessions) == 2)
        assert world.recorder.receipts_waiting == 0
        assert await answers(carrier, [receipt(50)]) == [ESME_ROK]


async def test_recent_ids_are_remembered_up_to_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt_reading, "KNOWN_IDS_MAX", 3)
    taken: list[int | None] = []
    offer = world.recorder.record_receipts

    def noting(arrived: Sequence[ReceiptArrived]) -> None:
        taken.extend(each.row.submission_id for each in arrived)
        offer(arrived)

    monkeypatch.setattr(world.recorder, "record_receipts", noting)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        for numbers in ((1, 2), (3, 4)):
            dispatch.intake.remember([KnownId(str(n), 100 + n, "+86") for n in numbers])
        await answers(carrier, [receipt(n) for n in range(1, 6)])
    assert taken == [None, 102, 103, 104, None]  # the oldest went, 5 was never known
