"""An application with a key: it sends over the API, and asks what became of it.

Owns its HTTP calls. Must not know the gateway's inside.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import msgspec

from gateway.rehearsal.processes import RehearsalError

PATIENCE_SECONDS = 40.0
POLL_SECONDS = 0.05
ANSWER_SECONDS_MAX = 60.0
CONNECTIONS_MAX = 100
OK, ACCEPTED = 200, 202


class Rate(msgspec.Struct):
    """A rate, as far as it is read here."""

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None


class Figures(msgspec.Struct):
    """Counts and rates, of a group or of all."""

    counts: dict[str, int]
    rates: dict[str, Rate]
    key: dict[str, str | None] = {}


class Report(msgspec.Struct):
    """The answer of a report endpoint, as far as it is read here."""

    groups: list[Figures]
    total: Figures


class Client:
    """One application with one key. What is answered otherwise than it should raises
    RehearsalError.
    """

    def __init__(self, session: aiohttp.ClientSession, api: str, key: str) -> None:
        self.session = session
        self.api = api
        self.key = key

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Any request; its status, and its answer if it has one."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        url = self.api + path
        async with self.session.request(method, url, data=data, headers=headers) as response:
            answer = await response.read()
            return response.status, msgspec.json.decode(answer) if answer else None

    async def send(self, bodies: Sequence[dict[str, object]]) -> list[dict[str, Any]]:
        """One POST /v1/messages/batch that must be taken; the items of its answer."""
        answer = await self._must("POST", "/v1/messages/batch", {"messages": bodies}, ACCEPTED)
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def get(self, path: str) -> Any:
        """What must be there."""
        return await self._must("GET", path, None, OK)

    async def message(self, message_id: str) -> dict[str, Any]:
        """A message as it stands."""
        found: dict[str, Any] = await self.get(f"/v1/messages/{message_id}")
        return found

    async def events(self, message_id: str) -> list[dict[str, Any]]:
        """A message's timeline."""
        found: list[dict[str, Any]] = (await self.get(f"/v1/messages/{message_id}/events"))["data"]
        return found

    async def kinds(self, message_id: str) -> list[str]:
        """The kinds of events on a message's timeline, in order."""
        return [event["kind"] for event in await self.events(message_id)]

    async def report(self, name: str, group_by: str = "") -> Report:
        """GET /v1/reports/{name} over the account's messages of the last day."""
        grouped = f"?group_by={group_by}" if group_by else ""
        return msgspec.convert(await self.get(f"/v1/reports/{name}{grouped}"), Report)

    async def counts(self) -> dict[str, int]:
        """The delivery report's, over all messages."""
        return (await self.report("delivery")).total.counts

    async def until(self, **wanted: int) -> dict[str, int]:
        """Wait until the delivery report counts at least so many; its counts."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                counts = await self.counts()
                if all(counts[name] >= number for name, number in wanted.items()):
                    return counts
                await asyncio.sleep(POLL_SECONDS)

    async def metric(self, name: str) -> float:
        """From /metrics, the sum over all labels that `name` does not give."""
        return (await self.metrics(name))[0]

    async def metrics(self, *names: str) -> list[float]:
        """Several from one page."""
        async with self.session.get(f"{self.api}/metrics") as response:
            page = await response.text()
        return [_sum(page, name) for name in names]

    async def submitted(self) -> tuple[float, float]:
        """Parts written to the carrier, and parts with a final status, from /metrics."""
        submits, final = await self.metrics("sms_submits_total", "sms_parts_final_total")
        return submits, final

    async def _must(self, method: str, path: str, body: object, wanted: int) -> Any:
        status, answer = await self.call(method, path, body)
        if status != wanted:
            raise RehearsalError(f"{method} {path} was answered {status}: {str(answer)[:300]}")
        return answer


@contextlib.asynccontextmanager
async def session_of(
    key: str, connections: int = CONNECTIONS_MAX
) -> AsyncIterator[aiohttp.ClientSession]:
    """So many connections of an application with this key."""
    connector = aiohttp.TCPConnector(limit=connections)
    headers = {"Authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout
    ) as session:
        yield session


def _sum(page: str, name: str) -> float:
    begins = (f"{name} ", f"{name}{{")
    lines = (line for line in page.splitlines() if line.startswith(begins))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
