"""The proxy does to a connection what it is told, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from benchmarks.faults.proxy import Proxy, proxy

PATIENCE_SECONDS = 30.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Opened = Callable[[], Awaitable[Streams]]


@dataclass
class Echo:
    """Answers `COPY` with PostgreSQL's go-ahead, everything else with itself."""

    heard: bytes = b""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                self.heard += data
                writer.write(b"G..." if data == b"COPY" else data)
        self.gone.set()
        writer.close()


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def between(echo: Echo) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with proxy(server.sockets[0].getsockname()[1]) as found:
        yield found
    server.close()


@pytest.fixture
async def opened(between: Proxy) -> AsyncIterator[Opened]:
    """Opens a connection that was answered over."""
    writers = []

    async def one() -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        writers.append(writer)
        assert await asked((reader, writer), b"hello") == b"hello"
        return reader, writer

    yield one
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def asked(streams: Streams, data: bytes) -> bytes:
    streams[1].write(data)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await streams[0].read(1 << 16)


async def test_a_cut_resets_what_is_open_and_lets_the_next_through(
    between: Proxy, opened: Opened
) -> None:
    streams = await opened()
    between.cut()
    with pytest.raises(ConnectionResetError):
        await asked(streams, b"more")
    await opened()


async def test_a_port_that_refuses_lets_in_again_where_it_was(
    between: Proxy, opened: Opened
) -> None:
    between.refuse()
    with pytest.raises(ConnectionRefusedError):
        await opened()
    await between.listen()
    await opened()


async def test_a_half_open_connection_says_nothing_until_it_is_cut(
    between: Proxy, echo: Echo, opened: Opened
) -> None:
    streams = await opened()
    between.half_open_now()
    between.half_open = False  # whoever comes now is let through
    await opened()
    streams[1].write(b"unheard")
    await opened()
    assert b"unheard" not in echo.heard
    between.cut_dead()
    with pytest.raises(ConnectionResetError):
        await asked(streams, b"more")


async def test_a_copy_is_cut_in_its_middle_and_the_next_one_is_not(
    between: Proxy, echo: Echo, opened: Opened
) -> None:
    between.copies_to_cut = 1
    streams = await opened()
    assert await asked(streams, b"COPY") == b"G..."
    with contextlib.suppress(ConnectionResetError):
        assert await asked(streams, b"0123456789") == b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await echo.gone.wait()
    assert echo.heard.endswith(b"COPY01234")
    assert between.copies_cut == 1
    streams = await opened()
    assert await asked(streams, b"COPY") == b"G..."
    assert await asked(streams, b"0123456789") == b"0123456789"
