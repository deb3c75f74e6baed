"""Owns the asyncio side of one session: its transport, its one timer, its slices. Both ends use it.

Must not decide anything about SMPP: session_machine does. No task, lock or log line per message.
What one call produces is one ``transport.write``.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast

from smpp.events import Batch, Request
from smpp.pdu import BindRequest, MessageResponse
from smpp.session_machine import PDUS_PER_SLICE, SessionMachine
from smpp.tls import explain

# Above the high mark nothing new is submitted (free_slots is 0) until the buffer fell to the low
# one. Answers still go out, up to the maximum. To stop reading instead could lock both ends, each
# waiting for the other to read. A peer that takes nothing for that long is cut off (E45, E51).
WRITE_BUFFER_BYTES_HIGH: Final = 256 * 1024
WRITE_BUFFER_BYTES_LOW: Final = 64 * 1024
WRITE_BUFFER_BYTES_MAX: Final = 4 * 1024 * 1024
# What a loop's TLS layer may hold that it took from the socket and has not given us. asyncio and
# uvloop stop reading at 512 KiB, and one read of at most 256 KiB may come on top.
TLS_HELD_BYTES_MAX: Final = 1024 * 1024
TLS_QUIET_TURNS: Final = 3  # turns of the loop within which a TLS layer passes on what it holds
# A TLS 1.3 server refuses a client's certificate after the client's handshake is over, and some
# close without the alert that would say so.
NOTHING_AFTER_TLS: Final = " (nothing came after the TLS handshake: is our certificate refused?)"
LATE_SECONDS: Final = 0.1  # a timer this late means that the loop was held up
FLUSH_SECONDS_MAX: Final = 5.0  # a graceful close that the peer does not read is cut after this


class SessionOwner(Protocol):
    """Who uses a session. Callbacks come from the event loop and must be short."""

    def session_connected(self, session: SessionProtocol) -> None:
        """The first callback, before anything is written; with TLS after the handshake."""

    def session_batch(self, session: SessionProtocol, batch: Batch) -> None:
        """At most one slice of what a read brought; answers before requests."""

    def session_expired(self, session: SessionProtocol, contexts: list[object]) -> None:
        """Requests without an answer, after all that lay in the socket was read (E31)."""

    def session_writable(self, session: SessionProtocol) -> None:
        """The write buffer has room again."""

    def session_closed(
        self, session: SessionProtocol, reason: str, in_flight: list[object]
    ) -> None:
        """The last callback; ``in_flight`` is the whole window (E33)."""


class Wire(Protocol):
    """Stands between a session and its transport: to note what passes, or to spoil it on purpose
    as the simulator does.
    """

    def received(self, data: bytes) -> bytes:
        """What the session is to see of a read; nothing for a peer that is to be ignored."""

    def sending(self, data: bytearray) -> Iterable[bytes | bytearray]:
        """What is to be written for whole PDUs, one ``transport.write`` each."""

    def closed(self) -> None:
        """The connection is gone."""


class SessionProtocol(asyncio.Protocol):
    """Feeds a SessionMachine from a transport, and acts on what it says."""

    def __init__(
        self,
        machine: SessionMachine,
        owner: SessionOwner,
        loop: asyncio.AbstractEventLoop,
        *,
        bind: BindRequest | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.machine = machine
        self.wire = wire
        self.peer = "?"
        self._owner = owner
        self._loop = loop
        self._bind = bind
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_period = machine.timers.shortest()
        self._wake_at = 0.0
        self._time_given_back = False
        self._flush_limit: asyncio.TimerHandle | None = None
        self._write_blocked = False
        self._reading_paused = False  # by the owner
        self._slicing = False  # by ourselves, while one read is worked in slices
        self._bytes_received = 0
        # A due timer waits until this many bytes were received: (bytes, the time it was due at).
        self._expiry: tuple[int, float] | None = None
        self._encrypted = False
        self._awaiting_quiet = False

    # --- what the owner calls --------------------------------------------------------------------

    @property
    def free_slots(self) -> int:
        """How many requests ``submit`` takes now; 0 while the write buffer is above its mark."""
        return 0 if self._write_blocked else self.machine.free_slots

    def submit(self, batch: Sequence[tuple[Request, object]]) -> int:
        """Write as many requests as there are free slots, in one write; returns how many."""
        if self._write_blocked:
            return 0
        taken = self.machine.submit(batch, self._loop.time())
        self._flush()
        return taken

    def answer(self, responses: Sequence[MessageResponse]) -> None:
        """Write the answers to the peer's messages, in one write."""
        self.machine.answer(responses, self._loop.time())
        self._flush()

    def start_unbind(self, drain_seconds: float) -> None:
        """Drain, unbind, close; ``session_closed`` tells when it is done."""
        self.machine.start_unbind(self._loop.time(), drain_seconds)
        self._flush()
        self._arm(self.machine.deadline())

    def abort(self, reason: str) -> None:
        """Cut the connection now."""
        self.machine.abandon(reason)
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Leave what comes in the socket, until ``resume_reading``. Timers then wait, too."""
        self._reading_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again (after the slices of the last read, if there are some left)."""
        self._reading_paused = False
        if self._transport is not None and not self._slicing:
            self._transport.resume_reading()
            self._await_quiet()

    # --- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream protocol is given a stream transport; uvloop's are no asyncio.Transport by type.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else str(peer)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES_HIGH, WRITE_BUFFER_BYTES_LOW)
        self._encrypted = transport.get_extra_info("ssl_object") is not None
        self._owner.session_connected(self)
        if self._bind is not None:
            self.machine.start_bind(self._bind)
            self._bind = None  # it holds the password
            self._flush()
        self._arm(self.machine.deadline())

    def data_received(self, data: bytes) -> None:
        self._bytes_received += len(data)
        if self.wire is not None:
            data = self.wire.received(data)
        self._work(data)

    def connection_lost(self, exc: Exception | None) -> None:
        # Answers that were read are answers, whatever became of the connection afterwards.
        while self.machine.has_more:
            self._owner.session_batch(self, self.machine.receive(b"", self._loop.time()))
        for handle in (self._timer, self._flush_limit):
            if handle is not None:
                handle.cancel()
        self._transport = None
        if self.wire is not None:
            self.wire.closed()
        lost = "the peer closed the connection"
        if exc is not None:
            lost = explain(exc) or f"connection lost: {exc}"
        if self._encrypted and self._bytes_received == 0:
            lost += NOTHING_AFTER_TLS
        closing = self.machine.closing
        in_flight = self.machine.connection_lost(lost)
        self._owner.session_closed(self, closing.reason if closing else lost, in_flight)

    def pause_writing(self) -> None:
        self._write_blocked = True

    def resume_writing(self) -> None:
        self._write_blocked = False
        self._owner.session_writable(self)

    # --- slices ----------------------------------------------------------------------------------

    def _work(self, data: bytes) -> None:
        now = self._loop.time()
        worked = 0
        while True:
            batch = self.machine.receive(data, now)
            self._flush()
            if batch.responses or batch.requests or batch.bound or batch.queried or batch.late:
                self._owner.session_batch(self, batch)
            worked += batch.worked
            if worked >= PDUS_PER_SLICE or not self.machine.has_more:
                break
            data = b""
        if self.machine.has_more:
            if not self._slicing:
                self._slicing = True
                if self._transport is not None:
                    self._transport.pause_reading()
            self._loop.call_soon(self._work_on)
        elif self._expiry is not None:
            self._expire_if_read()
            self._await_quiet()

    def _work_on(self) -> None:
        if self._transport is None:
            return
        self._work(b"")
        if not self.machine.has_more:
            self._slicing = False
            if not self._reading_paused:
                self._transport.resume_reading()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        output = self.machine.take_output()
        if output:
            for piece in (output,) if self.wire is None else self.wire.sending(output):
                transport.write(piece)
            if transport.get_write_buffer_size() > WRITE_BUFFER_BYTES_MAX:
                self.abort(f"the peer left {WRITE_BUFFER_BYTES_MAX >> 20} MiB unread")
                return
        closing = self.machine.closing
        if closing is not None and not transport.is_closing():
            if closing.graceful:
                transport.close()
                self._flush_limit = self._loop.call_later(FLUSH_SECONDS_MAX, transport.abort)
            else:
                transport.abort()

    # --- time ------------------------------------------------------------------------------------

    def _arm(self, deadline: float | None) -> None:
        """Set the session's one timer. It wakes at the deadline or after the shortest timeout, if
        that is sooner.

        A deadline made in the meantime lies at least that far ahead. So none is missed, and traffic
        never has to move the timer.
        """
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None:
            return
        wake_at = self._loop.time() + self._timer_period
        if deadline is not None:
            wake_at = min(wake_at, deadline)
        self._wake_at = wake_at
        self._time_given_back = False
        self._timer = self._loop.call_at(wake_at, self._on_timer)

    def _on_timer(self) -> None:
        """Nothing expires before what lay in the socket at this moment was read and worked (E31).

        Event loops run timers before or after reads as they like, and one read may not bring all.
        So the kernel is asked how many bytes wait, and the expiry waits for exactly those. While
        the owner has paused reading it waits, too: the answer may be behind what was not read.

        A full socket buffer keeps further answers at the peer. So a loop that woke late gives the
        peer the time back that it took, once.

        Under TLS the kernel counts other bytes than we do, see ``_await_quiet``.
        """
        now = self._loop.time()
        deadline = self.machine.deadline()
        if deadline is None or deadline > now:
            self._arm(deadline)
            return
        late = now - self._wake_at
        if late > LATE_SECONDS and not self._time_given_back:
            self._time_given_back = True
            self._timer = self._loop.call_later(min(late, self._timer_period), self._on_timer)
            return
        unread = self._unread_bytes()
        if self._encrypted:
            if self._expiry is None:
                self._expiry = (self._bytes_received + unread + TLS_HELD_BYTES_MAX, now)
            self._await_quiet()
        elif self._expiry is None or unread == 0:
            self._expiry = (self._bytes_received + unread, now)
        self._expire_if_read()
        if self._expiry is not None and self._transport is not None:
            self._timer = self._loop.call_later(self._timer_period, self._on_timer)

    def _expire_if_read(self) -> None:
        if self._expiry is None or self._transport is None:
            return
        bytes_needed, due_at = self._expiry
        if self._bytes_received < bytes_needed or self.machine.has_more:
            return
        self._expiry = None
        self._time_given_back = False
        expired = self.machine.expire(due_at)
        self._flush()
        if expired:
            self._owner.session_expired(self, expired)
        self._arm(self.machine.deadline())

    def _await_quiet(self) -> None:
        """Under TLS nothing tells how many bytes are still to come.

        Those in the kernel are enciphered, and the TLS layer holds some of its own; all of them,
        while reading is paused. So an expiry waits until the kernel holds nothing, and a few turns
        of the loop brought nothing either. Where the peer never pauses, it waits for more than both
        could hold. It may be late by that, never early.
        """
        if self._encrypted and self._expiry is not None and not self._awaiting_quiet:
            self._awaiting_quiet = True
            self._loop.call_soon(self._on_turn, self._bytes_received, TLS_QUIET_TURNS)

    def _on_turn(self, bytes_received: int, turns: int) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._expiry is None:
            self._awaiting_quiet = False
        elif self._reading_paused or self._slicing:
            self._awaiting_quiet = False  # begins again with the next read, resume or timer
        elif bytes_received != self._bytes_received or self._unread_bytes() > 0:
            self._loop.call_soon(self._on_turn, self._bytes_received, TLS_QUIET_TURNS)
        elif turns > 0:
            self._loop.call_soon(self._on_turn, bytes_received, turns - 1)
        else:
            self._awaiting_quiet = False
            self._expiry = (bytes_received, self._expiry[1])
            self._expire_if_read()

    def _unread_bytes(self) -> int:
        """How many bytes the kernel holds for us (FIONREAD)."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        if sock is None:
            return 0
        try:
            answer = fcntl.ioctl(sock.fileno(), termios.FIONREAD, b"\0" * 4)
        except OSError:
            return 0  # the socket is gone; connection_lost is on its way
        return int(struct.unpack("i", answer)[0])
