"""One client's connection: single messages go the short way, everything else to aiohttp.

Owns whose turn it is on the connection, what waits until it is answered, and when an idle one is
closed. Must not know what a request means: `ShortWay` does, and aiohttp's handler.

A connection is FREE, or one request of it is being answered, by us (OURS) or by aiohttp (THEIRS);
what comes meanwhile is held back. Aiohttp gets such a request whole and nothing with it. Where that
cannot be told the connection is LEFT to aiohttp for good: no byte is read twice, or in two ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol, cast

from aiohttp import web

from gateway.web.request_head import RequestHead, RequestHeads

HELD_BYTES_MAX = 64 << 10  # of the requests behind the one being answered; then reading pauses
BODY_SECONDS = 1.0  # a body that takes longer to come is aiohttp's to wait for
IDLE_SECONDS = 3630.0  # as aiohttp's: longer than a proxy keeps its connections


class Turn(Enum):
    """Whose the connection is."""

    FREE = auto()
    OURS = auto()
    THEIRS = auto()
    LEFT = auto()
    LOST = auto()


class ShortWay(Protocol):
    """The short way for some requests."""

    heads: RequestHeads
    monotonic: Callable[[], float]

    def suits(self, head: RequestHead) -> bool:
        """Whether it might take such a request, once its body is there."""

    def take(self, connection: Connection, head: RequestHead, body: bytes) -> bool:
        """Take the request: `connection.answer` is called once, not before this has returned.
        False: it is not for us.
        """


class Connection(asyncio.Protocol):
    """Between the transport and aiohttp's handler of this connection."""

    __slots__ = (
        "__weakref__", "_choked", "_handler", "_held", "_last", "_loop", "_patience", "_paused",
        "_short_way", "_transport", "_turn",
    )  # fmt: skip

    def __init__(
        self, handler: web.RequestHandler, short_way: ShortWay, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._handler = handler
        self._short_way = short_way
        self._loop = loop
        self._held = b""
        self._choked = False  # the client does not read its answers
        self._paused = False  # we do not read its requests
        self._patience: asyncio.TimerHandle | None = None
        self._last = short_way.monotonic()
        self._turn = Turn.FREE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Both of us have it from the start."""
        self._transport = cast("asyncio.Transport", transport)
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being stored is stored all the same; nobody hears of it."""
        self._turn = Turn.LOST
        self._held = b""
        self._stop_waiting()
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the client's."""
        turn = self._turn
        if turn is Turn.FREE:
            self._begin(self._held + data if self._held else data)
        elif turn is Turn.LEFT:
            self._last = self._short_way.monotonic()
            self._handler.data_received(data)
        else:
            self._held += data
            if len(self._held) > HELD_BYTES_MAX:
                self._pause()

    def eof_received(self) -> None:
        """Nothing more will come; the transport closes itself."""
        self._stop_waiting()
        self._handler.eof_received()

    def pause_writing(self) -> None:
        """Who does not read his answers is not asked for more requests."""
        self._choked = True
        if self._turn is not Turn.LEFT:
            self._pause()
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """He reads again."""
        self._choked = False
        self._handler.resume_writing()
        if self._turn is Turn.FREE:
            self._next()

    def answer(self, data: bytes) -> None:
        """The answer to the request that was taken, and on to the next one."""
        if self._turn is not Turn.OURS:
            return  # lost
        self._transport.write(data)
        self._next()

    def abandon(self) -> None:
        """The request that was taken gets no answer; as aiohttp, we close."""
        if self._turn is Turn.OURS:
            self._transport.close()

    def answered(self, _task: asyncio.Future[None]) -> None:
        """Aiohttp's task for the one request it was given is done: its answer is written."""
        if self._turn is Turn.THEIRS:
            self._next()

    def close_if_idle(self, now: float) -> None:
        """Aiohttp's own timer knows nothing of the requests it does not see, and is off. It answers
        none as late as that.
        """
        if self._turn in (Turn.FREE, Turn.LEFT) and now - self._last > IDLE_SECONDS:
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

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _begin(self, data: bytes) -> None:
        if self._transport.is_closing():
            return  # it cannot be answered, and aiohttp stumbles over requests that come so late
        self._last = self._short_way.monotonic()
        found = self._short_way.heads.read(data)
        if found is None:
            self._leave(data)
            return
        head, start = found
        end = start + head.body_bytes
        suits = self._short_way.suits(head)
        if len(data) < end and suits:
            self._held = data
            if self._patience is None:
                self._patience = self._loop.call_later(BODY_SECONDS, self._leave_held)
            return
        self._stop_waiting()
        if len(data) < end or (len(data) > end and not suits):
            self._leave(data)
            return
        self._held = b""
        if suits and self._short_way.take(self, head, data[start:end]):
            self._turn = Turn.OURS
            self._held = data[end:]
            self._handler.keep_alive(True)
        elif len(data) == end:
            self._turn = Turn.THEIRS
            self._handler.data_received(data)
        else:
            self._leave(data)

    def _leave_held(self) -> None:
        self._patience = None
        self._leave(self._held)

    def _leave(self, data: bytes) -> None:
        """To aiohttp, from now on."""
        self._stop_waiting()
        self._held = b""
        self._turn = Turn.LEFT
        self._read_on()
        self._handler.data_received(data)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
