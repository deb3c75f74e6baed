"""Phones and machines on real links, with the truth known; then orders and opt-outs, with a kill.

The report counts people exactly. What was answered before a kill -9 stands, and what is told again
counts once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.phones import PERSON, TRUSTED, Visit, rehearse
from gateway.rehearsal.running import Running
from storage.ids import format_id
from tests.dispatch.inbound.pages import PERSON as BROWSER
from tests.integration.running import create_key, gateway, simulator, write_config

COUNT = 60
KILL_AFTER = 15
AT_ONCE = 20
REACH_SECONDS = 3.0  # nobody opens a message faster
LINKS = f'{TRUSTED}click_id_hosts = ["shop.example"]\n'
SCOPES = ("conversions:write", "audit:read")


async def test_people_are_counted_exactly_and_nothing_that_was_answered_is_lost(
    folder: Path, database_url: str
) -> None:
    seed = random.randrange(1 << 32)
    async with simulator(folder) as carrier:
        config = write_config(folder, database_url, carrier.port, links=LINKS)
        async with gateway(config) as running:
            site = await create_key(config, "site", "--scopes", *SCOPES)
            messages, links, pages = await sent(running)
            told = await visited(running, links, messages, seed)
            before = Told(running, site, messages, pages)
            await before.until_killed()
        async with gateway(config) as running:
            on_record = await audited(running, site)
            assert {messages[number] for number in before.presses} <= set(on_record)
            after = Told(running, site, messages, pages)
            await asyncio.gather(*after.everything())
            assert {after.orders[n] for n in before.orders} <= {200}
            assert set(after.orders.values()) <= {200, 201}
            assert len(after.orders) == len(after.presses) == COUNT
            total = (await clicks(running))["total"]
            assert total["counts"]["human_clicks"] == told, seed
            both = ("conversions", "conversions_without_click")
            assert sum(total["counts"][name] for name in both) == COUNT
            assert sorted(await audited(running, site)) == sorted(messages)


async def sent(running: Running) -> tuple[list[str], list[str], list[str]]:
    """Messages to as many people: their ids, each one's link, and each one's opt-out page."""
    bodies: list[dict[str, object]] = [
        {
            "to": f"+86138{number:04d}1000", "text": "Sale https://shop.example/ Stop {{optout}}",
            "category": "marketing", "campaign_id": "june",
        }
        for number in range(COUNT)
    ]  # fmt: skip
    ids = [each["id"] for each in await running.send(bodies)]
    await running.until(delivered=COUNT)
    delivered = time.monotonic()
    texts = [(await running.message(each))["text"].split() for each in ids]
    codes = [[text[place].rpartition("/")[2] for text in texts] for place in (1, 3)]
    await asyncio.sleep(max(0.0, delivered + REACH_SECONDS - time.monotonic()))
    links, pages = ([f"{running.links}/{code}" for code in each] for each in codes)
    return ids, links, pages


async def visited(
    running: Running, links: Sequence[str], messages: Sequence[str], seed: int
) -> int:
    """All of them come; the report tells people exactly, each message's own. How often they did."""
    rehearsal = rehearse(links, seed)
    for visits in (rehearsal.before, rehearsal.then):
        for first in range(0, len(visits), AT_ONCE):
            await asyncio.gather(*(visit(running, each) for each in visits[first:][:AT_ONCE]))
    people, loaded = rehearsal.people, 0
    stored = rehearsal.kept
    async with asyncio.timeout(PATIENCE_SECONDS):
        while loaded < stored:
            loaded = int(await running.metric('sms_clicks_total{stage="loaded"}'))
            await asyncio.sleep(POLL_SECONDS)
    found = await clicks(running, "?group_by=message&limit=1000")
    by_message = {
        group["key"]["message"]: group["counts"]["human_clicks"]
        for group in found["groups"]
        if group["counts"]["human_clicks"]
    }
    assert by_message == {
        message: people[link] for message, link in zip(messages, links, strict=True) if people[link]
    }, seed
    counts = found["total"]["counts"]
    assert (counts["clicks"], counts["uv"]) == (stored, len(people))
    by_link = await clicks(running, "?group_by=link,campaign")
    [group] = by_link["groups"]
    assert group["key"] == {"link": "https://shop.example/", "campaign": "june"}
    assert group["rates"]["uctr_delivered"]["numerator"] == len(people)
    assert group["half_life_hours"] == 1
    return people.total()


async def visit(running: Running, each: Visit) -> None:
    async with running.session.request(
        each.method, each.link, headers=each.headers, allow_redirects=False
    ) as answer:
        assert answer.status == 302
        if each.who == PERSON:
            assert "cid=clk_" in answer.headers["Location"]


async def clicks(running: Running, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = await running.get(f"/v1/reports/clicks{query}")
    return found


class Told:
    """What a site tells of orders, and people press on their pages: what was answered."""

    def __init__(
        self, running: Running, key: str, messages: Sequence[str], pages: Sequence[str]
    ) -> None:
        self._running = running
        self._headers = {"Authorization": f"Bearer {key}"}
        self._messages = messages
        self._pages = pages
        self.orders: dict[int, int] = {}
        self.presses: set[int] = set()

    def everything(self) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(tell(number))
            for number in range(COUNT)
            for tell in (self._order, self._press)
        ]

    async def until_killed(self) -> None:
        """Tell all at once, and kill the gateway after the first answers."""
        telling = self.everything()
        while min(len(self.orders), len(self.presses)) < KILL_AFTER:
            await asyncio.wait(telling, return_when=asyncio.FIRST_COMPLETED)
            telling = [task for task in telling if not task.done()]
        self._running.kill()
        await self._running.exit()
        await asyncio.gather(*telling)

    async def _order(self, number: int) -> None:
        body = {"id": f"o{number}", "event": "order", "message": self._messages[number]}
        url = f"{self._running.api}/v1/conversions"
        status = await self._post(url, headers=self._headers, json=body)
        if status:
            self.orders[number] = status

    async def _press(self, number: int) -> None:
        url = f"{self._running.links}/{self._pages[number].rpartition('/')[2]}"
        if await self._post(url, headers=BROWSER, data={"action": "stop"}) == 200:
            self.presses.add(number)

    async def _post(self, url: str, **what: Any) -> int:
        """The status of the answer; 0: there was none."""
        try:
            async with self._running.session.post(url, **what) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, ConnectionError):
            return 0


async def audited(running: Running, key: str) -> list[str]:
    """The message of each opt-out on record."""
    url = f"{running.api}/v1/audit?action=suppression.add&limit=1000"
    headers = {"Authorization": f"Bearer {key}"}
    async with running.session.get(url, headers=headers) as answer:
        rows = (await answer.json())["data"]
    return [format_id("msg", row["detail"]["message_id"]) for row in rows]
