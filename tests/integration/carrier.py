"""A carrier in the test's own event loop that does exactly what the test says: for answers,
silences and PDUs that no simulator profile has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gateway.rehearsal.client import PATIENCE_SECONDS
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import (
    BindRequest,
    DeliverSm,
    QuerySm,
    QuerySmResp,
    SubmitSm,
    SubmitSmResp,
    decode,
    encode,
)
from smpp.server import ServerSession, SmppServer
from smpp.tlv import Tlvs

RECEIPT = 0x04  # esm_class


@dataclass
class Submit:
    """One submit_sm as it came, and how to answer it later."""

    pdu: SubmitSm
    session: ServerSession
    message_id: str
    answered: bool = False

    @property
    def to(self) -> str:
        return self.pdu.destination_addr.decode()

    @property
    def part(self) -> int:
        """From the concatenation header; 1 without one."""
        octets = self.pdu.short_message
        return octets[5] if self.pdu.esm_class & 0x40 else 1

    def answer(self, status: int = 0) -> None:
        self.answered = True
        message_id = b"" if status else self.message_id.encode()
        self.session.answer([SubmitSmResp(self.pdu.sequence_number, status, message_id)])

    def receipt_pdu(self, state: str = "DELIVRD", *, tlvs: Tlvs = ()) -> DeliverSm:
        text = f"id:{self.message_id} sub:001 dlvrd:001 stat:{state} err:000 text:"
        return DeliverSm(0, esm_class=RECEIPT, short_message=text.encode(), tlvs=tlvs)

    def receipt(self, state: str = "DELIVRD", *, tlvs: Tlvs = ()) -> None:
        """A delivery receipt on the session the submit_sm came on."""
        self.session.deliver([(self.receipt_pdu(state, tlvs=tlvs), self)])

    def reply(self, text: str) -> None:
        """A message from the handset that got it, to its sender."""
        pdu = DeliverSm(
            0,
            source_addr=self.pdu.destination_addr,
            destination_addr=self.pdu.source_addr,
            short_message=text.encode(),
        )
        self.session.deliver([(pdu, self)])


@dataclass
class Carrier:
    """`react` is called with each submit_sm; without it nothing is answered. Each query_sm is
    answered by `state_of`, or refused without it.
    """

    react: Callable[[Submit], None] = lambda submit: None
    state_of: Callable[[QuerySm], int] | None = None
    queries: list[QuerySm] = field(default_factory=list)
    submits: list[Submit] = field(default_factory=list)
    deliveries: list[int] = field(default_factory=list)  # command_status of each deliver_sm_resp
    sessions: int = 0
    live: ServerSession | None = None
    port: int = 0
    server: SmppServer | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to become true that only the gateway's PDUs can make true."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not done():
                self.changed.clear()
                await self.changed.wait()

    async def submitted(self, number: int) -> None:
        await self.until(lambda: len(self.submits) >= number)

    async def deliver_again(self, submits: Sequence[Submit]) -> None:
        """As a carrier does with receipts that nobody acknowledged, on the next session."""
        await self.until(lambda: self.sessions > 1)
        for submit in submits:
            if submit.answered and self.live is not None:
                submit.session = self.live
                submit.receipt()

    def cut(self) -> None:
        """Cut every connection."""
        assert self.server is not None
        self.server.abort_sessions("the test cuts")

    def submits_of(self, to: str) -> list[Submit]:
        return [submit for submit in self.submits if submit.to == to.removeprefix("+")]


def deliver_and_confirm(submit: Submit) -> None:
    submit.answer()
    submit.receipt()


@contextlib.asynccontextmanager
async def carrier(react: Callable[[Submit], None] = lambda submit: None) -> AsyncIterator[Carrier]:
    found = Carrier(react)
    found.server = SmppServer(_Handler(found), "127.0.0.1", 0, wires=lambda: _QueryDesk(found))
    await found.server.start()
    found.port = found.server.port
    try:
        yield found
    finally:
        found.cut()
        await found.server.stop()


class _QueryDesk:
    """smpp's Wire: puts an answer in the place of the server's refusal of a query_sm."""

    def __init__(self, told: Carrier) -> None:
        self._told = told
        self._read = b""

    def received(self, data: bytes) -> bytes:
        self._read += data
        while len(self._read) >= 4:
            length = int.from_bytes(self._read[:4], "big")
            if len(self._read) < length:
                break
            frame, self._read = self._read[:length], self._read[length:]
            pdu = decode(frame)
            if isinstance(pdu, QuerySm):
                self._told.queries.append(pdu)
                self._told.changed.set()
        return data

    def sending(self, data: bytearray) -> Iterable[bytes]:
        """In one piece, since what the carrier answers at once must arrive at once."""
        written = b""
        while data:
            length = int.from_bytes(data[:4], "big")
            frame, data = bytes(data[:length]), data[length:]
            pdu = decode(frame)
            if isinstance(pdu, QuerySmResp) and self._told.state_of is not None:
                (query,) = [
                    each
                    for each in self._told.queries
                    if each.sequence_number == pdu.sequence_number
                ]
                pdu.command_status = 0
                pdu.message_id = query.message_id
                pdu.message_state = self._told.state_of(query)
                frame = encode(pdu)
            written += frame
        yield written

    def closed(self) -> None: ...


class _Handler:
    """smpp's ServerHandler, which tells the Carrier."""

    def __init__(self, told: Carrier) -> None:
        self._told = told

    def authenticate(self, request: BindRequest) -> int:
        return 0

    def bound(self, session: ServerSession) -> None:
        self._told.sessions += 1
        self._told.live = session
        self._told.changed.set()

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        told = self._told
        for pdu in submits:
            assert isinstance(pdu, SubmitSm)
            submit = Submit(pdu, session, f"c{len(told.submits):06d}")
            told.submits.append(submit)
            told.react(submit)
        told.changed.set()

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        self._told.deliveries += [response.command_status for response in responses]
        self._told.changed.set()

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None: ...

    def writable(self, session: ServerSession) -> None: ...

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        self._told.changed.set()
