"""The load that goes on under faults: senders that do not give up, and people who open links.

Owns what the client knows: which message was answered 202, which click got its redirect. Must not
ask the gateway what became of anything.

Each request has an Idempotency-Key and is sent until it is answered 202. So whatever is accepted
twice, or sent without having been accepted, is a fault of the gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

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
from benchmarks.faults.judging import Accepted
from benchmarks.faults.lines import Lines
from benchmarks.faults.works import working
from benchmarks.faults.world import HOST, World
from gateway.load.profile import MessageKind, Messages, Profile
from smpp.simulator.ledger import LedgerLine
from storage.ids import parse_id

OPENED_EVERY = 3  # of the links that reach a phone
PEOPLE = 4
LONG = "Today only: every tenth order is free. " * 5
SINGLES, SINGLES_PAUSE_SECONDS = 4, 0.1
BATCH_SIZES, BATCH_PAUSE_SECONDS = (5, 20, 150), 0.8
PROFILE = Profile(
    messages=(
        MessageKind("Your code is {n}.", weight=2, category="otp"),
        MessageKind(f"Parcel {{n}}: https://{HOST}/p/{{n}}", weight=5, category="transactional"),
        MessageKind("Your table {n} is booked.", weight=2, category="service"),
        MessageKind("Every tenth order is free. {n}", weight=2, category="marketing"),
        MessageKind(f"{LONG}{{n}}", weight=1, category="marketing"),
    ),
    numbers=10_000_000,
)
Body = dict[str, object]


class _Answer(Item):
    """Of one message, or of a batch."""

    items: list[Item] | None = None


class Load:
    """Runs between `go` and `quiet`. What it knows is in its attributes."""

    def __init__(self, world: World) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.refused: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()  # answers that a client sends again after, but a 503
        self.clicks_told: set[int] = set()
        self.clicks_untold = 0  # led on without an id: it could not be kept
        self.clicks_asked = 0
        self._world = world
        self._messages = Messages(PROFILE)
        self._place = self._requests = 0
        self._run = secrets.token_hex(6)
        self._going = asyncio.Event()
        self._busy = 0
        self._idle = asyncio.Event()
        self._opened: asyncio.Queue[str] = asyncio.Queue()
        self._ledger = Lines(world.ledger)
        self._code = ""

    def go(self) -> None:
        """From now on requests begin."""
        self._going.set()

    async def quiet(self) -> None:
        """No request begins any more, and each that began is answered."""
        self._going.clear()
        while self._busy:
            self._idle.clear()
            await self._idle.wait()

    async def send(self, size: int) -> list[str]:
        """The next messages, until they are answered 202; their ids.

        Items of a batch that were not stored are sent again, under another key.
        """
        first, self._place = self._place, self._place + size
        bodies = [self._messages.body(place) for place in range(first, first + size)]
        path = "/v1/messages/batch" if size > 1 else "/v1/messages"
        ids: list[str] = []
        with self._at_work():
            while bodies:
                self._requests += 1
                key = f"faults-{self._run}-{self._requests}"
                answer = await self._answered(path, bodies, key)
                taken, bodies = self._took(bodies, answer)
                ids += taken
        return ids

    async def click(self, code: str) -> bool:
        """Open a link once; whether it was redirected."""
        self.clicks_asked += 1
        try:
            async with self._world.session.get(
                f"{self._world.links_url}/{code}", allow_redirects=False
            ) as answer:
                location = answer.headers.get("Location", "")
        except (*NO_ANSWER, AssertionError):  # it is not there at all
            return False
        if answer.status != FOUND:
            return False
        for told in parse_qs(urlsplit(location).query).get("cid", []):
            self.clicks_told.add(parse_id("clk", told.rpartition("_")[0]))
            return True
        self.clicks_untold += 1
        return True

    async def any_click(self) -> bool:
        """Open the link that was opened last; whether it was redirected."""
        return bool(self._code) and await self.click(self._code)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Its people and senders, for as long as this is entered."""
        works = [self._sends((1,), SINGLES_PAUSE_SECONDS) for _ in range(SINGLES)]
        works += [self._sends(BATCH_SIZES, BATCH_PAUSE_SECONDS), self._reads()]
        works += [self._opens() for _ in range(PEOPLE)]
        async with working(works):
            yield

    async def _sends(self, sizes: Sequence[int], pause: float) -> None:
        turn = 0
        while True:
            await self._going.wait()
            await self.send(sizes[turn % len(sizes)])
            turn += 1
            await asyncio.sleep(pause)

    async def _reads(self) -> None:
        """Phones get their messages."""
        count = 0
        while True:
            for line in self._ledger.new():
                found = LINK.search(msgspec.json.decode(line, type=LedgerLine).text)
                if found is not None:
                    count += 1
                    if count % OPENED_EVERY == 0:
                        self._opened.put_nowait(found[1])
            await asyncio.sleep(RETRY_SECONDS)

    async def _opens(self) -> None:
        while True:
            code = await self._opened.get()
            await self._going.wait()
            with self._at_work():
                led = False
                while not led:
                    led = await self.click(code)
                    await asyncio.sleep(0 if led else RETRY_SECONDS)
                self._code = code

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _answered(self, path: str, bodies: Sequence[Body], key: str) -> bytes:
        """Of one request, however often it has to be sent."""
        batch = path.endswith("/batch")
        body = msgspec.json.encode({"messages": bodies} if batch else bodies[0])
        while True:
            answer = await self._post(path, body, key)
            if answer is not None:
                return answer
            await asyncio.sleep(RETRY_SECONDS)

    async def _post(self, path: str, body: bytes, key: str) -> bytes | None:
        """The answer. None: to be sent again."""
        found = await posted(self._world, path, body, key)
        if found is None:
            return None
        status, answer = found
        if status == ACCEPTED:
            return answer
        if status not in AGAIN:
            self.refused[f"{status} {answer[:200]!r}"] += 1
            return b""
        if status in (500, 502, 504):
            self.odd[f"{path} {status} {answer[:200]!r}"] += 1
        return None

    def _took(self, bodies: Sequence[Body], answer: bytes) -> tuple[list[str], list[Body]]:
        """The ids, and what is to be sent again."""
        if not answer:
            return [], []
        read = msgspec.json.decode(answer, type=_Answer)
        ids: list[str] = []
        again: list[Body] = []
        for body, item in zip(bodies, [read] if read.items is None else read.items, strict=True):
            if item.id is not None:
                parts = 2 if str(body["text"]).startswith(LONG) else 1
                self.accepted[item.id] = Accepted(str(body["to"]).removeprefix("+"), parts)
                ids.append(item.id)
            elif item.error is not None and item.error.code in NOT_STORED:
                again.append(body)
            else:
                self.refused["no code" if item.error is None else item.error.code] += 1
        return ids, again
