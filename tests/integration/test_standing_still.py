"""PostgreSQL neither works nor dies: it is said, waits have an end, and so has a stop, however it
is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.running import Running
from storage.pool import Connection
from tests.integration.running import gateway, message, write_config

QUICKLY = {
    "gateway.health.FLUSH_SECONDS_MAX": 0.2,
    "storage.reads.READ_SECONDS_MAX": 0.5,
    "storage.reads.FREE_SECONDS_MAX": 0.5,
    "gateway.app.STORING_SECONDS": 0.5,
    "gateway.stopping.HARD_SECONDS": 0.2,
}
NOWHERE = 9  # no carrier is needed


@contextlib.asynccontextmanager
async def standing_still(connection: Connection, role: str) -> AsyncIterator[None]:
    """The backends of this database whose connections have this role."""
    rows = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND application_name LIKE $1",
        f"smsgate:{role}",
    )
    pids: Sequence[int] = [row["pid"] for row in rows]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def component(running: Running, name: str, *, ok: bool) -> str | None:
    """Wait until readiness says so of this component; its reason."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            _, ready = await running.call("GET", "/readyz")
            (found,) = [each for each in ready["components"] if each["name"] == name]
            if found["ok"] is ok:
                reason: str | None = found["reason"]
                return reason
            await asyncio.sleep(0.02)


async def test_o7_o8_one_that_says_nothing_is_noticed_and_goes_on_when_it_speaks(
    database_url: str, folder: Path, connection: Connection
) -> None:
    async with gateway(write_config(folder, database_url, NOWHERE), QUICKLY) as running:
        await running.send([message(1)])
        async with standing_still(connection, "%:accept"):
            sending = asyncio.create_task(running.send([message(2)]))
            why = await component(running, "storing messages", ok=False)
            assert why is not None and why.startswith("the database has not answered")
            assert not sending.done()
        await sending
        await component(running, "storing messages", ok=True)
        assert (await running.counts())["accepted"] == 2


async def test_o7_a_report_that_is_never_answered_ends_and_the_next_one_is_answered(
    database_url: str, folder: Path, connection: Connection
) -> None:
    async with gateway(write_config(folder, database_url, NOWHERE), QUICKLY) as running:
        await running.counts()
        async with standing_still(connection, "read"), asyncio.timeout(PATIENCE_SECONDS):
            seen = set()
            while 200 not in seen:
                status, _ = await running.call("GET", "/v1/reports/delivery")
                seen.add(status)
            assert seen <= {200, 503}


async def test_o7_a_stop_ends_while_postgresql_stands_still(
    database_url: str, folder: Path, connection: Connection
) -> None:
    config = write_config(folder, database_url, NOWHERE, rest="[limits]\ndrain_seconds = 1")
    async with gateway(config, QUICKLY) as running:
        await running.send([message(1)])
        async with standing_still(connection, "%"):
            asking = asyncio.create_task(running.session.post(f"{running.api}/v1/messages"))
            running.signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await running.exit() == 0
            asking.cancel()
        assert "stop_step_overdue" in running.log()


async def test_o6_a_stop_is_announced_before_the_port_closes(
    database_url: str, folder: Path
) -> None:
    config = write_config(folder, database_url, NOWHERE)
    config.write_text(config.read_text().replace("[http]", "[http]\nlame_duck_seconds = 300", 1))
    async with gateway(config) as running:
        running.signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                status, ready = await running.call("GET", "/readyz")
                if any(each["reason"] == "the gateway is stopping" for each in ready["components"]):
                    break
        assert status == 503
        assert len(await running.send([message(1)])) == 1  # what is still sent here is taken
        running.signal(signal.SIGTERM)  # a second one is in a hurry
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await running.exit() == 0
        (first, *_) = running.log().splitlines()
        started = json.loads(first)
        assert started["event"] == "starting"
        assert started["config"] == str(running.config)
        assert started["version"] and started["database"].startswith("postgresql://")
