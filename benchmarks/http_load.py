"""The load generator: ready-made HTTP/1.1 requests over a fixed number of kept connections.

Owns sending and timing. Must not know gateway or peer: the caller brings the octets of each request
and gets those of each answer. It takes some 15 us a request, little of the processor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
CHUNKED, LAST_CHUNK = b"transfer-encoding: chunked", b"0\r\n\r\n"
ANSWER_SECONDS_MAX = 60.0


class LoadError(Exception):
    """A connection or an answer that no figure can be made of."""


@dataclass
class Load:
    """`seconds` from the first request to the last answer; one entry of `answer_seconds` each."""

    seconds: float = 0.0
    answer_seconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.answer_seconds) / self.seconds


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1e6) // 10**6) - 1))]


def post(address: str, path: str, body: bytes, *headers: str) -> bytes:
    """A POST of JSON, every octet of it."""
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {address}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + HEAD_END + body


def get(address: str, path: str) -> bytes:
    """A GET, every octet of it."""
    return f"GET {path} HTTP/1.1\r\nHost: {address}".encode() + HEAD_END


async def drive(
    address: str,
    requests: Iterator[bytes],
    *,
    connections: int,
    answered: Callable[[int, bytes], None],
) -> Load:
    """Send them all, one at a time on each connection. `answered` gets each status and body, and
    may raise what it finds wrong with them; LoadError for a connection that breaks.
    """
    loop = asyncio.get_running_loop()
    host, _, port = address.rpartition(":")
    load = Load()
    done: asyncio.Future[None] = loop.create_future()
    working = _Working(requests, answered, load, done)
    opened = [
        await loop.create_connection(lambda: _Connection(working), host, int(port))
        for _ in range(connections)
    ]
    began = time.perf_counter()
    try:
        for _, connection in opened:
            connection.next()
        while not done.done():
            count = len(load.answer_seconds)
            await asyncio.wait([done], timeout=ANSWER_SECONDS_MAX)
            if not done.done() and count == len(load.answer_seconds):
                raise LoadError(f"{address} has not answered for {ANSWER_SECONDS_MAX:g} s")
        done.result()
        load.seconds = time.perf_counter() - began
    finally:
        working.over = True
        for transport, _ in opened:
            transport.abort()
    return load


@dataclass
class _Working:
    """What the connections share."""

    requests: Iterator[bytes]
    answered: Callable[[int, bytes], None]
    load: Load
    done: asyncio.Future[None]
    busy: int = 0
    over: bool = False

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, working: _Working) -> None:
        self._working = working
        self._began = 0.0
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the class.
        self._transport = cast("asyncio.Transport", transport)

    def next(self) -> None:
        """Send the next request, if there is one."""
        working = self._working
        request = next(working.requests, None)
        if request is None:
            if not working.busy and not working.done.done():
                working.done.set_result(None)
            return
        working.busy += 1
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, end, body = self._buffer.partition(HEAD_END)
        if not end or (answer := _whole(head, body)) is None:
            return
        working = self._working
        working.load.answer_seconds.append(time.perf_counter() - self._began)
        working.busy -= 1
        self._buffer = b""
        try:
            working.answered(int(head[9:12]), answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no figure
            working.fail(error)
        else:
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self._working.over or self._working.done.done()):
            self._working.fail(LoadError(f"a connection was closed under the load: {exc}"))


def _whole(head: bytes, body: bytes) -> bytes | None:
    """The body once all of it is there; one in chunks, which nobody here reads, as it came."""
    lower = head.lower()
    if CHUNKED in lower:
        return body if body.endswith(LAST_CHUNK) else None
    length = _length(lower)
    return body[:length] if len(body) >= length else None


def _length(head: bytes) -> int:
    at = head.find(LENGTH)
    if at < 0:
        raise LoadError(f"an answer without Content-Length: {head[:200]!r}")
    return int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
