"""Receivers of webhooks on real sockets, each doing what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A socket that does what a test says to each connection."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.names: list[str | None] = []  # of TLS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """The next request's body."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = head.lower().split("content-length: ")[1].split("\r\n")[0]
        self.bodies.append(await reader.readexactly(int(length)))
        return self.bodies[-1]


@asynccontextmanager
async def receiving(
    talk: Callable[[Receiver], Talk],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    spoken = talk(receiver)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await spoken(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name)
    server = await asyncio.start_server(serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*pieces: bytes, keep: bool = False) -> Callable[[Receiver], Talk]:
    def talk(receiver: Receiver) -> Talk:
        async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await receiver.request(reader)
                writer.writelines(pieces)
                await writer.drain()
                if not keep:
                    return

        return spoken

    return talk


def silent(receiver: Receiver) -> Talk:
    async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await receiver.request(reader)
        await asyncio.Event().wait()

    return spoken
