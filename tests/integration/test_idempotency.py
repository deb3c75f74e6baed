"""The same request after kill -9, between the commit of its messages and its answer, or before."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.running import Running
from tests.integration.carrier import carrier, deliver_and_confirm
from tests.integration.database_proxy import DatabaseProxy, database_proxy
from tests.integration.running import gateway, message, write_config
from tests.integration.test_crash import doubtful

BAD: dict[str, object] = {"to": "12", "text": "x"}


def batch(first: int) -> dict[str, Any]:
    """Both lanes, and one message that is refused."""
    messages = [message(first, category="otp"), BAD]
    return {
        "messages": [*messages, *(message(first + n, client_ref=f"{first + n}") for n in (1, 2))]
    }


async def killed_over(
    running: Running, proxy: DatabaseProxy, key: str, body: object, *, before: bool
) -> None:
    """Sent, and killed before or after the bulk lane's COMMIT."""
    pid = running.pid
    cut = proxy.arm(
        "accept", asked=rb"COMMIT", before=before, act=lambda: os.kill(pid, signal.SIGKILL)
    )
    try:
        await post(running, key, body)
    except (aiohttp.ClientError, ConnectionError):
        await proxy.fired(cut)
        await running.exit()
        return
    raise AssertionError("answered by a dead process")


async def post(running: Running, key: str, body: object) -> tuple[int, bytes, bool]:
    headers = {"Idempotency-Key": key}
    url = running.api + "/v1/messages/batch"
    async with running.session.post(url, json=body, headers=headers) as response:
        replayed = "Idempotency-Replayed" in response.headers
        return response.status, await response.read(), replayed


async def repeated(running: Running, key: str, body: object) -> list[dict[str, Any]]:
    """Answered once more, and then byte for byte."""
    status, answer, replayed = await post(running, key, body)
    assert (status, replayed) == (202, False), answer
    assert await post(running, key, body) == (202, answer, True)
    async with running.session.post(
        running.api + "/v1/messages/batch", json=batch(900), headers={"Idempotency-Key": key}
    ) as response:
        assert response.status == 422
    found = await running.session.get(running.api + "/metrics")
    assert "sms_idempotency_replays_total 1.0" in await found.text()
    items: list[dict[str, Any]] = json.loads(answer)["items"]
    assert [("id" in item) for item in items] == [True, False, True, True]
    assert not any(item.get("deduplicated") for item in items)
    return items


async def test_e91_a_repeat_holds_when_the_process_dies_before_its_answer(
    database_url: str, folder: Path
) -> None:
    one, two = batch(100), batch(200)
    async with carrier() as smsc, database_proxy(database_url) as proxy:
        smsc.react = deliver_and_confirm
        config = write_config(folder, proxy.url, smsc.port)
        async with gateway(config) as running:
            await killed_over(running, proxy, "k-1", one, before=True)
        async with gateway(config) as running:
            first = await repeated(running, "k-1", one)
            await killed_over(running, proxy, "k-2", two, before=False)
        async with gateway(config) as running:
            # The OTP's own lane may have sent it before a kill, and its receipt met a dead session.
            await smsc.until(lambda: smsc.sessions > 2)
            await smsc.deliver_again(list(smsc.submits))
            second = await repeated(running, "k-2", two)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (counts := await running.counts())["delivered"] < 6:
                    await asyncio.sleep(0.05)
            assert counts["accepted"] == 6
            accepted = numbers(one, first) | numbers(two, second)
            for message_id in accepted:
                assert (await running.message(message_id))["status"] == "delivered"
            in_doubt = await doubtful(running, accepted)
        submits = Counter(submit.to for submit in smsc.submits)
    assert set(submits) == set(accepted.values())
    # What was sent twice, once before a kill, says so in its timeline.
    assert {to for to, count in submits.items() if count > 1} <= set(in_doubt)
    assert max(submits.values()) <= 2


def numbers(body: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, str]:
    """id -> number of what was accepted."""
    return {
        item["id"]: str(sent["to"]).removeprefix("+")
        for sent, item in zip(body["messages"], items, strict=True)
        if "id" in item
    }
