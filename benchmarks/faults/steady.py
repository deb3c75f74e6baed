"""A load that stays the same for a long time, whatever meets it: batches at fixed moments.

Owns which messages were answered 202, and how often each was given to the carrier. Must not keep
anything of a message but one octet: a long run has millions.

A batch whose moment passed during a fault is sent after it, so nothing is left out. Each request
has an Idempotency-Key and is sent until it is answered 202. Each number is that of one message.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator

import msgspec

from benchmarks.faults.asking import (
    ACCEPTED,
    AGAIN,
    FOUND,
    LINK,
    NO_ANSWER,
    NOT_STORED,
    RETRY_SECONDS,
    Item,
    posted,
)
from benchmarks.faults.lines import Lines
from benchmarks.faults.works import working
from benchmarks.faults.world import HOST, World
from benchmarks.gateways import BenchmarkFailed
from smpp.simulator.ledger import LedgerLine

BATCH = 50
SENDERS = 16
PEOPLE = 4
LINKED_EVERY = 10  # messages
OPENED_MAX = 1_000  # links that wait for somebody who opens them; further ones are not opened
READ_SECONDS = 0.5
FIRST_NUMBER = 8_613_800_000_000
COUNT_MAX = 255  # of one message at the carrier


class _Answer(msgspec.Struct):
    items: list[Item]


class _Submit(msgspec.Struct):
    destination: str
    status: int


class Steady:
    """`accepted`: messages answered 202."""

    def __init__(self, world: World) -> None:
        self.accepted = 0
        self.submits = bytearray()  # of each message: how often the carrier took it
        self.clicks = 0
        self.heard = 0  # last statuses at the webhook endpoint, repeated ones too
        self._world = world
        self._run = secrets.token_hex(6)
        self._batches = 0
        self._began = 0.0
        self._rate = 0.0
        self._stop = asyncio.Event()
        self._senders: list[asyncio.Task[None]] = []
        self._opened: asyncio.Queue[str] = asyncio.Queue(OPENED_MAX)
        self._ledger, self._told = Lines(world.ledger), Lines(world.heard)

    @contextlib.asynccontextmanager
    async def at(self, per_second: float) -> AsyncIterator[None]:
        """So many messages a second while this is entered; then each that was begun is answered."""
        self._began, self._rate = time.monotonic(), per_second
        self._stop.clear()
        first = self._batches
        async with working([self._opens() for _ in range(PEOPLE)]):
            self._senders = [asyncio.create_task(self._sends(first)) for _ in range(SENDERS)]
            try:
                yield
            except BaseException:  # what broke may never answer again
                for sender in self._senders:
                    sender.cancel()
                raise
            finally:
                self._stop.set()
                await asyncio.gather(*self._senders, return_exceptions=True)
            self.must_go_on()

    def must_go_on(self) -> None:
        """Raises what ended a sender, if one has ended."""
        for sender in self._senders:
            if sender.done():
                sender.result()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """What the carrier and the endpoint got is counted while this is entered."""
        async with working([self._reads()]):
            yield
        self.read()

    async def burst(self, messages: int) -> None:
        """So many as fast as they are taken."""
        async with self.at(float("inf")):
            wanted = self.accepted + messages
            while self.accepted < wanted:
                self.must_go_on()
                await asyncio.sleep(RETRY_SECONDS)

    def read(self) -> None:
        """Count what came since the last time."""
        for line in self._ledger.new():
            submit = msgspec.json.decode(line, type=_Submit)
            if submit.status == 0:
                self._count(int(submit.destination) - FIRST_NUMBER, line)
        self.heard += len(self._told.new())

    def _count(self, place: int, line: bytes) -> None:
        if place >= len(self.submits):
            self.submits.extend(bytes(place + 1 - len(self.submits)))
        self.submits[place] = min(COUNT_MAX, self.submits[place] + 1)
        if place % LINKED_EVERY == 0 and not self._opened.full():
            found = LINK.search(msgspec.json.decode(line, type=LedgerLine).text)
            if found is not None:
                self._opened.put_nowait(found[1])

    async def _reads(self) -> None:
        while True:
            self.read()
            await asyncio.sleep(READ_SECONDS)

    async def _sends(self, first: int) -> None:
        while not self._stop.is_set():
            number, self._batches = self._batches, self._batches + 1
            due = self._began + (number - first) * BATCH / self._rate
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.0, due - time.monotonic()))
            await self._send(number)

    async def _send(self, number: int) -> None:
        """One batch, until it is answered; those of it that were not stored, under another key."""
        bodies = [_body(place) for place in range(number * BATCH, (number + 1) * BATCH)]
        attempt = 0
        while bodies:
            items = await self._answered(bodies, f"steady-{self._run}-{number}-{attempt}")
            again = []
            for body, item in zip(bodies, items, strict=True):
                if item.id is not None:
                    self.accepted += 1
                elif item.error is not None and item.error.code in NOT_STORED:
                    again.append(body)
                else:
                    raise BenchmarkFailed(f"a good message was refused: {item.error}")
            bodies, attempt = again, attempt + 1

    async def _answered(self, bodies: list[dict[str, object]], key: str) -> list[Item]:
        body = msgspec.json.encode({"messages": bodies})
        while True:
            found = await posted(self._world, "/v1/messages/batch", body, key)
            if found is not None:
                status, answer = found
                if status == ACCEPTED:
                    return msgspec.json.decode(answer, type=_Answer).items
                if status not in AGAIN:
                    raise BenchmarkFailed(f"a good batch was refused: {status} {answer!r}")
            await asyncio.sleep(RETRY_SECONDS)

    async def _opens(self) -> None:
        while True:
            code = await self._opened.get()
            url = f"{self._world.links_url}/{code}"
            with contextlib.suppress(*NO_ANSWER, AssertionError):
                async with self._world.session.get(url, allow_redirects=False) as answer:
                    self.clicks += answer.status == FOUND


def _body(place: int) -> dict[str, object]:
    text = f"Parcel {place}: it comes today."
    if place % LINKED_EVERY == 0:
        text = f"Parcel {place}: https://{HOST}/p/{place}"
    return {"to": f"+{FIRST_NUMBER + place}", "text": text, "category": "transactional"}
