"""The demo as an application: it sends its batches, clicks links like a phone, and reads timelines.

Owns what it measures on its calls. Must not know the gateway's inside.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.rehearsal.client import Client, Figures

LINK = re.compile(r"http://127\.0\.0\.1:\d+/[0-9A-Za-z]{8}")
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1"
)
FOUND = 302


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


async def send(client: Client, bodies: Sequence[dict[str, object]], sending: Sending) -> None:
    """One batch, noted."""
    began = time.perf_counter()
    items = await client.send(bodies)
    sending.answer_seconds.append(time.perf_counter() - began)
    for item in items:
        if "id" not in item:
            sending.rejected += 1
            continue
        sending.accepted.append(item["id"])
        sending.suppressed += item["status"] == "suppressed"


async def of_campaign(
    client: Client, report: str, campaign: str, group_by: str = ""
) -> list[Figures]:
    """The report's groups of this campaign alone."""
    keys = "campaign" if not group_by else f"campaign,{group_by}"
    groups = (await client.report(report, keys)).groups
    return [group for group in groups if group.key["campaign"] == campaign]


async def click(client: Client, sending: Sending, clicks_max: int) -> Clicked:
    """Open the links of some delivered messages as their recipients would."""
    clicked = Clicked()
    step = max(1, len(sending.accepted) // (clicks_max * 3))
    for message_id in sending.accepted[::step]:
        message = await client.message(message_id)
        link = LINK.search(str(message["text"]))
        if link is None or message["status"] != "delivered":
            continue
        headers = {"User-Agent": PHONE, "Accept-Language": "zh-CN", "Accept": "text/html"}
        async with client.session.get(link[0], headers=headers, allow_redirects=False) as response:
            clicked.redirects += response.status == FOUND
            clicked.message_id = message_id
        if clicked.redirects >= clicks_max:
            break
    return clicked


async def waits_of(client: Client, message_ids: Sequence[str]) -> Waits:
    """How long these messages took, from their timelines."""
    waits = Waits()
    for message_id in message_ids:
        at = {
            str(event["kind"]): datetime.fromisoformat(str(event["at"]))
            for event in reversed(await client.events(message_id))
        }
        if "submitted" in at:
            waits.submit_seconds.append((at["submitted"] - at["accepted"]).total_seconds())
            if "receipt" in at:
                waits.receipt_seconds.append((at["receipt"] - at["submitted"]).total_seconds())
    return waits
