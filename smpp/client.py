"""Owns one bind to a carrier: connects, binds, and does so again when the session is lost.

Must not decide what is sent or what an answer means: the listener does. The protocol is
session_machine's, the socket session_protocol's; here are the reconnect policy and the counters.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final, Protocol

import structlog

from smpp import vocabulary
from smpp.backoff import AttemptLimit, Backoff
from smpp.bind_settings import BindSettings
from smpp.events import (
    Batch,
    BindCounters,
    Delivery,
    QueryResponse,
    SessionCounters,
    SubmitResponse,
)
from smpp.pdu import QuerySm, SubmitSm
from smpp.queries import Asked, apart, is_query
from smpp.refusals import response_to
from smpp.session_machine import SessionMachine
from smpp.session_protocol import SessionProtocol
from smpp.session_states import Role, State
from smpp.tls import client_context, explain, was_begun

# Nobody corrects a password within seconds, and carriers lock accounts that keep on guessing.
CREDENTIALS_WAIT_SECONDS: Final = 60.0
STABLE_SECONDS: Final = 10.0  # a session that held this long starts the backoff afresh
WRONG_CREDENTIALS: Final = frozenset({vocabulary.ESME_RINVPASWD, vocabulary.ESME_RINVSYSID})


class BindState(Enum):
    """Where a bind is; WAITING lies between two attempts."""

    STOPPED = auto()
    CONNECTING = auto()
    BOUND = auto()
    UNBINDING = auto()
    WAITING = auto()


class BindListener(Protocol):
    """Who uses a bind. Every callback is one batch and comes from the event loop."""

    def bound(self, bind: Bind) -> None:
        """Up: ``free_slots`` is the window."""

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        """Down: the contexts that were written and not answered, handed over whole (E33)."""

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Answers to what was submitted, at most 200."""

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        """No answer within the response timeout, after all that was received was read (E31)."""

    def late(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Answers to what ``expired`` had told of, in the same session."""

    def queried(self, bind: Bind, responses: list[QueryResponse]) -> None:
        """What came of ``bind.query``, or did not in time. Those in flight at ``unbound`` are lost
        without a word.
        """

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        """deliver_sm and data_sm, at most 200; each waits for ``bind.acknowledge``."""

    def writable(self, bind: Bind) -> None:
        """``free_slots`` has grown."""


class Bind:
    """One session at a time to one carrier, for as long as it is started.

    What can never be bound with is an error when it is made: TlsError for a wrong file, those of
    ``BindSettings.bind_request`` for the rest.
    """

    def __init__(self, name: str, settings: BindSettings, listener: BindListener) -> None:
        settings.bind_request()
        self._tls = None if settings.tls is None else client_context(settings.tls)
        self.name = name
        self.settings = settings
        self.last_error: str | None = None
        self.counters = BindCounters()
        self.session_counters = SessionCounters()
        self._listener = listener
        self._state = BindState.STOPPED
        self._attempt: SessionProtocol | None = None  # the newest, connected or not
        self._connection: SessionProtocol | None = None  # the same, from connect to close
        self._session: SessionProtocol | None = None  # the same, while it is bound
        self._session_token = 0
        self._bound_at: float | None = None
        self._bind_status: int | None = None
        self._ended = asyncio.Event()  # the current session is over
        self._stop_wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff(settings.reconnect_seconds_min, settings.reconnect_seconds_max)
        self._attempts = AttemptLimit(settings.bind_attempts_per_minute_max)
        self._log = structlog.get_logger("smpp.client").bind(bind=name)

    # --- what the listener calls -----------------------------------------------------------------

    @property
    def state(self) -> BindState:
        """UNBINDING as soon as either side wants to end the session."""
        session = self._session
        if session is not None and session.machine.state is State.UNBINDING:
            return BindState.UNBINDING
        return self._state

    @property
    def free_slots(self) -> int:
        """How many submit_sm ``submit`` takes now; 0 when not bound or write-blocked (E45)."""
        return 0 if self._session is None else self._session.free_slots

    @property
    def in_flight(self) -> int:
        """submit_sm and query_sm written and not answered."""
        return 0 if self._session is None else len(self._session.machine.window)

    def submit(self, batch: Sequence[tuple[SubmitSm, object]]) -> int:
        """Write (submit_sm, context) pairs, in order, in one write; returns how many were taken.

        Assigns the sequence numbers. ValueError, with nothing taken, for a PDU of the caller's that
        cannot be encoded; nothing that the peer does raises.
        """
        if self._session is None:
            return 0
        taken = self._session.submit(batch)
        self.counters.submitted += taken
        return taken

    def query(self, batch: Sequence[tuple[QuerySm, object]]) -> int:
        """As ``submit``, for (query_sm, context) pairs: they share the window."""
        if self._session is None:
            return 0
        return self._session.submit([(pdu, Asked(context)) for pdu, context in batch])

    def acknowledge(self, deliveries: Sequence[Delivery], command_status: int = 0) -> None:
        """Answer deliveries in one write; those of a session that is gone are ignored."""
        token = self._session_token
        answers = [
            response_to(delivery.pdu, command_status)
            for delivery in deliveries
            if delivery.session_token == token
        ]
        if self._session is not None and answers:
            self.counters.acknowledged += len(answers)
            self._session.answer(answers)

    def set_window(self, window: int) -> None:
        """Allow so many unanswered submit_sm from now on, in this session too."""
        self.settings = replace(self.settings, window=window)
        if self._session is not None:
            self._session.machine.window.capacity = window

    def pause_reading(self) -> None:
        """Back-pressure: leave what comes in the socket. Ends with the session."""
        if self._session is not None:
            self._session.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._session is not None:
            self._session.resume_reading()

    def start(self) -> None:
        """Begin to connect; returns at once. Starting twice is starting once."""
        if self._task is None:
            self._stop_wanted.clear()
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self.name)

    async def stop(self, drain_seconds: float) -> None:
        """Finish the window for at most ``drain_seconds``, unbind, close."""
        task = self._task
        if task is None:
            return
        self._stop_wanted.set()
        session = self._session
        if session is not None:
            session.start_unbind(drain_seconds)
            limit = drain_seconds + self.settings.unbind_timeout_seconds
            try:
                async with asyncio.timeout(limit):
                    await self._ended.wait()
            except TimeoutError:
                session.abort(f"unbind did not end in {limit:g} s")
        elif self._connection is not None:
            self._connection.abort("stopped before the bind")
        elif self._state is BindState.CONNECTING:
            self._attempt = None
            task.cancel()
        await asyncio.wait([task])
        self._task = None
        self._state = BindState.STOPPED

    def renew(self, drain_seconds: float, why: str) -> None:
        """End this session in good order and bind anew: the carrier has said that it is of no use.

        Answers in flight get at most ``drain_seconds``. ``unbound`` follows.
        """
        if self._session is not None and self._session.machine.bound:
            self._log.warning("bind_renewed", reason=why)
            self._session.start_unbind(drain_seconds)

    # --- the reconnect loop: one task a bind -----------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stop_wanted.is_set():
            wait = self._attempts.wait(loop.time())
            if wait == 0:
                await self._one_session(loop)
                if self._stop_wanted.is_set():
                    return
                wait = self._next_wait(loop.time())
            self._state = BindState.WAITING
            self._log.info("bind_waits", seconds=round(wait, 1), last_error=self.last_error)
            try:
                async with asyncio.timeout(wait):
                    await self._stop_wanted.wait()
            except TimeoutError:
                continue

    async def _one_session(self, loop: asyncio.AbstractEventLoop) -> None:
        settings = self.settings
        self._state = BindState.CONNECTING
        self.counters.attempts += 1
        self._bound_at = self._bind_status = self._connection = None
        self._ended.clear()
        try:
            async with asyncio.timeout(settings.bind_timeout_seconds):
                await loop.create_connection(
                    lambda: self._new_session(loop),
                    settings.host,
                    settings.port,
                    ssl=self._tls,
                    server_hostname=self._server_name(),
                )
        except (OSError, TimeoutError) as error:
            if self._tls is not None and was_begun(error):
                self._attempts.record(loop.time())
            awaited = "connection" if self._tls is None else "TLS handshake"
            nothing = f"no {awaited} in {settings.bind_timeout_seconds:g} s"
            why = explain(error) or str(error) or nothing
            self.last_error = f"cannot connect to {settings.host}:{settings.port}: {why}"
            return
        await self._ended.wait()

    def _new_session(self, loop: asyncio.AbstractEventLoop) -> SessionProtocol:
        machine = SessionMachine(
            Role.ESME,
            self.settings.timers(),
            window=self.settings.window,
            now=loop.time(),
            counters=self.session_counters,
        )
        bind = self.settings.bind_request()
        self._attempt = SessionProtocol(machine, self, loop, bind=bind)
        return self._attempt

    def _server_name(self) -> str | None:
        tls = self.settings.tls
        return None if tls is None else tls.server_name or self.settings.host

    def _next_wait(self, now: float) -> float:
        """Seconds until the next attempt, and ``last_error`` where only a person can help."""
        if self._bound_at is not None and now - self._bound_at >= STABLE_SECONDS:
            self._backoff.reset()
        wait = self._backoff.next_wait(random.random())
        status = self._bind_status
        if status in WRONG_CREDENTIALS:
            wait = max(wait, CREDENTIALS_WAIT_SECONDS)
            self.last_error = (
                f"bind refused: {vocabulary.status_name(status)}: system_id or password is wrong "
                f"for {self.settings.system_id!r}; the next attempt is in {wait:.0f} s"
            )
        elif status == vocabulary.ESME_RALYBND:
            self.last_error = (
                "bind refused: ESME_RALYBND: the carrier still holds an earlier session of "
                f"{self.settings.system_id!r}, or allows fewer binds; trying again"
            )
        return wait

    # --- SessionOwner ----------------------------------------------------------------------------

    def session_connected(self, session: SessionProtocol) -> None:
        """Connected, with TLS after its handshake. Only what reached the carrier counts there as an
        attempt to bind; a port that is closed follows the backoff alone (E54).
        """
        self._attempts.record(asyncio.get_running_loop().time())
        if session is self._attempt:
            self._connection = session
        else:
            session.abort("stopped before the bind")

    def session_batch(self, session: SessionProtocol, batch: Batch) -> None:
        """One slice: bound, then answers, then deliveries."""
        if batch.bound:
            self._bound(session)
        if batch.responses:
            self.counters.answered += len(batch.responses)
            self._listener.responses(self, batch.responses)
        if batch.late:
            self._listener.late(self, [each for each in batch.late if not is_query(each.context)])
        if batch.queried:
            self._listener.queried(self, batch.queried)
        if batch.requests:
            self.counters.deliveries += len(batch.requests)
            token = self._session_token
            self._listener.deliveries(self, [Delivery(pdu, token) for pdu in batch.requests])
        if batch.responses or batch.queried:
            self._listener.writable(self)

    def _bound(self, session: SessionProtocol) -> None:
        self._session = session
        self._session_token += 1
        self._state = BindState.BOUND
        self._bound_at = asyncio.get_running_loop().time()
        self.last_error = None
        self.counters.sessions += 1
        self._log.info("bind_up", peer=session.peer, bind_type=self.settings.bind)
        self._listener.bound(self)

    def session_expired(self, session: SessionProtocol, contexts: list[object]) -> None:
        """Requests that got no answer in time."""
        contexts, queries = apart(contexts)
        if contexts:
            self.counters.expired += len(contexts)
            self._listener.expired(self, contexts)
        if queries:
            self._listener.queried(self, queries)
        self._listener.writable(self)

    def session_writable(self, session: SessionProtocol) -> None:
        """The write buffer has room again."""
        if session is self._session:
            self._listener.writable(self)

    def session_closed(
        self, session: SessionProtocol, reason: str, in_flight: list[object]
    ) -> None:
        """The end of a session, or of an attempt to have one."""
        if session is not self._connection:
            return  # an attempt that stop() cancelled; a later start() has nothing to do with it
        self._connection = None
        in_flight, _ = apart(in_flight)
        self._bind_status = session.machine.bind_status
        self.last_error = reason
        self.counters.in_flight_lost += len(in_flight)
        was_bound = self._session is session
        self._session = None
        self._ended.set()
        self._log.info("bind_down", peer=session.peer, reason=reason, in_flight=len(in_flight))
        if was_bound:
            self._listener.unbound(self, reason, in_flight)
