"""Owns the listener and the handler that tests put on either end of a session.

They note what they are told, and wake whoever waits for it. No test sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

import msgspec
import uvloop

from smpp.bind_settings import BindSettings
from smpp.client import Bind
from smpp.events import Delivery, MessageRequest, QueryResponse, SubmitResponse
from smpp.pdu import BindRequest, BindResp, SubmitSm, SubmitSmResp, decode, encode
from smpp.server import ServerSession, ServerSettings, SmppServer
from smpp.vocabulary import RESPONSE_BIT

T = TypeVar("T")

WAIT_SECONDS = 60.0  # a condition that takes longer never comes
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run_on(loop_name: str, main: Callable[[], Awaitable[T]]) -> T:
    """Run a test's coroutine on the named kind of event loop."""

    async def awaited() -> T:
        return await main()

    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        return runner.run(awaited())


async def eventually(condition: Callable[[], bool]) -> None:
    """For what has no callback: look again after every turn of the loop."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0)  # nothing signals what is looked at here


class Watched:
    """``changed`` after every callback; ``until`` waits for a condition on what was noted."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Listener(Watched):
    """The gateway's end: notes everything, acknowledges deliveries unless told not to."""

    def __init__(self, *, acknowledge: int | None = 0) -> None:
        super().__init__()
        self.acknowledge_with = acknowledge
        self.bound_times = 0
        self.unbounds: list[tuple[str, list[object]]] = []
        self.answers: list[SubmitResponse] = []
        self.expirations: list[object] = []
        self.query_answers: list[QueryResponse] = []
        self.received: list[Delivery] = []
        self.sizes: list[int] = []
        self.writable_times = 0

    def bound(self, bind: Bind) -> None:
        self.bound_times += 1
        self.changed()

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        self.unbounds.append((reason, in_flight))
        self.changed()

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        self.answers += responses
        self.sizes.append(len(responses))
        self.changed()

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        self.expirations += contexts
        self.changed()

    def late(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        pass

    def queried(self, bind: Bind, responses: list[QueryResponse]) -> None:
        self.query_answers += responses
        self.changed()

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        self.received += deliveries
        self.sizes.append(len(deliveries))
        if self.acknowledge_with is not None:
            bind.acknowledge(deliveries, self.acknowledge_with)
        self.changed()

    def writable(self, bind: Bind) -> None:
        self.writable_times += 1
        self.changed()


class Handler(Watched):
    """The carrier's end: lets in as ``verdicts`` say (then everyone), and answers if so told."""

    def __init__(self, *, answering: bool = True, verdicts: Iterator[int] | None = None) -> None:
        super().__init__()
        self.answering = answering
        self.verdicts = verdicts if verdicts is not None else iter(())
        self.binds: list[BindRequest] = []
        self.session: ServerSession | None = None
        self.received: list[MessageRequest] = []
        self.answers: list[SubmitResponse] = []
        self.expirations: list[object] = []
        self.closings: list[tuple[str, list[object]]] = []

    def authenticate(self, request: BindRequest) -> int:
        self.binds.append(request)
        self.changed()
        return next(self.verdicts, 0)

    def bound(self, session: ServerSession) -> None:
        self.session = session
        self.changed()

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        self.received += submits
        if self.answering:
            self.answer(session, submits)
        self.changed()

    def answer(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        session.answer(
            [SubmitSmResp(pdu.sequence_number, 0, b"%d" % pdu.sequence_number) for pdu in submits]
        )

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        self.answers += responses
        self.changed()

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None:
        self.expirations += contexts
        self.changed()

    def writable(self, session: ServerSession) -> None:
        self.changed()

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        self.closings.append((reason, in_flight))
        self.session = None
        self.changed()


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, settings: ServerSettings | None = None, port: int = 0
) -> AsyncIterator[SmppServer]:
    server = SmppServer(handler, "127.0.0.1", port, settings)
    await server.start()
    try:
        yield server
    finally:
        server.abort_sessions("the test is over")
        await server.stop()


@contextlib.asynccontextmanager
async def binding(
    port: int,
    listener: Listener,
    options: Mapping[str, object] | None = None,
    *,
    wait_bound: bool = True,
) -> AsyncIterator[Bind]:
    """A started bind with waits short enough for a test."""
    defaults: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "shop",
        "password": "secret",
        "reconnect_seconds_min": 0.005,
        "reconnect_seconds_max": 0.02,
        "bind_attempts_per_minute_max": 1000,
        "unbind_timeout_seconds": 1.0,
    }
    settings = msgspec.convert(defaults | dict(options or {}), BindSettings)
    bind = Bind("carrier", settings, listener)
    bind.start()
    try:
        if wait_bound:
            await listener.until(lambda: listener.bound_times > 0)
        yield bind
    finally:
        await bind.stop(0.0)


def submits(count: int, text: bytes = b"hello") -> list[tuple[SubmitSm, object]]:
    """``count`` submits with the contexts 0, 1, 2 …"""
    return [
        (SubmitSm(0, destination_addr=b"8613800000000", short_message=text), number)
        for number in range(count)
    ]


class RawCarrier:
    """A carrier in a thread of its own, so that it goes on while the test's loop stands still.

    Accepts one connection, answers its bind, then runs ``script(connection, reader)``. ``early`` is
    what it says before its answer to the bind.
    """

    def __init__(
        self,
        script: Callable[[socket.socket, PduReader], None],
        tls: ssl.SSLContext | None = None,
        early: bytes = b"",
    ) -> None:
        self._script = script
        self._early = early
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RawCarrier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(WAIT_SECONDS)

    def _accept(self) -> socket.socket:
        connection = self._listener.accept()[0]
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_side=True)

    def _run(self) -> None:
        with contextlib.suppress(OSError), self._accept() as connection:
            connection.settimeout(WAIT_SECONDS)
            reader = PduReader(connection)
            request = reader.next()
            assert isinstance(request, BindRequest)
            response = BindResp(request.command_id | RESPONSE_BIT, request.sequence_number)
            connection.sendall(self._early + encode(response))
            self._script(connection, reader)


class PduReader:
    """Blocking reads of one PDU at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def next(self) -> object:
        head = self._exactly(4)
        return decode(head + self._exactly(int.from_bytes(head, "big") - 4))

    def _exactly(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size:
            chunk = self._connection.recv(size - len(octets))
            if not chunk:
                raise OSError("closed by the peer")
            octets += chunk
        return octets
