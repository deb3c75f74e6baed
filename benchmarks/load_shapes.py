"""What single messages look like to smsgate and to Kannel, and when all of them have arrived.

Owns the requests that more than one benchmark sends, and the check that none was lost or repeated.
Must not measure anything but the load itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks import gateways, http_load, judgement, kannel
from benchmarks.gateways import BenchmarkFailed
from benchmarks.http_load import Load
from benchmarks.receipt_sink import ReceiptSink
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator

ACCEPTED = 202
PATIENCE_SECONDS = 20.0


async def single_posts(
    running: Running, messages: int, connections: int, *, first: int = 0
) -> Load:
    """So many POST /v1/messages, each to be accepted."""
    return await http_load.drive(
        running.address,
        _posts(running, messages, first),
        connections=connections,
        answered=check_accepted,
    )


async def batches(
    running: Running,
    messages: int,
    *,
    size: int,
    concurrency: int,
    first: int = 0,
    text: str = gateways.TEXT,
) -> Load:
    """So many messages in POST /v1/messages/batch, each to be accepted. `concurrency` requests at
    once. The times are those of the requests.
    """
    accepted, load = 0, Load()
    end = first + messages
    requests = iter([(n, min(size, end - n)) for n in range(first, end, size)])

    async def worker() -> None:
        nonlocal accepted
        for begin, count in requests:
            bodies = gateways.messages(count, begin, text=text)
            asked = time.perf_counter()
            items = await running.send(bodies)
            load.answer_seconds.append(time.perf_counter() - asked)
            accepted += sum("id" in item for item in items)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    load.seconds = time.perf_counter() - began
    if accepted != messages:
        raise BenchmarkFailed(f"{accepted} of {messages} were accepted")
    return load


def _posts(running: Running, messages: int, first: int) -> Iterator[bytes]:
    encode = msgspec.json.encode
    for body in gateways.messages(messages, first):
        yield http_load.post(running.address, "/v1/messages", encode(body), authorization(running))


def authorization(running: Running) -> str:
    """The header that requests need."""
    return f"Authorization: Bearer {running.key}"


def check_accepted(status: int, body: bytes, *, wanted: int = ACCEPTED, to: str = "") -> None:
    """BenchmarkFailed for anything but what is wanted. `to`: who was asked, if not smsgate."""
    if status != wanted:
        raise BenchmarkFailed(f"a request{to} was answered {status}: {body[:300]!r}")


@contextlib.asynccontextmanager
async def kannel_calling_back(
    folder: Path, carrier: Simulator, *, stored: bool = False
) -> AsyncIterator[tuple[kannel.Kannel, ReceiptSink]]:
    """Kannel, bound to this carrier, and where its receipts go."""
    async with receipts_called_back() as sink, kannel.running(folder, carrier.port, stored) as peer:
        yield peer, sink


@contextlib.asynccontextmanager
async def receipts_called_back() -> AsyncIterator[ReceiptSink]:
    """Where a peer calls its receipts back to."""
    sink = ReceiptSink()
    await sink.start()
    try:
        yield sink
    finally:
        await sink.stop()


class Peer(Protocol):
    """Another gateway: where it listens, what one message looks like to it, and its yes."""

    address: str
    taken: int  # the status of an answer that says so

    def request(self, number: int, destination: str, text: str, receipts: str) -> bytes:
        """One message; its receipt is called back to `receipts`/NUMBER/STATE."""


async def peer_gets(
    peer: Peer, sink: ReceiptSink, messages: int, connections: int, *, first: int = 0
) -> Load:
    """So many requests to another gateway, each to be accepted."""
    return await http_load.drive(
        peer.address,
        (
            peer.request(n, gateways.destination(n), gateways.TEXT.format(n=n), sink.address)
            for n in range(first, first + messages)
        ),
        connections=connections,
        answered=partial(check_accepted, wanted=peer.taken, to=f" to {type(peer).__name__}"),
    )


async def until_called_back(sink: ReceiptSink, carrier: Simulator, messages: int) -> None:
    """Wait for the last receipt. BenchmarkFailed when the run does not add up."""
    await sink.until(messages, PATIENCE_SECONDS)
    judgement.peers_adds_up(range(messages), carrier, sink)
