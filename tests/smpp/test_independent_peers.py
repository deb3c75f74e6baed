"""Strangers on the other end: aiosmpplib and smpplib bound to our simulator, our client bound to
smpp34's server. What we and they agree on was written by three different people.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

import aiosmpplib
import pytest
import smpp34
import smpplib.client
import smpplib.consts
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.protocol import DeliverSm as TheirDeliverSm
from aiosmpplib.protocol import SmppMessage
from aiosmpplib.protocol import SubmitSm as TheirSubmitSm
from aiosmpplib.protocol import SubmitSmResp as TheirSubmitSmResp
from aiosmpplib.state import NPI, TON, PhoneNumber

from gateway.rehearsal.processes import free_port
from smpp import vocabulary
from smpp.pdu import DeliverSm, SubmitSm, message_octets, tlv_value
from smpp.simulator import Profile, Simulator
from smpp.text import encode_text
from tests.smpp.recording import WAIT_SECONDS, Listener, Watched, binding, eventually, submits

PROFILE = Profile(receipt_delay_ms=0.0)


@contextlib.asynccontextmanager
async def simulating(profile: Profile = PROFILE) -> AsyncIterator[Simulator]:
    simulator = Simulator(profile, "127.0.0.1", 0, credentials={"shop": "secret"})
    await simulator.start()
    try:
        yield simulator
    finally:
        simulator.server.abort_sessions("the test is over")
        await simulator.stop()


# --- aiosmpplib's ESME, our simulator ------------------------------------------------------------


class Hook(Watched, aiosmpplib.AbstractHook):  # type: ignore[misc]  # aiosmpplib carries no types
    """What aiosmpplib's ESME was answered and sent."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[TheirSubmitSmResp] = []
        self.deliveries: list[TheirDeliverSm] = []
        self.errors: list[Exception] = []

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        pass

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        if isinstance(smpp_message, TheirSubmitSmResp):
            self.answers.append(smpp_message)
        elif isinstance(smpp_message, TheirDeliverSm):
            self.deliveries.append(smpp_message)
        self.changed()

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        self.errors.append(error)
        self.changed()


# Its ESME leaves the StreamWriter of a stopped session open, which the interpreter then reports.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_aiosmpplib_sends_through_our_simulator_and_reads_its_receipts() -> None:
    hook = Hook()
    broker = SimpleBroker()
    destinations = ["8613800000009", "861300000001", "861300000006"]
    async with simulating() as carrier:
        esme = aiosmpplib.ESME(
            "127.0.0.1", carrier.port, "shop", "secret", hook=hook, broker=broker
        )
        running = asyncio.ensure_future(esme.start())
        for number, destination in enumerate(destinations):
            await broker.enqueue(
                TheirSubmitSm(
                    short_message=f"message {number} 你好",
                    source=PhoneNumber("1069"),
                    destination=PhoneNumber(destination, TON.INTERNATIONAL, NPI.ISDN),
                    log_id=destination,
                )
            )
        await hook.until(lambda: len(hook.answers) == 3 and len(hook.deliveries) == 2)
        await eventually(lambda: carrier.held == 0)  # both receipts were acknowledged
        await esme.stop()
        await running
    del esme, running
    gc.collect()  # here, where the warning is expected, and not in whatever test is running then
    assert hook.errors == []
    statuses = {str(answer.log_id): int(answer.command_status) for answer in hook.answers}
    assert statuses == {
        "8613800000009": 0,
        "861300000001": 0,
        "861300000006": vocabulary.ESME_RINVDSTADR,
    }
    ids = {str(answer.log_id): answer.message_id for answer in hook.answers}
    receipts = {receipt["id"]: receipt for receipt in (d.parse_receipt() for d in hook.deliveries)}
    assert receipts[ids["8613800000009"]]["stat"] == "DELIVRD"
    assert receipts[ids["861300000001"]]["stat"] == "UNDELIV"
    assert receipts[ids["861300000001"]]["err"] == 1


# --- smpplib's blocking client, our simulator ----------------------------------------------------


def use_smpplib(port: int, answers: list[tuple[int, bytes]], receipts: list[bytes]) -> None:
    client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
    client.set_message_sent_handler(
        lambda pdu: answers.append((int(pdu.status), bytes(pdu.message_id or b"")))
    )

    def received(pdu: smpplib.command.Command) -> int:
        receipts.append(bytes(pdu.short_message))
        return 0

    client.set_message_received_handler(received)
    client.connect()
    client.bind_transceiver(system_id="shop", password="secret")
    for number in range(10):
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
            source_addr="SHOP",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=f"86138000000{number}9",
            short_message=b"hello",
            registered_delivery=True,
        )
    while len(answers) < 10 or len(receipts) < 10:
        client.read_once()
    client.unbind()
    client.disconnect()


async def test_smpplib_sends_through_our_simulator() -> None:
    answers: list[tuple[int, bytes]] = []
    receipts: list[bytes] = []
    async with simulating() as carrier:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_SECONDS):
            await loop.run_in_executor(None, use_smpplib, carrier.port, answers, receipts)
        await eventually(lambda: carrier.held == 0)
    assert {status for status, _ in answers} == {0}
    ids = {message_id.rstrip(b"\0") for _, message_id in answers}
    assert len(ids) == 10
    assert {receipt.split()[0] for receipt in receipts} == {b"id:" + one for one in ids}
    assert all(b"stat:DELIVRD err:000" in receipt for receipt in receipts)


# --- our client, smpp34's server -----------------------------------------------------------------


class TheirServer(Watched):
    """smpp34's SMSC: accepts submits, and says what it read in them."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
        self.sessions: list[smpp34.Esme] = []
        self.submits: list[smpp34.SubmitSmEvent] = []

    async def serve(self) -> None:
        await self.server.start()
        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.Esme):
                self.sessions.append(event)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self.submits.append(event)
                if event.destination_addr.endswith("0006"):
                    event.reject(vocabulary.ESME_RTHROTTLED)
                else:
                    event.accept(f"id-{len(self.submits)}")
            self.changed()


async def test_our_client_against_the_server_of_smpp34() -> None:
    listener = Listener()
    port = free_port()  # smpp34 does not tell which port it took for 0
    theirs = TheirServer(port)
    serving = asyncio.ensure_future(theirs.serve())
    try:
        async with binding(port, listener) as bind:
            encoded = encode_text("你好，世界")
            chinese = SubmitSm(
                0,
                source_addr_ton=5,
                source_addr=b"SHOP",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=b"8613800000001",
                data_coding=encoded.data_coding,
                registered_delivery=1,
                short_message=encoded.parts[0],
            )
            refused = SubmitSm(0, destination_addr=b"8613800000006", short_message=b"no")
            assert bind.submit([(chinese, "chinese"), (refused, "refused"), *submits(50)]) == 52
            await listener.until(lambda: len(listener.answers) == 52)
            answers = {answer.context: answer for answer in listener.answers}
            assert answers["chinese"].command_status == 0
            assert answers["chinese"].message_id.startswith(b"id-")
            assert answers["refused"].command_status == vocabulary.ESME_RTHROTTLED
            read = {event.destination_addr: event for event in theirs.submits}
            first = read["8613800000001"]
            assert (first.source_addr, first.source_addr_ton) == ("SHOP", 5)
            assert first.short_message.decode("utf-16-be") == "你好，世界"
            assert (first.data_coding, first.registered_delivery) == (8, 1)

            taken = await theirs.sessions[0].deliver_sm(
                "SHOP",
                b"id:id-1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:",
                source_addr="8613800000001",
                esm_class=4,
                tlvs=[smpp34.Tlv(vocabulary.TLV_RECEIPTED_MESSAGE_ID, b"id-1\0")],
            )
            assert taken.is_success
            pdu = listener.received[0].pdu
            assert isinstance(pdu, DeliverSm)
            assert pdu.esm_class == vocabulary.ESM_CLASS_DELIVERY_RECEIPT
            assert message_octets(pdu).startswith(b"id:id-1 ")
            assert tlv_value(pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID) == b"id-1\0"
        # Its server may hang up without an unbind_resp; what counts is that nothing was left open.
        assert [in_flight for _, in_flight in listener.unbounds] == [[]]
    finally:
        serving.cancel()
        await theirs.server.stop()
