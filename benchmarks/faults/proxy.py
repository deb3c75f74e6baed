"""A TCP proxy that does to connections what networks do: cuts, delays, half-opens, drops.

Owns its connections and what becomes of their octets. Must not know who speaks through it: who
wants to listen gives it an ear.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Protocol

READ_BYTES = 1 << 16
COPY_BEGINS = b"G"  # PostgreSQL's CopyInResponse; the client then sends rows


class Ear(Protocol):
    """Hears one connection: octets as they are read, whether they are passed on or not."""

    def from_client(self, data: bytes) -> None:
        """What the connecting side wrote."""

    def from_server(self, data: bytes) -> None:
        """What the other side wrote."""


class _Deaf:
    def from_client(self, data: bytes) -> None: ...

    def from_server(self, data: bytes) -> None: ...


class _Link:
    """One connection. `dead`: nothing passes any more, and nobody is told."""

    def __init__(self, client: asyncio.StreamWriter, ear: Ear) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.ear = ear
        self.dead = False
        self.copying = False

    def cut(self) -> None:
        for end in (self.client, self.server):
            if end is not None:
                end.transport.abort()


class Proxy:
    """Before the server at `port` of this machine. What it does is set by its attributes."""

    def __init__(self, port: int, hears: Callable[[], Ear] = _Deaf) -> None:
        self.port = 0
        self.delay_seconds = 0.0
        self.half_open = False  # for connections that come; see also `half_open_now`
        self.copies_to_cut = 0
        self.copies_cut = 0
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._hears = hears
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections, on a free port the first time and on the same one from then on."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Take no connection until `listen`, as a port does that nobody listens on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def cut(self) -> None:
        """Reset every connection."""
        for link in list(self._links):
            link.cut()

    def half_open_now(self) -> None:
        """From now on nothing passes over any connection, also over those that come."""
        self.half_open = True
        for link in self._links:
            link.dead = True

    def cut_dead(self) -> None:
        """Reset those over which nothing passes any more, as a kernel does that found out."""
        for link in [link for link in self._links if link.dead]:
            link.cut()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = _Link(writer, self._hears())
        link.dead = self.half_open
        self._links.add(link)
        try:
            with contextlib.suppress(OSError):
                await self._pass(link, reader)
        finally:
            self._links.discard(link)
            self._tasks.discard(task)
            link.cut()
            for end in (link.client, link.server):
                if end is not None:
                    with contextlib.suppress(OSError):
                        await end.wait_closed()

    async def stop(self) -> None:
        """Refuse and cut everything, and wait for its end."""
        self.refuse()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, link: _Link, reader: asyncio.StreamReader) -> None:
        server_reader, link.server = await asyncio.open_connection("127.0.0.1", self._server_port)
        await until_one_ends(self._to_server(link, reader), self._to_client(link, server_reader))

    async def _to_server(self, link: _Link, reader: asyncio.StreamReader) -> None:
        assert link.server is not None
        while data := await reader.read(READ_BYTES):
            link.ear.from_client(data)
            await asyncio.sleep(self.delay_seconds)
            if link.copying and self.copies_to_cut and not link.dead:
                self.copies_to_cut -= 1
                self.copies_cut += 1
                link.server.write(data[: len(data) // 2])
                await link.server.drain()
                return
            if not link.dead:
                link.server.write(data)
                await link.server.drain()

    async def _to_client(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(READ_BYTES):
            link.copying = data[:1] == COPY_BEGINS
            await asyncio.sleep(self.delay_seconds)
            if not link.dead:
                link.ear.from_server(data)
                link.client.write(data)
                await link.client.drain()


async def until_one_ends(*directions: Coroutine[None, None, None]) -> None:
    """Carry octets in every direction until one of them ends, however it does."""
    tasks = [asyncio.create_task(each) for each in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def proxy(port: int, hears: Callable[[], Ear] = _Deaf) -> AsyncIterator[Proxy]:
    """A proxy before this port, on a free one of its own."""
    found = Proxy(port, hears)
    await found.listen()
    try:
        yield found
    finally:
        await found.stop()
