"""From a text to an order: a person follows the link, and the shop says what came of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.running import Running
from tests.dispatch.inbound.pages import PERSON
from tests.integration.running import create_key, gateway, simulator, write_config

MESSAGE: dict[str, object] = {
    "to": "+8613812341000", "text": "An offer https://shop.example/a?b=1", "campaign_id": "june",
}  # fmt: skip
SCOPES = ("conversions:write", "contacts:read", "contacts:write", "segments:read")
QUICK = {"campaigns.events.gathering.GATHER_SECONDS": 0.1}
LINKS = '[links]\nclick_id_hosts = ["shop.example"]\nclick_id_parameter = "from_sms"\n'


async def test_an_order_is_tied_to_the_click_that_led_to_it(
    folder: Path, database_url: str
) -> None:
    async with simulator(folder) as carrier:
        config = write_config(folder, database_url, carrier.port)
        config.write_text(config.read_text().replace("[links]\n", LINKS))
        async with gateway(config, QUICK) as running:
            shop = await create_key(config, "shop", "--scopes", *SCOPES)
            headers = {"Authorization": f"Bearer {shop}"}
            await told(running, headers, "contacts", {"numbers": [MESSAGE["to"]]})
            [sent] = await running.send([MESSAGE])
            code = (await running.message(sent["id"]))["text"].rpartition("/")[2]
            click = await followed(running, code)
            await loaded(running)
            order = {"id": "1042", "event": "order", "click": click, "value": "129.90",
                     "currency": "CNY"}  # fmt: skip
            url = f"{running.api}/v1/conversions"
            stored: dict[str, Any] = {}
            for status in (201, 200):
                async with running.session.post(url, json=order, headers=headers) as answer:
                    stored = await answer.json()
                    assert answer.status == status, stored
            assert (stored["click"], stored["attribution"]) == (click, "last_click")
            assert (stored["message"], stored["value"]) == (sent["id"], "129.9")
            forged = {
                **order,
                "id": "1043",
                "click": click[:-1] + ("b" if click[-1] != "b" else "c"),
            }
            async with running.session.post(url, json=forged, headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == (422, "conversion_unknown")
            await landed(running, click)
            source = "count(order, 1d) = 1 and count(visit, 1d) = 1"
            asked = {"source": source, "sample": 0}
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (await told(running, headers, "segments/preview", asked))["inside"]:
                    await asyncio.sleep(POLL_SECONDS)


async def told(
    running: Running, headers: dict[str, str], path: str, body: dict[str, object]
) -> dict[str, Any]:
    """What a POST with this key is answered."""
    url = f"{running.api}/v1/{path}"
    async with running.session.post(url, json=body, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status in (200, 201), found
        return found


async def landed(running: Running, click: str) -> None:
    """The landing page's pixel tells of the visit, once, and the report has it."""
    for _ in range(2):
        url = f"{running.links}/v.gif?cid={click}"
        async with running.session.get(url, headers=PERSON) as answer:
            assert (answer.status, answer.content_type) == (200, "image/gif")
    report = await running.get("/v1/reports/clicks")
    rate = report["total"]["rates"]["landing_rate"]
    assert (rate["numerator"], rate["denominator"]) == (1, 1)


async def followed(running: Running, code: str) -> str:
    """What the link's target is told of the click."""
    url = f"{running.links}/{code}"
    async with running.session.get(url, headers=PERSON, allow_redirects=False) as answer:
        location = urlsplit(answer.headers["Location"])
    assert location.netloc == "shop.example"
    found = parse_qs(location.query)
    assert found["b"] == ["1"]
    return found["from_sms"][0]


async def loaded(running: Running) -> None:
    """Until the click is in the database."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with running.session.get(f"{running.api}/metrics") as answer:
                if 'sms_clicks_total{stage="loaded"} 1' in await answer.text():
                    return
            await asyncio.sleep(POLL_SECONDS)
