"""The demo as an application: it sends batches, lets phones and machines open links, and reads
timelines.

Owns what it measures on its calls. Must not know the gateway's inside.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.rehearsal.client import Client, Figures
from gateway.rehearsal.phones import rehearse
from gateway.rehearsal.processes import RehearsalError

LINK = re.compile(r"http://127\.0\.0\.1:\d+/[0-9A-Za-z]{8}")
FOUND = 302
SEED = 7


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
    """Who opened links: clicks by people, all that are kept, visits of machines, and one message
    whose link a person opened.
    """

    by_people: int = 0
    kept: int = 0
    by_machines: int = 0
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


async def click(client: Client, sending: Sending, links_max: int) -> Clicked:
    """The links of some delivered messages are opened: by phones, and by machines around them."""
    links: dict[str, str] = {}
    step = max(1, len(sending.accepted) // (links_max * 3))
    for message_id in sending.accepted[::step]:
        message = await client.message(message_id)
        link = LINK.search(str(message["text"]))
        if link is not None and message["status"] == "delivered":
            links[link[0]] = message_id
        if len(links) >= links_max:
            break
    rehearsal = rehearse(list(links), SEED)
    for visit in rehearsal.visits:
        async with client.session.request(
            visit.method, visit.link, headers=visit.headers, allow_redirects=False
        ) as response:
            if response.status != FOUND:
                raise RehearsalError(f"{visit.who}: a link was answered {response.status}")
    people = rehearsal.people
    opened = next(iter(people), None)
    return Clicked(
        people.total(),
        rehearsal.kept,
        rehearsal.machines,
        None if opened is None else links[opened],
    )


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
