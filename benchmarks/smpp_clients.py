"""One client of the SMPP benchmark in a process of its own; prints its figures as a line of JSON.

Owns how each other library is driven. Must not start a carrier nor judge. All get the same messages
and the same window. All are asyncio clients on uvloop, as ours is. Each receipt is paired with its
answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import aiosmpplib
import msgspec
import smpp34
import smpplib.client
import smpplib.consts
import uvloop
from aiosmpplib.broker import SimpleBroker
from aiosmpplib.correlator import AbstractCorrelator, SegmentStatus, SimpleCorrelator
from aiosmpplib.protocol import BindTransceiverResp, DeliverSm, SmppMessage, SubmitSm, SubmitSmResp
from aiosmpplib.state import NPI, TON, PhoneNumber

from benchmarks.smpp_bind import (
    PASSWORD,
    SENDER,
    SYSTEM_ID,
    TEXT,
    ClientRun,
    Span,
    carrier_down,
    check_pairs,
    destination,
    far_away,
    memory,
    throughput,
)
from benchmarks.smpp_carrier import HOST
from gateway.logs import configure_logs
from smpp import vocabulary

INBOUND_CAPACITY: Final = 10_000  # receipts that smpp34 holds until they are asked for


class ConstantTimeCorrelator(AbstractCorrelator):  # type: ignore[misc]  # aiosmpplib has no types
    """Two dicts and nothing else: no expiry, no message of several parts.

    The one that comes with the library walks all that is outstanding at each call.
    """

    def __init__(self) -> None:
        self._requests: dict[int, SmppMessage] = {}
        self._submits: dict[str, SubmitSm] = {}

    def get_cumulated_status(self, ref_num: int) -> int:
        """No message has parts."""
        return 0

    async def expired(self, smpp_message: SmppMessage) -> None:
        """Nothing expires."""

    async def put(self, smpp_message: SmppMessage) -> None:
        """A request was written."""
        self._requests[smpp_message.sequence_num] = smpp_message

    async def get(self, response: SmppMessage) -> SmppMessage | None:
        """Its answer is here."""
        return self._requests.pop(response.sequence_num, None)

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None:
        """The carrier has named it."""
        self._submits[smsc_message_id] = submit_sm

    async def get_delivery(self, receipt: DeliverSm) -> SubmitSm | None:
        """Its receipt is here."""
        return self._submits.pop(str(receipt.parse_receipt().get("id", "")), None)

    async def put_delivery_segmented(self, deliver_sm: DeliverSm) -> DeliverSm | None:
        """No message has parts."""
        return deliver_sm

    async def get_segmented(
        self, smpp_seq_num: int, remove: bool = False
    ) -> tuple[SegmentStatus | None, int]:
        """No message has parts."""
        return None, 0


class PairingHook(aiosmpplib.AbstractHook):  # type: ignore[misc]  # aiosmpplib has no types
    """Frees a slot for each answer; ``log_id`` is the library's own pairing of receipts."""

    def __init__(self, messages: int, window: int) -> None:
        self.slots = asyncio.Semaphore(window)
        self.bound = asyncio.Event()
        self.done = asyncio.Event()
        self.answered: set[str] = set()
        self.reported: set[str] = set()
        self._messages = messages

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        """Nothing to do."""

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        """Answers and receipts."""
        if isinstance(smpp_message, SubmitSmResp):
            self.answered.add(smpp_message.log_id)
            self.slots.release()
        elif isinstance(smpp_message, DeliverSm):
            self.reported.add(smpp_message.log_id)
        elif isinstance(smpp_message, BindTransceiverResp):
            self.bound.set()
        if len(self.answered) == len(self.reported) == self._messages:
            self.done.set()

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        """A run with an error has no figure."""
        raise SystemExit(f"aiosmpplib could not send: {error}")


async def _aiosmpplib(run: ClientRun, correlator: AbstractCorrelator) -> dict[str, float]:
    hook = PairingHook(run.messages, run.window)
    broker = SimpleBroker(maxsize=run.window)
    esme = aiosmpplib.ESME(
        HOST, run.port, SYSTEM_ID, PASSWORD,
        hook=hook, broker=broker, correlator=correlator, log_level=logging.WARNING,
    )  # fmt: skip
    running = asyncio.ensure_future(esme.start())
    await hook.bound.wait()
    text, source = TEXT.decode(), PhoneNumber(SENDER, TON.ALPHANUMERIC, NPI.UNKNOWN)
    span = Span()
    for number in range(run.messages):
        await hook.slots.acquire()
        await broker.enqueue(
            SubmitSm(
                short_message=text,
                source=source,
                destination=PhoneNumber(destination(number), TON.INTERNATIONAL, NPI.ISDN),
                log_id=str(number),
            )
        )
    await hook.done.wait()
    figures = span.figures()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    check_pairs(run.messages, hook.answered, hook.reported)
    return figures


async def aiosmpplib_default(run: ClientRun) -> dict[str, float]:
    """With the correlator it comes with."""
    return await _aiosmpplib(run, SimpleCorrelator("bench"))


async def aiosmpplib_constant_time(run: ClientRun) -> dict[str, float]:
    """With ours in its place."""
    return await _aiosmpplib(run, ConstantTimeCorrelator())


async def use_smpplib(run: ClientRun) -> dict[str, float]:
    """Blocking, one thread: fill the window, then read one PDU at a time."""
    answered: set[str] = set()
    reported: set[str] = set()
    client = smpplib.client.Client(HOST, run.port, timeout=30, allow_unknown_opt_params=True)
    client.set_message_sent_handler(lambda pdu: answered.add(_identifier(pdu.message_id)))
    client.set_message_received_handler(
        lambda pdu: reported.add(_identifier(pdu.receipted_message_id))
    )
    client.connect()
    client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD)
    span = Span()
    sent = 0
    while len(reported) < run.messages or len(answered) < run.messages:
        while sent < run.messages and sent - len(answered) < run.window:
            client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr=SENDER,
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                destination_addr=destination(sent),
                short_message=TEXT,
                registered_delivery=True,
            )
            sent += 1
        client.read_once()
    figures = span.figures()
    client.unbind()
    client.disconnect()
    check_pairs(run.messages, answered, reported)
    return figures


def _identifier(octets: bytes | None) -> str:
    return (octets or b"").rstrip(b"\0").decode()


async def use_smpp34(run: ClientRun) -> dict[str, float]:
    """Compiled. It has a coroutine for each slot of the window, and one that takes the receipts.

    A slot is freed by the receipt, not by the answer. When receipts come faster than they are
    taken, smpp34 1.5.0 refuses them with a wrong deliver_sm_resp, and the session is lost. That PDU
    has 17 octets, and a command_length of 16.
    """
    client = smpp34.Client(
        HOST, run.port, SYSTEM_ID, PASSWORD,
        window_size=run.window, inbound_capacity=INBOUND_CAPACITY,
    )  # fmt: skip
    carrier = await client.connect()
    answered: set[str] = set()
    reported: set[str] = set()
    numbers = iter(range(run.messages))
    slots = asyncio.Semaphore(run.window)

    async def submit() -> None:
        for number in numbers:
            await slots.acquire()
            response = await carrier.submit_sm(
                destination(number),
                TEXT,
                source_addr=SENDER,
                source_addr_ton=vocabulary.TON_ALPHANUMERIC,
                dest_addr_ton=vocabulary.TON_INTERNATIONAL,
                dest_addr_npi=vocabulary.NPI_ISDN,
                registered_delivery=1,
            )
            answered.add(response.message_id or "")

    async def receive() -> None:
        while len(reported) < run.messages:
            event = await carrier.next()
            if isinstance(event, smpp34.Disconnected):
                raise SystemExit("smpp34 lost its session")
            for tlv in event.tlvs:
                if tlv.tag == vocabulary.TLV_RECEIPTED_MESSAGE_ID:
                    reported.add(_identifier(tlv.value))
                    slots.release()

    span = Span()
    await asyncio.gather(receive(), *(submit() for _ in range(run.window)))
    figures = span.figures()
    await client.stop()
    check_pairs(run.messages, answered, reported)
    return figures


RUNS: Final[Mapping[str, Callable[[ClientRun], Awaitable[Mapping[str, object]]]]] = (
    MappingProxyType(
        {
            "ours": throughput,
            "aiosmpplib": aiosmpplib_default,
            "aiosmpplib_constant_time_correlator": aiosmpplib_constant_time,
            "smpplib": use_smpplib,
            "smpp34": use_smpp34,
            "far_away": far_away,
            "memory": memory,
            "carrier_down": carrier_down,
        }
    )
)


async def _run(run: ClientRun) -> Mapping[str, object]:
    return await RUNS[run.name](run)


if __name__ == "__main__":
    configure_logs()
    figures = uvloop.run(_run(msgspec.json.decode(sys.argv[1], type=ClientRun)))
    print(json.dumps(figures), flush=True)
