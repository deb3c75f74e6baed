"""Transmitters and receivers, on one address or two, and what may come on either."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from smpp import vocabulary
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.pdu import DeliverSm, DeliverSmResp, encode
from tests.smpp.recording import (
    WAIT_SECONDS,
    Handler,
    Listener,
    PduReader,
    RawCarrier,
    binding,
    serving,
)


async def test_e99_the_receivers_of_a_pair_may_be_elsewhere() -> None:
    listener, sending, receiving = Listener(), Handler(), Handler()
    async with serving(sending) as here, serving(receiving) as there:
        settings = BindSettings(
            host="127.0.0.1",
            port=here.port,
            system_id="u",
            password="p",
            bind="transmitter+receiver",
            interface_version=0x33,
            addr_ton=1,
            addr_npi=2,
            address_range="^86",
        )
        receiver = ("127.0.0.1", there.port)
        pool = BindPool("carrier-a", settings, 2, listener, receiver=receiver)
        pool.start()
        await listener.until(lambda: listener.bound_times == 4)
        assert [bind.command_id for bind in sending.binds] == [vocabulary.BIND_TRANSMITTER] * 2
        assert [bind.command_id for bind in receiving.binds] == [vocabulary.BIND_RECEIVER] * 2
        for bind in (*sending.binds, *receiving.binds):
            asked = (bind.interface_version, bind.addr_ton, bind.addr_npi, bind.address_range)
            assert asked == (0x33, 1, 2, b"^86")
        assert not pool.receives_only
        await pool.stop(1.0)


async def test_e99_receivers_alone_are_up_and_submit_nothing() -> None:
    listener, handler = Listener(), Handler()
    async with serving(handler) as server:
        settings = BindSettings(
            host="127.0.0.1", port=server.port, system_id="u", password="p", bind="receiver"
        )
        pool = BindPool("carrier-a", settings, 1, listener)
        assert (pool.receives_only, pool.up) == (True, False)
        pool.start()
        await listener.until(lambda: listener.bound_times == 1)
        assert (pool.up, pool.free_slots) == (True, 0)
        await pool.stop(1.0)


@pytest.mark.parametrize("kind", ["transmitter", "receiver", "transceiver"])
async def test_e97_receipts_on_any_session_and_before_its_bind_resp_are_answered(kind: str) -> None:
    answers: list[object] = []
    answered = threading.Event()

    def script(connection: socket.socket, reader: PduReader) -> None:
        connection.sendall(encode(DeliverSm(11, esm_class=4, short_message=b"late")))
        answers.extend([reader.next(), reader.next()])
        answered.set()

    early = encode(DeliverSm(10, esm_class=4, short_message=b"early"))
    listener = Listener()
    with RawCarrier(script, early=early) as carrier:
        async with binding(carrier.port, listener, {"bind": kind}) as bind:
            assert await asyncio.to_thread(answered.wait, WAIT_SECONDS)
            assert bind.session_counters.taken_before_bind == 1
            assert bind.session_counters.taken_on_transmitter == 2 * (kind == "transmitter")
    assert answers == [DeliverSmResp(10), DeliverSmResp(11)]
    assert [delivery.pdu.sequence_number for delivery in listener.received] == [10, 11]
