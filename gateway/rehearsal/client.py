"""The demo as an application: it sends over the API, asks for reports, and clicks links like a
phone.

Owns its HTTP calls and what it measures on them. Knows nothing of the gateway's inside.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime

import aiohttp
import msgspec

from gateway.rehearsal.processes import DemoError

LINK = re.compile(r"http://127\.0\.0\.1:\d+/[0-9A-Za-z]{8}")
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1"
)
OK, ACCEPTED, FOUND = 200, 202, 302


class Sending(msgspec.Struct):
    """What was sent and how long the gateway took to answer for it."""

    campaign: str
    began: float  # Unix time
    accepted: list[str] = msgspec.field(default_factory=list)
    suppressed: int = 0
    rejected: int = 0
    parts: int = 0
    answer_seconds: list[float] = msgspec.field(default_factory=list)
    accept_seconds: float = 0.0
    submit_seconds: float = 0.0
    final_seconds: float = 0.0


class Clicked(msgspec.Struct):
    """What clicking brought: how many links led on, and one message whose link was clicked."""

    redirects: int = 0
    message_id: str | None = None


class Waits(msgspec.Struct):
    """From acceptance to submit_sm, and from submit_sm to receipt, of a sample of messages."""

    submit_seconds: list[float] = msgspec.field(default_factory=list)
    receipt_seconds: list[float] = msgspec.field(default_factory=list)


class Figures(msgspec.Struct):
    """Counts and rates, of a group or of all."""

    counts: dict[str, int]
    rates: dict[str, dict[str, float | None]]
    key: dict[str, str | None] = {}


class Report(msgspec.Struct):
    """The answer of a report endpoint, as far as the demo reads it."""

    groups: list[Figures]
    total: Figures


class DemoClient:
    """One application with one key."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str) -> None:
        self._session = session
        self._api_url = api_url

    async def send(self, bodies: Sequence[dict[str, object]], sending: Sending) -> None:
        """One POST /v1/messages/batch. Raises DemoError if the gateway does not take it."""
        began = time.perf_counter()
        payload = msgspec.json.encode({"messages": bodies})
        headers = {"Content-Type": "application/json"}
        url = f"{self._api_url}/v1/messages/batch"
        async with self._session.post(url, data=payload, headers=headers) as response:
            answer = await response.read()
            if response.status != ACCEPTED:
                raise DemoError(f"the gateway answered {response.status}: {answer[:300]!r}")
        sending.answer_seconds.append(time.perf_counter() - began)
        for item in msgspec.json.decode(answer)["items"]:
            if "id" not in item:
                sending.rejected += 1
                continue
            sending.accepted.append(item["id"])
            sending.suppressed += item["status"] == "suppressed"

    async def report(self, name: str, group_by: str = "") -> Report:
        """GET /v1/reports/{name} over the account's messages of the last day."""
        params = {"group_by": group_by} if group_by else {}
        url = f"{self._api_url}/v1/reports/{name}"
        async with self._session.get(url, params=params) as response:
            answer = await response.read()
            if response.status != OK:
                raise DemoError(f"the report was answered {response.status}: {answer[:300]!r}")
        return msgspec.json.decode(answer, type=Report)

    async def campaign(self, name: str, campaign: str, group_by: str = "") -> list[Figures]:
        """The report's groups of this campaign alone."""
        keys = "campaign" if not group_by else f"campaign,{group_by}"
        groups = (await self.report(name, keys)).groups
        return [group for group in groups if group.key["campaign"] == campaign]

    async def click(self, sending: Sending, clicks_max: int) -> Clicked:
        """Open the links of some delivered messages as their recipients would."""
        clicked = Clicked()
        step = max(1, len(sending.accepted) // (clicks_max * 3))
        for message_id in sending.accepted[::step]:
            message = await self._get(f"/v1/messages/{message_id}")
            link = LINK.search(str(message["text"]))
            if link is None or message["status"] != "delivered":
                continue
            headers = {"User-Agent": PHONE, "Accept-Language": "zh-CN", "Accept": "text/html"}
            async with self._session.get(
                link[0], headers=headers, allow_redirects=False
            ) as response:
                clicked.redirects += response.status == FOUND
                clicked.message_id = message_id
            if clicked.redirects >= clicks_max:
                break
        return clicked

    async def events(self, message_id: str) -> list[dict[str, object]]:
        """A message's timeline."""
        answer = await self._get(f"/v1/messages/{message_id}/events")
        events = answer["data"]
        assert isinstance(events, list)
        return events

    async def waits(self, message_ids: Sequence[str]) -> Waits:
        """How long these messages took, from their timelines."""
        waits = Waits()
        for message_id in message_ids:
            at = {
                str(event["kind"]): datetime.fromisoformat(str(event["at"]))
                for event in reversed(await self.events(message_id))
            }
            if "submitted" in at:
                waits.submit_seconds.append((at["submitted"] - at["accepted"]).total_seconds())
                if "receipt" in at:
                    waits.receipt_seconds.append((at["receipt"] - at["submitted"]).total_seconds())
        return waits

    async def submitted(self) -> tuple[float, float]:
        """Parts written to the carrier, and messages that wait, from /metrics."""
        async with self._session.get(f"{self._api_url}/metrics") as response:
            page = await response.text()
        return _metric(page, "sms_submits_total"), _metric(page, "sms_parts_final_total")

    async def _get(self, path: str) -> dict[str, object]:
        async with self._session.get(f"{self._api_url}{path}") as response:
            answer = await response.read()
            if response.status != OK:
                raise DemoError(f"GET {path} was answered {response.status}: {answer[:300]!r}")
        decoded = msgspec.json.decode(answer)
        assert isinstance(decoded, dict)
        return decoded


def _metric(page: str, name: str) -> float:
    """The sum over all labels."""
    lines = (line for line in page.splitlines() if re.match(rf"{name}[ {{]", line))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
