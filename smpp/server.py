"""Owns the SMSC's side of the socket: listens, takes binds, answers enquire_link and unbind.

Must not decide who may bind or what becomes of a message: the handler does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from smpp.events import Batch, MessageRequest, SessionCounters, SubmitResponse
from smpp.pdu import BindRequest, DataSm, DeliverSm, MessageResponse
from smpp.session_machine import SessionMachine
from smpp.session_protocol import SessionProtocol, Wire
from smpp.session_states import Role, State
from smpp.session_timers import TimerSettings
from smpp.tls import TlsServerSettings, server_context


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """``window`` counts deliver_sm without an answer, per session."""

    system_id: str = "smsgate"
    sessions_max: int = 1000
    window: int = 500
    timers: TimerSettings = field(
        default_factory=lambda: TimerSettings(enquire_link_seconds=60.0, response_seconds=30.0)
    )
    tls: TlsServerSettings | None = None  # None: plain TCP


class ServerHandler(Protocol):
    """Who the server works for. Every callback is one batch and comes from the event loop."""

    def authenticate(self, request: BindRequest) -> int:
        """The command_status for a bind: 0 lets it in."""

    def bound(self, session: ServerSession) -> None:
        """A new session; ``session.system_id`` and ``session.receives`` say whose."""

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        """submit_sm and data_sm, at most 200; answer them with ``session.answer``."""

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        """Answers to what ``session.deliver`` sent."""

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None:
        """deliver_sm that got no answer in time."""

    def writable(self, session: ServerSession) -> None:
        """``session.free_slots`` has grown."""

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """A bound session is over; ``in_flight`` are the contexts of unanswered deliver_sm."""


class ServerSession:
    """One connection to the server."""

    def __init__(self, server: SmppServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        settings = server.settings
        self._machine = SessionMachine(
            Role.SMSC,
            settings.timers,
            window=settings.window,
            now=loop.time(),
            authenticate=server.handler.authenticate,
            system_id=settings.system_id.encode("ascii"),
            counters=server.session_counters,
        )
        wire = None if server.wires is None else server.wires()
        self.protocol = SessionProtocol(self._machine, self, loop, wire=wire)
        self.system_id = ""
        self.receives = False  # bound as receiver or transceiver

    @property
    def peer(self) -> str:
        """``host:port`` of the other end."""
        return self.protocol.peer

    @property
    def free_slots(self) -> int:
        """How many deliver_sm ``deliver`` takes now."""
        return self.protocol.free_slots

    def deliver(self, batch: Sequence[tuple[DeliverSm | DataSm, object]]) -> int:
        """Write (deliver_sm or data_sm, context) pairs at once; returns how many were taken."""
        return self.protocol.submit(batch)

    def answer(self, responses: Sequence[MessageResponse]) -> None:
        """Answer submits, in one write; nothing if the session is gone."""
        self.protocol.answer(responses)

    # --- SessionOwner ----------------------------------------------------------------------------

    def session_connected(self, session: SessionProtocol) -> None:
        """Connected, with TLS after its handshake."""
        self._server.connected(self)

    def session_batch(self, session: SessionProtocol, batch: Batch) -> None:
        """One slice of a read."""
        handler = self._server.handler
        if batch.bound and (request := self._machine.peer_bind) is not None:
            self.system_id = request.system_id.decode("ascii", "replace")
            self.receives = self._machine.state is not State.BOUND_TX
            self._server.bound(self)
        if batch.responses:
            handler.delivery_responses(self, batch.responses)
        if batch.requests:
            handler.submits(self, batch.requests)
        if batch.responses:
            handler.writable(self)

    def session_expired(self, session: SessionProtocol, contexts: list[object]) -> None:
        """deliver_sm without an answer."""
        self._server.handler.delivery_expired(self, contexts)
        self._server.handler.writable(self)

    def session_writable(self, session: SessionProtocol) -> None:
        """The write buffer has room again."""
        self._server.handler.writable(self)

    def session_closed(
        self, session: SessionProtocol, reason: str, in_flight: list[object]
    ) -> None:
        """The connection is gone."""
        self._server.closed(self, reason, in_flight)


class SmppServer:
    """Listens on one address; at most ``sessions_max`` connections at a time. ``wires`` makes what
    stands between each session and its socket.
    """

    def __init__(
        self,
        handler: ServerHandler,
        host: str,
        port: int,
        settings: ServerSettings | None = None,
        wires: Callable[[], Wire] | None = None,
    ) -> None:
        self.handler = handler
        self.wires = wires
        self.settings = settings if settings is not None else ServerSettings()
        self.host = host
        self.port = port  # the real one after start()
        self.session_counters = SessionCounters()
        self.connections_refused = 0
        self._sessions: set[ServerSession] = set()
        self._bound: set[ServerSession] = set()
        self._server: asyncio.Server | None = None
        self._all_gone = asyncio.Event()
        self._all_gone.set()
        self._log = structlog.get_logger("smpp.server")

    @property
    def sessions(self) -> frozenset[ServerSession]:
        """The bound sessions."""
        return frozenset(self._bound)

    async def start(self) -> None:
        """Listen; port 0 takes a free one, see ``port``. OSError if the address is taken, TlsError
        if a file of ``settings.tls`` is wrong."""
        loop = asyncio.get_running_loop()
        tls = self.settings.tls
        self._server = await loop.create_server(
            lambda: self._connection(loop),
            self.host,
            self.port,
            ssl=None if tls is None else server_context(tls),
            ssl_handshake_timeout=None if tls is None else self.settings.timers.bind_seconds,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, drain_seconds: float = 0.0) -> None:
        """Close the port, unbind every session after its drain, cut what is left."""
        if self._server is None:
            return
        self._server.close()
        for session in list(self._sessions):
            session.protocol.start_unbind(drain_seconds)
        try:
            async with asyncio.timeout(drain_seconds + self.settings.timers.unbind_seconds):
                await self._all_gone.wait()
        except TimeoutError:
            for session in list(self._sessions):
                session.protocol.abort("the server stops")
            await self._all_gone.wait()
        self._server = None

    def abort_sessions(self, reason: str) -> None:
        """Cut every connection without an unbind, as a crash would."""
        for session in list(self._sessions):
            session.protocol.abort(reason)

    # --- what sessions report --------------------------------------------------------------------

    def _connection(self, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        if len(self._sessions) >= self.settings.sessions_max:
            self.connections_refused += 1
            self._log.warning("connection_refused", sessions_max=self.settings.sessions_max)
            return RefusedConnection()
        return ServerSession(self, loop).protocol

    def connected(self, session: ServerSession) -> None:
        """Counted from here: nobody hears of a connection whose TLS handshake fails."""
        self._sessions.add(session)
        self._all_gone.clear()
        if len(self._sessions) > self.settings.sessions_max:
            self.connections_refused += 1
            session.protocol.abort("too many connections")

    def bound(self, session: ServerSession) -> None:
        """A session's bind was accepted."""
        self._bound.add(session)
        self._log.info("session_up", peer=session.peer, system_id=session.system_id)
        self.handler.bound(session)

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """A session's connection is gone."""
        self._sessions.discard(session)
        self._log.info(
            "session_down", peer=session.peer, system_id=session.system_id, reason=reason
        )
        if session in self._bound:
            self._bound.discard(session)
            self.handler.closed(session, reason, in_flight)
        if not self._sessions:
            self._all_gone.set()


class RefusedConnection(asyncio.Protocol):
    """Beyond ``sessions_max`` a connection is closed without a word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
