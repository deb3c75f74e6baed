"""What single messages look like to smsgate and to Kannel, and when all of them have arrived.

Owns the requests that more than one benchmark sends, and the check that none was lost or repeated.
Must not measure anything but the load itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec

from benchmarks import gateways, http_load, kannel
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
    running: Running, messages: int, *, size: int, concurrency: int, first: int = 0
) -> None:
    """So many messages in POST /v1/messages/batch, each to be accepted. `concurrency` requests at
    once.
    """
    accepted = 0
    end = first + messages
    requests = iter([(n, min(size, end - n)) for n in range(first, end, size)])

    async def worker() -> None:
        nonlocal accepted
        for begin, count in requests:
            items = await running.send(gateways.messages(count, begin))
            accepted += sum("id" in item for item in items)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    if accepted != messages:
        raise BenchmarkFailed(f"{accepted} of {messages} were accepted")


def _posts(running: Running, messages: int, first: int) -> Iterator[bytes]:
    encode = msgspec.json.encode
    for body in gateways.messages(messages, first):
        yield http_load.post(running.address, "/v1/messages", encode(body), authorization(running))


def authorization(running: Running) -> str:
    """The header that requests need."""
    return f"Authorization: Bearer {running.key}"


def check_accepted(status: int, body: bytes) -> None:
    """BenchmarkFailed for anything but 202."""
    if status != ACCEPTED:
        raise BenchmarkFailed(f"a request was answered {status}: {body[:300]!r}")


@contextlib.asynccontextmanager
async def kannel_calling_back(
    folder: Path, carrier: Simulator
) -> AsyncIterator[tuple[kannel.Kannel, ReceiptSink]]:
    """Kannel, bound to this carrier, and where its receipts go."""
    sink = ReceiptSink()
    await sink.start()
    try:
        async with kannel.running(folder, carrier.port) as peer:
            yield peer, sink
    finally:
        await sink.stop()


async def kannel_gets(
    peer: kannel.Kannel, sink: ReceiptSink, messages: int, connections: int, *, first: int = 0
) -> Load:
    """So many requests to sendsms, each to be accepted."""
    return await http_load.drive(
        peer.address,
        (
            peer.request(n, gateways.destination(n), gateways.TEXT.format(n=n), sink.address)
            for n in range(first, first + messages)
        ),
        connections=connections,
        answered=kannel.check_answer,
    )


async def until_called_back(sink: ReceiptSink, carrier: Simulator, messages: int) -> None:
    """Wait for the last receipt.

    Raises BenchmarkFailed when one is missing or comes twice, or the carrier's ledger has another
    number of submits.
    """
    complete = await sink.until(messages, PATIENCE_SECONDS)
    judgement = carrier.judgement()
    delivered = sum(
        calls for (_, state), calls in sink.reported.items() if state == kannel.DELIVERED
    )
    if not complete or not messages == delivered == judgement.submits or judgement.repeats:
        raise BenchmarkFailed(f"Kannel: {messages} accepted, {delivered} called back, {judgement}")
