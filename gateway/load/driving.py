"""Sends a load over HTTP at its own rate, and hears what became of it.

Owns the connections, the clock, and the retries. Must not decide what is sent or when it is due
(profile.py, arrivals.py), nor whether the figures are good (figures.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime

import aiohttp
import msgspec

from dlr.webhooks.schedule import retry_after_seconds
from gateway.config.values import Address
from gateway.load.arrivals import Request
from gateway.load.figures import Outcome, Waiting
from gateway.load.profile import Messages
from gateway.rehearsal.client import Client
from gateway.rehearsal.processes import RehearsalError
from gateway.rehearsal.receiver import Receiver
from gateway.rehearsal.receiving import serving

IN_FLIGHT_MAX = 5_000  # requests; what is due beyond them waits, and its time counts all the same
LATE_SECONDS = 0.05  # behind its moment: the figures then tell of this machine, too
RETRIES_MAX = 5
RETRY_WAIT_SECONDS, RETRY_WAIT_MAX_SECONDS = 1.0, 30.0  # the first where none was asked for
ACCEPTED, TOO_MANY, UNAVAILABLE = 202, 429, 503
NO_ANSWER = "202, and no answer of smsgate's"


class _Item(msgspec.Struct):
    id: str | None = None
    status: str | None = None
    error: dict[str, object] | None = None


class _Items(msgspec.Struct):
    items: list[_Item]


class _Problem(msgspec.Struct):
    code: str = "no_problem"


class Driver:
    """One run. `outcome` may be looked at at any time."""

    def __init__(
        self, session: aiohttp.ClientSession, api: str, messages: Messages, *, retry: bool
    ) -> None:
        self.outcome = Outcome()
        self.waiting = Waiting(self.outcome)
        self._session = session
        self._api = api
        self._messages = messages
        self._retry = retry
        self._run = secrets.token_hex(6)  # two runs never share a key
        self._in_flight: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests whose answer is not here yet."""
        return len(self._in_flight)

    async def send(self, requests: Iterable[Request]) -> None:
        """Each at its moment, until the last one is answered or given up."""
        began = time.monotonic()
        try:
            for request in requests:
                await self._due(request, began + request.due)
            while self._in_flight:
                await asyncio.wait(self._in_flight)
        finally:
            for task in self._in_flight:  # who ends a run needs a connection for its last words
                task.cancel()

    async def _due(self, request: Request, due: float) -> None:
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if len(self._in_flight) >= IN_FLIGHT_MAX:
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
        self.outcome.late += time.monotonic() - due > LATE_SECONDS
        self.outcome.planned += request.size
        self.outcome.requests += 1
        task = asyncio.create_task(self._ask(request, due))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def all_told(self, seconds: float) -> None:
        """Until every message has its last status, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.waiting:
                    self._news.clear()
                    await self._news.wait()

    def heard(self, _event_id: str, kind: str, data: object) -> None:
        """An event that a webhook told."""
        if isinstance(data, dict) and data.get("final"):
            status = kind.removeprefix("message.")
            self.waiting.told(str(data["id"]), status, time.monotonic())
            self._news.set()

    async def _ask(self, request: Request, due: float) -> None:
        places = range(request.first, request.first + request.size)
        bodies = [self._messages.body(place) for place in places]
        path = "/v1/messages/batch" if request.batch else "/v1/messages"
        body = msgspec.json.encode({"messages": bodies} if request.batch else bodies[0])
        headers = {"Content-Type": "application/json"}
        if self._retry:
            headers["Idempotency-Key"] = f"load-{self._run}-{request.first}"
        for attempt in range(RETRIES_MAX + 1):
            last = not self._retry or attempt == RETRIES_MAX
            refused, wait = await self._once(path, body, headers, request, due)
            if refused is None:
                return
            if last or wait is None:
                self.outcome.refused[refused] += request.size
                return
            self.outcome.retries += 1
            await asyncio.sleep(min(wait, RETRY_WAIT_MAX_SECONDS))

    async def _once(
        self, path: str, body: bytes, headers: dict[str, str], request: Request, due: float
    ) -> tuple[str | None, float | None]:
        """Why it was refused, if it was; and after how many seconds to try again, if ever."""
        try:
            async with self._session.post(self._api + path, data=body, headers=headers) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__, RETRY_WAIT_SECONDS
        if response.status == ACCEPTED:
            try:
                self._took(answer, request, due)
            except msgspec.DecodeError:
                return NO_ANSWER, None
            self.outcome.accept.note(time.monotonic() - due)
            return None, None
        with contextlib.suppress(msgspec.DecodeError):
            code = msgspec.json.decode(answer, type=_Problem).code
            if response.status not in (TOO_MANY, UNAVAILABLE):
                return f"{response.status} {code}", None
            asked = retry_after_seconds(response.headers.get("Retry-After", ""), datetime.now(UTC))
            return f"{response.status} {code}", RETRY_WAIT_SECONDS if asked is None else asked
        return str(response.status), None

    def _took(self, answer: bytes, request: Request, due: float) -> None:
        if request.batch:
            items = msgspec.json.decode(answer, type=_Items).items
        else:
            items = [msgspec.json.decode(answer, type=_Item)]
        for item in items:
            if item.id is None:
                self.outcome.refused[str((item.error or {}).get("code"))] += 1
                continue
            self.outcome.accepted += 1
            if item.status == "suppressed":
                self.outcome.suppressed += 1
            else:
                self.waiting.accepted(item.id, due)


@contextlib.asynccontextmanager
async def hearing(
    client: Client, listen: Address, heard: Callable[[str, str, object], None]
) -> AsyncIterator[Receiver]:
    """A webhook endpoint of the run, which is gone behind it. Raises RehearsalError, OSError."""
    receiver = Receiver(heard)
    async with serving(receiver.application, listen.host, listen.port) as url:
        endpoint = await receiver.subscribe(client, url)
        try:
            yield receiver
        finally:
            path = f"/v1/webhook-endpoints/{endpoint}"
            try:
                await client.call("DELETE", path)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise RehearsalError(f"{path} is still there: {error}") from error
