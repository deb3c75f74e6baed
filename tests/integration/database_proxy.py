"""A TCP proxy before PostgreSQL that acts at one moment of one connection.

That is before the server hears of something, or after it did the work and before the client hears
of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from benchmarks.faults.proxy import until_one_ends

PATIENCE_SECONDS = 40.0
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
TERMINATED = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS  # ErrorResponse
READ_BYTES = 1 << 16
# The statement that names messages in intents, a transaction of its own. It is a Bind of a prepared
# statement whose text went before, with an array of integers: how many each intent has.
OPEN_INTENTS = rb"(?s)B.{4}\x00__asyncpg_stmt_\w+\x00.*\x00\x00\x00\x17"

# The statement that stores messages which nothing stands in the way of: their document as its
# parameter.
STORE_AT_ONCE = rb'"to_idx":"'


@dataclass
class Cut:
    """Cut the connection of this role when the client's or the server's bytes match; once."""

    role: bytes
    asked: re.Pattern[bytes] | None = None  # forwarded; the server's next answer is swallowed
    answered: re.Pattern[bytes] | None = None  # swallowed
    cut: bool = True  # False: act, and let it pass
    before: bool = False  # what was asked is swallowed, too: the server never hears of it
    act: Callable[[], None] = lambda: None  # at that moment, before the connection is cut
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Link:
    role: bytes
    client: asyncio.StreamWriter
    swallow: bool = False


@dataclass
class DatabaseProxy:
    url: str
    cut: Cut | None = None
    links: list[_Link] = field(default_factory=list)
    away: bool = False  # nobody is let through

    def leave(self) -> None:
        """Cut every connection, and take none until `away` is false again."""
        self.away = True
        for link in self.links:
            link.client.close()

    def announce_the_end(self, role: str) -> None:
        """What the server says when a session is terminated; the end of the stream comes later."""
        for link in self.links:
            if link.role == b":" + role.encode() + b"\0":
                link.client.write(TERMINATED)

    def arm(
        self,
        role: str,
        *,
        asked: bytes = b"",
        answered: bytes = b"",
        cut: bool = True,
        before: bool = False,
        act: Callable[[], None] = lambda: None,
    ) -> Cut:
        """`role` is the end of an application_name, such as `record`."""
        self.cut = Cut(
            b":" + role.encode() + b"\0",
            re.compile(asked) if asked else None,
            re.compile(answered) if answered else None,
            cut,
            before,
            act,
        )
        return self.cut

    async def fired(self, cut: Cut) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await cut.done.wait()

    def hears(self, link: _Link, data: bytes) -> bool:
        """Whether the server gets to hear this."""
        cut = self.cut
        if cut and cut.asked and cut.role == link.role and cut.asked.search(data):
            if cut.before:
                self._fire(cut)
                return False
            link.swallow = True
        return True

    def passes(self, link: _Link, data: bytes) -> bool:
        cut = self.cut
        if cut is None or cut.role != link.role:
            return True
        if not (link.swallow or (cut.answered and cut.answered.search(data))):
            return True
        self._fire(cut)
        return not cut.cut

    def _fire(self, cut: Cut) -> None:
        self.cut = None
        cut.act()
        cut.done.set()


@contextlib.asynccontextmanager
async def database_proxy(url: str) -> AsyncIterator[DatabaseProxy]:
    """A proxy for the server of `url`; its own `url` is the same database through it."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    tasks: set[asyncio.Task[None]] = set()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "host" in query:
            port = query.get("port", parts.port or 5432)
            return await asyncio.open_unix_connection(f"{query['host']}/.s.PGSQL.{port}")
        return await asyncio.open_connection(parts.hostname, parts.port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if not proxy.away:
                    await _pump(proxy, reader, writer, *await connect())
        finally:
            tasks.discard(task)
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    kept = {name: value for name, value in query.items() if name not in ("host", "port")}
    proxy = DatabaseProxy(
        urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}", query=urlencode(kept)))
    )
    try:
        yield proxy
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    proxy: DatabaseProxy,
    client_reader: asyncio.StreamReader,
    client_writer: asyncio.StreamWriter,
    server_reader: asyncio.StreamReader,
    server_writer: asyncio.StreamWriter,
) -> None:
    link = _Link(b"", client_writer)
    proxy.links.append(link)

    async def to_server() -> None:
        while data := await client_reader.read(READ_BYTES):
            if not link.role and (
                match := re.search(rb"application_name\0[^\0]*?(:[a-z-]+\0)", data)
            ):
                link.role = match[1]
            if not proxy.hears(link, data):
                return
            server_writer.write(data)

    async def to_client() -> None:
        while data := await server_reader.read(READ_BYTES):
            if not proxy.passes(link, data):
                return
            client_writer.write(data)

    try:
        await until_one_ends(to_server(), to_client())
    finally:
        proxy.links.remove(link)
        client_writer.close()
        server_writer.close()
