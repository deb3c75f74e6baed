"""An import of suppressions whose gateway is killed: whole steps are there, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from gateway.rehearsal.running import Running
from tests.integration.running import create_key, gateway, simulator, write_config
from web.api.suppression_imports import STEP_ROWS

ROWS = 5 * STEP_ROWS
SENT = 2 * STEP_ROWS + 100
LINES = ["number\r\n", *(f"+86138{n:08}\r\n" for n in range(ROWS))]


async def imports(running: Running, key: str) -> list[Any]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{running.api}/v1/suppressions/imports") as response,
    ):
        return list((await response.json())["data"])


async def send(running: Running, key: str, body: Any) -> Any:
    headers = {
        "Authorization": f"Bearer {key}", "Content-Type": "text/csv", "Idempotency-Key": "list",
    }  # fmt: skip
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{running.api}/v1/suppressions/import", data=body) as response,
    ):
        return await response.json()


async def test_an_import_goes_on_after_kill_9_and_counts_nothing_twice(
    database_url: str, folder: Path
) -> None:
    never = asyncio.Event()

    async def part() -> AsyncIterator[bytes]:
        yield "".join(LINES[: SENT + 1]).encode()
        await never.wait()

    async with simulator(folder) as sim:
        config = write_config(folder, database_url, sim.port)
        async with gateway(config) as running:
            key = await create_key(
                config, "lists", "--scopes", "suppressions:read", "suppressions:write"
            )
            sending = asyncio.ensure_future(send(running, key, part()))
            while not (found := await imports(running, key)) or found[0]["rows"] < 2 * STEP_ROWS:
                await asyncio.sleep(0.01)
            assert found[0]["state"] == "running"
            running.kill()
            await running.exit()
            assert isinstance((await asyncio.gather(sending, return_exceptions=True))[0], Exception)
        async with gateway(config) as running:
            [found] = await imports(running, key)
            assert (found["state"], found["detail"]) == ("interrupted", "gone")
            assert found["rows"] == found["added"]
            assert 2 * STEP_ROWS <= found["rows"] <= SENT
            answer = await send(running, key, "".join(LINES).encode())
    assert (answer["id"], answer["state"]) == (found["id"], "done")
    assert (answer["rows"], answer["added"], answer["existing"]) == (ROWS, ROWS, 0)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM suppression") == ROWS
    verdicts = await connection.fetch("SELECT taken FROM suppression_import_step")
    assert sum(row["taken"].count(b"\n") for row in verdicts) == ROWS
    await connection.close()
