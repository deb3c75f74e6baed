"""One client's connection: single messages take the short way, all other requests go to aiohttp.

Owns whose turn it is, and what waits until it is answered. Owns the time limits: for silence, for
half a head, and for answers that are not read. Must not know what a request means: `ShortWay` does,
and aiohttp's handler.

A connection is FREE, or one request is being answered by us (OURS) or by aiohttp (THEIRS). What
comes meanwhile is held back. Aiohttp gets such a request whole, and nothing with it.

Where that cannot be told, the connection is LEFT to aiohttp for good. So no octet is read twice, or
in two ways. A listener without a short way leaves every connection to aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol, TypeVar, cast

from aiohttp import StreamReader, web

from web.edge import request_line

HELD_BYTES_MAX = 64 << 10  # of requests behind the one being answered; beyond it reading pauses
HEAD_BYTES_MAX = 64 << 10  # of a head that aiohttp reads; its own bounds would allow megabytes
BODY_SECONDS = 1.0  # aiohttp waits for bodies that take longer to come
FIRST_SECONDS = 10.0  # until a client sends its first octet
HEAD_SECONDS = 10.0  # from the first octet of a head to its last
UNREAD_SECONDS = 30.0  # without the client reading anything of its answers


class Turn(Enum):
    """Whose turn it is on the connection."""

    FREE = auto()
    OURS = auto()
    THEIRS = auto()
    LEFT = auto()
    CLOSING = auto()
    LOST = auto()


class Head(Protocol):
    """What a short way has read of a head."""

    @property
    def body_bytes(self) -> int:
        """Octets that come behind it."""


H = TypeVar("H", bound=Head)
H_co = TypeVar("H_co", bound=Head, covariant=True)


class Heads(Protocol[H_co]):
    """Reads heads."""

    def read(self, data: bytes) -> tuple[H_co, int] | None:
        """The head that `data` begins with, and where its body begins. None: leave it to
        aiohttp.
        """


class ShortWay(Protocol[H]):
    """The short way for some requests."""

    @property
    def heads(self) -> Heads[H]:
        """What reads its heads."""

    def suits(self, head: H) -> bool:
        """Whether it may take such a request, once the body is there."""

    def take(self, connection: Connection, head: H, body: bytes) -> bool:
        """Take the request. False: it is not for this way.

        `connection.answer` is called once, and not before this has returned.
        """


class Visitor(Protocol):
    """Who has connected, as the listener sees them."""

    def look(self, now: float) -> None:
        """Close it if it has kept us waiting too long. Called once a second."""

    def end(self, reason: str) -> None:
        """Close it, counted under this reason."""


class Port(Protocol):
    """The listener, as each of its connections sees it."""

    short_way: ShortWay[Any] | None
    monotonic: Callable[[], float]
    loop: asyncio.AbstractEventLoop
    keep_alive_seconds: float

    def opened(self, connection: Visitor) -> bytes | None:
        """None: there is room for the connection. Else what it is answered before it is closed."""

    def handler(self, connection: Connection) -> web.RequestHandler:
        """Aiohttp's handler for the connection."""

    def spoke(self, connection: Visitor) -> None:
        """The client has sent its first octet."""

    def closed(self, connection: Visitor) -> None:
        """The connection is closed."""

    def count_closed(self, reason: str) -> None:
        """We close a connection, for another reason than that it was answered."""

    def early(self, code: str) -> bytes:
        """The answer to what is no request for the application."""


class Connection(asyncio.Protocol):
    """Between the transport and aiohttp's handler of this connection."""

    __slots__ = (
        "__weakref__", "_asked", "_choked", "_ended", "_handler", "_held", "_lingering",
        "_listener", "_octets", "_paused", "_short_way", "_since", "_spoke", "_transport", "_turn",
        "_unread",
    )  # fmt: skip

    def __init__(self, listener: Port) -> None:
        self._listener = listener
        self._short_way = listener.short_way
        self._held = b""
        self._choked = False  # the client does not read its answers
        self._paused = False  # we do not read its requests
        self._spoke = False  # it has sent an octet at all
        self._ended = False  # it sends no more, and may wait for answers
        self._octets = 0  # of a head that aiohttp reads
        self._unread = 0  # unread octets of our answers, when they were last seen to move
        self._asked: web.BaseRequest | None = None  # what aiohttp is answering
        self._lingering: StreamReader | None = None  # the rest of a body that was refused
        self._since = listener.monotonic()  # of the present turn
        self._turn = Turn.FREE if self._short_way is not None else Turn.LEFT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Both sides have the transport from the start, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        refusal = self._listener.opened(self)
        if refusal is not None:
            self._turn = Turn.CLOSING
            self._transport.write(refusal)
            self._transport.close()
            return
        self._handler = self._listener.handler(self)
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being stored is stored all the same. Nobody hears of it."""
        self._turn = Turn.LOST
        self._held = b""
        self._listener.closed(self)
        if hasattr(self, "_handler"):  # there was room for it
            self._handler.connection_lost(exc)
            del self._handler  # each knows the other

    def data_received(self, data: bytes) -> None:
        """Take octets of the client."""
        if not self._spoke:
            self._spoke = True
            self._listener.spoke(self)
            if self._turn is Turn.LEFT and self._refused(data):
                return
        turn = self._turn
        if turn is Turn.FREE:
            self._begin(self._held + data if self._held else data)
        elif turn is Turn.LEFT:
            self._hand_over(data)
        elif turn is Turn.OURS or turn is Turn.THEIRS:
            self._held += data
            if len(self._held) > HELD_BYTES_MAX:
                self._pause()

    def eof_received(self) -> bool:
        """The client sends no more. What was asked is answered, then we close, too."""
        self._ended = True
        if self._transport.get_extra_info("sslcontext") is not None:
            return False  # the end of TLS is that of both directions
        if self._turn is Turn.LEFT:
            # Aiohttp looks at what has just come in the next round.
            self._listener.loop.call_soon(self._close_unless_asked)
            return True
        return self._turn in (Turn.OURS, Turn.THEIRS) or self._choked

    def pause_writing(self) -> None:
        """The client does not read its answers, so we read no more requests."""
        self._choked = True
        self._since = self._listener.monotonic()
        self._unread = self._transport.get_write_buffer_size()
        if self._turn is not Turn.LEFT:
            self._pause()
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._choked = False
        self._since = self._listener.monotonic()
        self._handler.resume_writing()
        if self._turn is Turn.FREE:
            self._next()

    @property
    def remote(self) -> str:
        """The address at its other end; "" of a Unix socket."""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def answer(self, data: bytes) -> None:
        """Write the answer to the request that was taken, and go on to the next one."""
        if self._turn is not Turn.OURS:
            return  # lost
        self._transport.write(data)
        self._next()

    def abandon(self) -> None:
        """The request that was taken gets no answer. We close, as aiohttp would."""
        if self._turn is Turn.OURS:
            self._transport.close()

    def asked(self, request: web.BaseRequest) -> None:
        """Aiohttp has read a head."""
        self._asked = request
        self._lingering = None
        self._octets = 0

    def answered(self, request: web.BaseRequest) -> None:
        """Aiohttp's task for this request has ended: its answer is written."""
        if self._asked is not request:
            return  # it is at the next one already
        self._asked = None
        self._since = self._listener.monotonic()
        if self._turn is Turn.THEIRS:
            self._next()
        elif self._turn is Turn.LEFT:
            if self._ended:
                self._transport.close()
            elif not request.content.is_eof():
                self._lingering = request.content

    def look(self, now: float) -> None:
        """Close it if it has kept us waiting too long. Called once a second."""
        if self._transport.is_closing() and self._turn is not Turn.CLOSING:
            self._turn = Turn.CLOSING
            self._since = now
        if self._choked or self._turn is Turn.CLOSING:
            self._look_at_unread(now)
        elif self._turn is Turn.FREE and self._held:
            if now - self._since > BODY_SECONDS:
                self._leave(self._held)
        elif self._turn is Turn.FREE or (self._turn is Turn.LEFT and self._unasked()):
            self._look_at_idle(now)
        else:
            self._since = now  # it waits for us, not we for it

    def end(self, reason: str) -> None:
        """Close it, counted under this reason."""
        self._listener.count_closed(reason)
        self._transport.close()

    def _look_at_idle(self, now: float) -> None:
        waited = now - self._since
        if self._octets:
            if waited > HEAD_SECONDS:
                self._refuse("head_slow")
        elif not self._spoke:
            if waited > FIRST_SECONDS:
                self.end("silent")
        elif waited > self._listener.keep_alive_seconds:
            self.end("idle")

    def _look_at_unread(self, now: float) -> None:
        unread = self._transport.get_write_buffer_size()
        if unread < self._unread:
            self._since = now
        elif now - self._since > UNREAD_SECONDS:
            self._listener.count_closed("unread")
            self._transport.abort()
        self._unread = unread

    def _unasked(self) -> bool:
        """Whether aiohttp waits for a head, as far as is known here."""
        if self._lingering is not None and self._lingering.is_eof():
            self._lingering = None
        return self._asked is None and self._lingering is None

    def _hand_over(self, data: bytes) -> None:
        if self._unasked():
            if not self._octets:
                self._since = self._listener.monotonic()
            self._octets += len(data)
        self._handler.data_received(data)
        if self._octets > HEAD_BYTES_MAX:
            # The end of it may be among them. Aiohttp takes the request up in the next round,
            # before us.
            self._listener.loop.call_soon(self._refuse_large)

    def _refuse_large(self) -> None:
        if self._turn is Turn.LEFT and self._octets > HEAD_BYTES_MAX and self._unasked():
            self._refuse("head_too_large")

    def _close_unless_asked(self) -> None:
        """The client sends no more, so a request that is not whole will never be."""
        if self._turn is Turn.LEFT and (self._asked is None or not self._asked.content.is_eof()):
            self._transport.close()

    def _refused(self, data: bytes) -> bool:
        """Whether a request that begins like this is not for aiohttp."""
        code = request_line.refusal(data)
        if code is not None:
            self._refuse(code)
        return code is not None

    def _refuse(self, code: str) -> None:
        """Refuse it, while nothing is being answered."""
        self._turn = Turn.CLOSING
        self._held = b""
        self._since = self._listener.monotonic()
        self._transport.write(self._listener.early(code))
        self._transport.close()

    def _pause(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def _next(self) -> None:
        """The last request is answered, or the client reads again."""
        self._turn = Turn.FREE
        if self._choked:
            return
        held, self._held = self._held, b""
        if len(held) <= HELD_BYTES_MAX:  # else each answer would let in more than it took out
            self._read_on()
        if held:
            self._begin(held)
        if self._ended:
            if self._turn is Turn.FREE:
                self._transport.close()
            elif self._turn is Turn.LEFT:
                self._listener.loop.call_soon(self._close_unless_asked)

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _begin(self, data: bytes) -> None:
        if self._transport.is_closing():
            return  # it cannot be answered, and aiohttp stumbles over requests that come so late
        short_way = self._short_way
        assert short_way is not None  # else no turn is FREE
        if not self._held:
            self._since = self._listener.monotonic()
        found = short_way.heads.read(data)
        if found is None:
            self._leave(data)
            return
        head, start = found
        end = start + head.body_bytes
        suits = short_way.suits(head)
        if len(data) < end and suits:
            self._held = data
            return
        if len(data) < end or (len(data) > end and not suits):
            self._leave(data)
            return
        self._held = b""
        if suits and short_way.take(self, head, data[start:end]):
            self._turn = Turn.OURS
            self._held = data[end:]
            self._handler.keep_alive(True)
        elif len(data) == end:
            self._turn = Turn.THEIRS
            self._handler.data_received(data)
        else:
            self._leave(data)

    def _leave(self, data: bytes) -> None:
        """Leave the connection to aiohttp from now on."""
        self._held = b""
        if self._refused(data):
            return
        self._turn = Turn.LEFT
        self._read_on()
        self._hand_over(data)
