"""Complaints through a gateway that is killed while they are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.running import Running
from smpp.simulator import Simulator
from smpp.simulator.profile import parse_profile
from storage.pool import close_connection, connect
from tests.integration.running import SMOOTH, create_key, gateway, write_config

COUNT = 60
KILL_AFTER = 15
SCOPES = ("complaints:read", "complaints:write", "suppressions:read", "contacts:write")
DUE = "SELECT EXISTS (SELECT FROM contact_event_due)"
EVENTS = "SELECT count(*), count(DISTINCT contact) FROM contact_event WHERE kind = 'complaint'"


async def test_k8_complaints_outlive_a_kill_and_are_told_again(
    folder: Path, database_url: str
) -> None:
    """kill -9 while many are told: what was answered stands, and who was in doubt tells it again.
    Each is stored once, and each number is suppressed.
    """
    simulator = Simulator(parse_profile(SMOOTH, "smooth"), "127.0.0.1", 0)
    await simulator.start()
    config = write_config(folder, database_url, simulator.port)
    try:
        async with gateway(config) as running:
            key = await create_key(config, "desk", "--scopes", *SCOPES)
            for number in range(COUNT):
                await known(running, key, number)
            answered: set[int] = set()
            telling = [asyncio.create_task(tell(running, key, n, answered)) for n in range(COUNT)]
            while len(answered) < KILL_AFTER:
                await asyncio.wait(telling, return_when=asyncio.FIRST_COMPLETED)
                telling = [task for task in telling if not task.done()]
            running.kill()
            await running.child.process.wait()
            await asyncio.gather(*telling)
            stood = set(answered)
        async with gateway(config) as running:
            statuses = [await tell(running, key, n, answered) for n in range(COUNT)]
            assert {statuses[n] for n in stood} == {200}
            assert set(statuses) <= {200, 201}
            assert len(await listed(running, key, "/v1/complaints?limit=1000")) == COUNT
            entries = await listed(running, key, "/v1/suppressions?source=complaint&limit=1000")
            assert len(entries) == COUNT
            connection = await connect(database_url, application_name="test")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await connection.fetchval(DUE):
                    await asyncio.sleep(POLL_SECONDS)
            assert [tuple(row) for row in await connection.fetch(EVENTS)] == [(COUNT, COUNT)], (
                "one of each contact"
            )
            await close_connection(connection)
    finally:
        await simulator.stop()


async def known(running: Running, key: str, number: int) -> None:
    """Whoever will complain is a contact."""
    body = {"numbers": [f"+86138001{number:03}47"]}
    headers = {"Authorization": f"Bearer {key}"}
    url = running.api + "/v1/contacts"
    async with running.session.post(url, json=body, headers=headers) as response:
        assert response.status == 201, await response.text()


async def tell(running: Running, key: str, number: int, answered: set[int]) -> int:
    """The status of the answer; 0 if there was none."""
    body = {"id": f"c{number}", "to": f"+86138001{number:03}47", "source": "carrier"}
    headers = {"Authorization": f"Bearer {key}"}
    url = running.api + "/v1/complaints"
    try:
        async with running.session.post(url, json=body, headers=headers) as response:
            await response.read()
            answered.add(number)
            return response.status
    except aiohttp.ClientError:
        return 0


async def listed(running: Running, key: str, path: str) -> list[object]:
    headers = {"Authorization": f"Bearer {key}"}
    async with running.session.get(running.api + path, headers=headers) as response:
        answer = await response.json()
        assert response.status == 200, answer
        data: list[object] = answer["data"]
        return data
