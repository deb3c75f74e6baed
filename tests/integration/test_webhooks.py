"""Webhooks of running gateways: every final status is told, whatever dies in between, and what is
told twice is told under one id.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from dlr.webhooks import endpoints
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox
from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import Running
from storage.ids import format_id
from storage.keys import load_keys
from storage.pool import Connection
from tests.dlr.webhooks.receiver import Heard, Receiver, bad, good, receiving
from tests.dlr.webhooks.world import KEY
from tests.integration.carrier import carrier, deliver_and_confirm
from tests.integration.database_proxy import DatabaseProxy, database_proxy
from tests.integration.running import gateway, message, simulator, write_config
from tests.integration.test_crash import (
    NUMBERS_OF_A_LIFE,
    kill_when_submitting,
    send_until_dead,
)

MESSAGES = 30
Step = Callable[[DatabaseProxy, Receiver, Callable[[], None]], None]


async def endpoint_of(connection: Connection, folder: Path, url: str, *events: str) -> None:
    """As the API makes one, of account `default`, before the gateway starts."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    box = SecretBox(load_keys(data, {}))
    now = datetime.now(UTC)
    await connection.execute("INSERT INTO account (name) VALUES ('default') ON CONFLICT DO NOTHING")
    account = await connection.fetchval("SELECT id FROM account WHERE name = 'default'")
    endpoint = Endpoint(
        id=1, account=account, url=url, events=events, secrets=(Secret(KEY),), since=now,
        created_at=now,
    )  # fmt: skip
    await endpoints.create(connection, box, endpoint)


def final(heard: list[Heard]) -> dict[str, set[str]]:
    """message -> the ids of events that told its last status."""
    told: dict[str, set[str]] = {}
    for each in heard:
        each.verify()
        data = each.told["data"]
        if data["final"]:
            told.setdefault(data["id"], set()).add(each.id)
    return told


async def all_told(receiver: Receiver, wanted: set[str]) -> dict[str, set[str]]:
    """Wait until the last status of each of these messages was told."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not wanted <= set(final(receiver.heard)):
            await asyncio.sleep(POLL_SECONDS)
    return final(receiver.heard)


def before_the_change_is_committed(
    proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]
) -> None:
    proxy.arm("record", asked=rb"COMMIT", before=True, act=kill)


def behind_the_change(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("record", asked=rb"COMMIT", act=kill)


def before_events_are_made(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("webhook-fan-out", asked=rb"COMMIT", before=True, act=kill)


def behind_the_events(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("webhook-fan-out", asked=rb"COMMIT", act=kill)


def before_the_claim(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("webhook-claims", asked=rb"COMMIT", before=True, act=kill)


def behind_the_claim(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("webhook-claims", asked=rb"COMMIT", act=kill)


def at_the_attempt(_: DatabaseProxy, receiver: Receiver, kill: Callable[[], None]) -> None:
    def answer(heard: Heard) -> web.Response:
        if heard.told["data"]["final"]:
            kill()
        return good(heard)

    receiver.answer = answer


def before_the_attempt_is_stored(
    proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]
) -> None:
    proxy.arm("webhook-results", asked=rb"COMMIT", before=True, act=kill)


def behind_the_stored_attempt(proxy: DatabaseProxy, _: Receiver, kill: Callable[[], None]) -> None:
    proxy.arm("webhook-results", asked=rb"COMMIT", act=kill)


STEPS: list[Step] = [
    before_the_change_is_committed,
    behind_the_change,
    before_events_are_made,
    behind_the_events,
    before_the_claim,
    behind_the_claim,
    at_the_attempt,
    before_the_attempt_is_stored,
    behind_the_stored_attempt,
]


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
async def test_kill_9_at_each_step_from_a_change_to_its_attempt(
    database_url: str, connection: Connection, folder: Path, step: Step
) -> None:
    killed = asyncio.Event()
    async with carrier() as smsc, database_proxy(database_url) as proxy, receiving() as receiver:
        smsc.react = deliver_and_confirm
        await endpoint_of(connection, folder, receiver.url, "message.*")
        config = write_config(folder, proxy.url, smsc.port, rest=LOCAL_WEBHOOKS)
        async with gateway(config) as life:
            pid = life.child.process.pid

            def kill() -> None:
                if not killed.is_set():
                    os.kill(pid, signal.SIGKILL)
                    killed.set()

            step(proxy, receiver, kill)
            items = await life.send([message(number) for number in range(MESSAGES)])
            async with asyncio.timeout(PATIENCE_SECONDS):
                await killed.wait()
            await life.child.process.wait()
        receiver.answer = good
        submitted = list(smsc.submits)
        config = write_config(folder, database_url, smsc.port, rest=LOCAL_WEBHOOKS)
        async with gateway(config) as life:
            await smsc.deliver_again(submitted)
            told = await all_told(receiver, {item["id"] for item in items})
            await _drained(life, connection)
    assert all(len(ids) == 1 for ids in told.values())
    assert await connection.fetchval("SELECT count(*) FROM webhook_change") == 0


async def test_kill_9_twice_with_a_receiver_that_refuses_a_fifth(
    database_url: str, connection: Connection, folder: Path
) -> None:
    """Every final event arrives, once or again with its id. The ten thousand: `benchmarks`."""
    accepted: dict[str, str] = {}
    async with receiving() as receiver, simulator(folder) as sim:

        def a_fifth(heard: Heard) -> web.Response:
            return bad(heard) if len(receiver.heard) % 5 == 0 else good(heard)

        receiver.answer = a_fifth
        await endpoint_of(connection, folder, receiver.url, "message.*")
        config = write_config(folder, database_url, sim.port, rest=LOCAL_WEBHOOKS)
        for life in range(2):
            async with gateway(config) as running:
                await asyncio.gather(
                    send_until_dead(running, accepted, life * NUMBERS_OF_A_LIFE),
                    kill_when_submitting(running, sim, 150 * (life + 1)),
                )
        async with gateway(config) as running:
            counts = await running.until(delivered=1)
            wanted = await _final(connection)
            told = await all_told(receiver, wanted)
            assert counts["delivered"] > 0
    assert all(len(ids) == 1 for ids in told.values())


async def _final(connection: Connection) -> set[str]:
    """Messages that are delivered, once nothing waits and no receipt is owed."""
    query = (
        "SELECT count(*) FROM outbox UNION ALL"
        " SELECT count(*) FROM submission WHERE status = 10 OR (status = 5 AND error = 'resent')"
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(row["count"] for row in await connection.fetch(query)):
            await asyncio.sleep(POLL_SECONDS)
    rows = await connection.fetch("SELECT DISTINCT message_id FROM submission WHERE status = 60")
    return {format_id("msg", row["message_id"]) for row in rows}


async def _drained(life: Running, connection: Connection) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval("SELECT count(*) FROM webhook_delivery"):
            await asyncio.sleep(POLL_SECONDS)
    async with life.session.get(f"{life.api}/metrics") as response:
        metrics = await response.text()
    assert "sms_webhook_pending 0.0" in metrics
    assert 'sms_webhook_endpoints{state="active"} 1.0' in metrics
