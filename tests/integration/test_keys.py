"""Keys beside a running gateway: what a command ends it refuses, and each use is seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import asyncpg

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.processes import printed
from gateway.rehearsal.running import Running
from tests.fork_server import forked
from tests.integration.running import create_key, gateway, simulator, write_config

CACHE = {"web.edge.auth.CACHE_SECONDS": 0.1}


async def said(running: Running, key: str) -> str | None:
    """The problem's code; None: the key is good."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.get(running.api + "/v1/queue") as response,
    ):
        code: str | None = (await response.json()).get("code")
        return code


async def until_said(running: Running, key: str, code: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await said(running, key) != code:
            await asyncio.sleep(POLL_SECONDS)


async def keys(config: Path, *arguments: str) -> str:
    command = ["keys", *arguments, "--config", str(config)]
    return await printed(command, config.with_suffix(".l"), start=forked)


async def test_o3_a_running_gateway_follows_what_becomes_of_a_key(
    database_url: str, folder: Path
) -> None:
    async with simulator(folder) as sim:
        config = write_config(folder, database_url, sim.port)
        async with gateway(config, CACHE) as running:
            old = await create_key(config, "site")
            assert await said(running, old) is None
            new = await keys(config, "rotate", "site", "--overlap", "0")
            await until_said(running, old, "key_expired")
            assert await said(running, new) is None
            await keys(config, "revoke", "site")
            await until_said(running, new, "key_revoked")
    connection = await asyncpg.connect(database_url)
    used = await connection.fetch(
        "SELECT last_used_at FROM api_key WHERE name LIKE 'site%' AND last_used_at IS NOT NULL"
    )
    await connection.close()
    assert len(used) == 2, "stored when the gateway stops, if not before"
