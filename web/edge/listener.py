"""A port that listens: its connections, and how many there may be.

Owns the bound of connections, the look at all of them once a second, and the counters. Owns how
aiohttp is told what we do in its place. Must not know what is answered to a request.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import structlog
from aiohttp import web

from web.edge.answer_fields import ALWAYS, octets_of
from web.edge.connection import Connection, ShortWay, Visitor
from web.edge.early_answers import (
    FIELD_BYTES_MAX,
    TARGET_BYTES_MAX,
    EarlyAnswer,
    early_octets,
    parser_refusal,
    raised_refusal,
)
from web.edge.problems import KINDS
from web.edge.request_ids import REQUEST_ID_HEADER, RequestIds
from web.edge.request_line import version_refusal
from web.edge.tls import Handshake, ServerPair
from web.samples import Sample

BACKLOG = 1024
LINGER_SECONDS = 2.0  # a client still sending a refused body gets to read why
LOOK_SECONDS = 1.0  # between two looks at all connections
LOOK_CONNECTIONS = 1000  # at once: no callback holds the event loop longer than 5 ms
ROOM_SECONDS = 1.0  # a connection silent for less is not closed to make room
PAIR_SECONDS = 5.0  # between two looks at the files of certificate and key
LOG_SECONDS = 10.0  # between two lines about connections that were refused
AIOHTTP_SECONDS = 86_400.0  # so long that aiohttp's own timer for idle connections never acts
SERVER_ERROR = 500

OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": AIOHTTP_SECONDS,
        "lingering_time": LINGER_SECONDS,
        "max_line_size": TARGET_BYTES_MAX,
        "max_field_size": FIELD_BYTES_MAX,
    }
)

_log = structlog.get_logger("smsgate.web")


class Handler(web.RequestHandler):
    """Aiohttp's handler of one connection.

    Bodies come as they were sent. Errors before there is a request are answered as ours.
    """

    __slots__ = ("connection", "listener")

    def __init__(self, listener: Listener, server: web.Server, connection: Connection) -> None:
        super().__init__(server, loop=listener.loop, **OPTIONS)
        self.listener = listener
        self.connection = connection

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an error as ours. Aiohttp's answer and log line would repeat what the client
        sent.
        """
        if status < SERVER_ERROR:
            return EarlyAnswer(self.listener.early(parser_refusal(exc)))
        _log.error("request failed", listener=self.listener.name, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already")
        return EarlyAnswer(self.listener.early("internal"))


class Listener:
    """Start once, stop once. Stopping what never started is fine."""

    def __init__(
        self,
        name: str,
        *,
        connections_max: int,
        keep_alive_seconds: float,
        monotonic: Callable[[], float],
        short_way: ShortWay[Any] | None = None,
        always: Mapping[str, str] = ALWAYS,
    ) -> None:
        """`always`: the fields of every answer."""
        self.name = name
        self.keep_alive_seconds = keep_alive_seconds
        self.monotonic = monotonic
        self.short_way = short_way
        self.loop: asyncio.AbstractEventLoop
        self._connections_max = connections_max
        self._always = octets_of(always)
        self._pair: ServerPair | None = None
        self._pair_at = 0.0  # when it was last looked at
        self._open: set[Visitor] = set()
        # Open connections that have said nothing, and since when; the oldest first
        self._silent: dict[Visitor, float] = {}
        self._ids = RequestIds()
        self._closed: Counter[str] = Counter()  # by reason
        self._answered_early: Counter[int] = Counter()  # by status
        self._refused = 0
        self._refused_told = 0
        self._told_at = -LOG_SECONDS
        self._listening: asyncio.Server | None = None
        self._next_look: asyncio.Handle | None = None
        self._server: web.Server

    async def start(
        self, server: web.Server, host: str, port: int, pair: ServerPair | None = None
    ) -> tuple[str, int]:
        """Listen, with TLS if there is a pair. Returns (host, port): the real port where 0 was
        configured. Raises OSError.
        """
        self._pair = pair
        self.loop = asyncio.get_running_loop()
        self._server = server
        self._make_request = server.request_factory
        self._answer = server.request_handler
        server.request_factory = self._asked
        server.request_handler = self._handle
        self._listening = await self.loop.create_server(self._visited, host, port, backlog=BACKLOG)
        self._look()
        where, number = self._listening.sockets[0].getsockname()[:2]
        return str(where), int(number)

    def stop(self) -> None:
        """Take no new connection. Those open stay open, and are no longer looked at."""
        if self._next_look is not None:
            self._next_look.cancel()
        if self._listening is not None:
            self._listening.close()
        for each in list(self._open):
            if isinstance(each, Handshake):
                each.leave()

    def opened(self, connection: Visitor) -> bytes | None:
        """None: there is room for the connection. Else what it is answered before it is closed."""
        now = self.monotonic()
        if len(self._open) >= self._connections_max and not self._made_room(now):
            self._refused += 1
            return self.early("overloaded")
        self._open.add(connection)
        self._silent[connection] = now
        return None

    def spoke(self, connection: Visitor) -> None:
        """The client has sent its first octet."""
        self._silent.pop(connection, None)

    def closed(self, connection: Visitor) -> None:
        """The connection is closed."""
        self._open.discard(connection)
        self._silent.pop(connection, None)

    def handler(self, connection: Connection) -> Handler:
        """Aiohttp's handler for the connection."""
        return Handler(self, self._server, connection)

    def count_closed(self, reason: str) -> None:
        """We close a connection, for another reason than that it was answered."""
        self._closed[reason] += 1

    def early(self, code: str, request: web.BaseRequest | None = None) -> bytes:
        """The answer to what is no request, or not one for the application."""
        self._answered_early[KINDS[code].status] += 1
        given = None if request is None else request.headers.get(REQUEST_ID_HEADER)
        body = request is None or request.method != "HEAD"
        return early_octets(code, self._ids.of(given), self._always, body=body)

    def samples(self) -> Iterator[Sample]:
        """The metrics of connections."""
        yield Sample("sms_http_connections", len(self._open), (self.name,))
        yield Sample("sms_http_connections_max", self._connections_max, (self.name,))
        yield Sample("sms_http_connections_refused_total", self._refused, (self.name,))
        for reason in ("silent", "idle", "unread", "crowded_out", "handshake"):
            count = self._closed[reason]
            yield Sample("sms_http_connections_closed_total", count, (self.name, reason))
        for status, count in sorted(self._answered_early.items()):
            yield Sample("sms_http_early_answers_total", count, (self.name, str(status)))
        if self._pair is not None:
            yield from self._pair.samples()

    def _visited(self) -> asyncio.Protocol:
        if self._pair is None:
            return Connection(self)
        return Handshake(self, self._pair.context, lambda: self.count_closed("handshake"))

    def _made_room(self, now: float) -> bool:
        """Close a connection that has said nothing for a while, for one that may have something to
        say.
        """
        for connection, since in self._silent.items():  # the first one only: it is the oldest
            if now - since <= ROOM_SECONDS:
                return False
            self.closed(connection)
            connection.end("crowded_out")
            return True
        return False

    def _asked(self, *of_request: Any) -> web.BaseRequest:
        """A request factory, as aiohttp calls it: message, payload, handler, writer, task."""
        request = self._make_request(*of_request)
        cast("Handler", request.protocol).connection.asked(request)
        return request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Around the application. Aiohttp answers each request in a task, which ends when the
        answer is written.
        """
        connection = cast("Handler", request.protocol).connection
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _task: connection.answered(request))
        code = version_refusal(*request.version)
        if code is None:
            try:
                return await self._answer(request)
            except web.HTTPException as error:
                code = raised_refusal(error)
        return EarlyAnswer(self.early(code, request))

    def _look(self) -> None:
        self._look_at(list(self._open))

    def _look_at(self, connections: list[Visitor]) -> None:
        now = self.monotonic()
        if self._pair is not None and now - self._pair_at >= PAIR_SECONDS:
            self._pair_at = now
            self._pair.look()
        for connection in connections[:LOOK_CONNECTIONS]:
            if connection in self._open:
                connection.look(now)
        rest = connections[LOOK_CONNECTIONS:]
        if rest:
            self._next_look = self.loop.call_soon(self._look_at, rest)
            return
        self._tell_refused(now)
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)

    def _tell_refused(self, now: float) -> None:
        refused = self._refused - self._refused_told
        if refused and now - self._told_at >= LOG_SECONDS:
            self._refused_told, self._told_at = self._refused, now
            _log.warning(
                "connections_refused",
                listener=self.name,
                refused=refused,
                open=len(self._open),
                connections_max=self._connections_max,
            )
