"""Where a peer calls its receipts back to: a small HTTP server that counts.

Owns that server, and which messages were reported, and as what. Must not judge. It is as light as
can be, since it works on the cores of whoever is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import cast

# Kannel wants the status alone, Jasmin these words.
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nACK/Jasmin"
HEAD_END = b"\r\n\r\n"


class ReceiptSink:
    """Takes `GET /NUMBER/STATE`, whatever is asked behind it. `reported` counts the calls of each
    (number, state), `called_at` has the last of each number, in seconds since 1970.
    """

    def __init__(self) -> None:
        self.reported: Counter[tuple[int, int]] = Counter()
        self.called_at: dict[int, float] = {}
        self.last_at = 0.0  # time.perf_counter() of the latest
        self._wanted = 0
        self._reached = asyncio.Event()
        self._server: asyncio.Server
        self.address = ""

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Caller(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Hear no more."""
        self._server.close()

    async def until(self, count: int, patience_seconds: float) -> bool:
        """Wait until so many different messages are reported; False when none came for so long."""
        self._wanted = count
        while len(self.reported) < count:
            before = len(self.reported)
            self._reached.clear()
            try:
                async with asyncio.timeout(patience_seconds):
                    await self._reached.wait()
            except TimeoutError:
                if len(self.reported) == before:
                    return False
        return True

    def called(self, number: int, state: int) -> None:
        """One receipt."""
        self.reported[number, state] += 1
        self.called_at[number] = time.time()
        self.last_at = time.perf_counter()
        if len(self.reported) >= self._wanted:
            self._reached.set()


class _Caller(asyncio.Protocol):
    def __init__(self, sink: ReceiptSink) -> None:
        self._sink = sink
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._buffer = (self._buffer + data).split(HEAD_END)
        for head in heads:
            path, _, _ = head.split(b" ", 2)[1].partition(b"?")
            _, number, state = path.split(b"/")
            self._sink.called(int(number), int(state))
        self._transport.write(OK * len(heads))
