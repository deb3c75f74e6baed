"""A breaker over two gateways and one database: it holds, detours, probes, and survives a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.configuration import Connector
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator
from storage.pool import close_connection, connect
from tests.integration.running import gateway, message, simulator, write_config

SIM = "/v1/breakers/connector/sim"
# How often one looks, and how long a change waits until every process has looked.
QUICK = {"dispatch.breakers.watch.LOOK_SECONDS": 0.1, "dispatch.breakers.watch.LEARNED_MS": 200}
WHY = {"reason": "ticket 4711", "seconds": 3_600}


async def arrived(carrier: Simulator, numbers: range) -> None:
    wanted = {str(message(number)["to"]).removeprefix("+") for number in numbers}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not wanted <= {line.destination for line in carrier.accepted()}:
            await asyncio.sleep(POLL_SECONDS)


async def until_state(running: Running, state: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            shown: dict[str, Any] = await running.get(SIM)
            if shown["state"] == state:
                return shown
            await asyncio.sleep(POLL_SECONDS)


async def test_an_opened_breaker_detours_on_every_gateway_and_outlives_a_kill(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", bytes(range(64)).hex())
    async with simulator(folder, name="sim") as sim, simulator(folder, name="b") as other:
        homes = [folder / "one", folder / "two"]
        for home in homes:
            home.mkdir()
        first_config, second_config = (
            write_config(home, database_url, sim.port, others=[Connector("b", other.port)])
            for home in homes
        )
        async with gateway(second_config) as second:
            async with gateway(first_config) as first:
                await first.send([message(number) for number in range(5)])
                await arrived(sim, range(5))
                before = len(sim.accepted())
                status, opened = await first.call("POST", f"{SIM}/open", WHY)
                assert (status, opened["state"]) == (200, "forced_open")
                await first.send([message(number) for number in range(100, 120)])
                await arrived(other, range(100, 120))
                assert len(sim.accepted()) == before
                first.kill()
                await first.exit()
            # The other one learns it from the database; so does the next life of the first.
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await second.metric('sms_breakers_open{scope="connector"}'):
                    await asyncio.sleep(POLL_SECONDS)
            await second.send([message(number) for number in range(200, 210)])
            await arrived(other, range(200, 210))
            async with gateway(first_config) as first:
                items = await first.send([message(number) for number in range(300, 310)])
                await arrived(other, range(300, 310))
                assert "rerouted" in await first.kinds(items[0]["id"])
                await first.send([message(400, category="otp")])
                await arrived(sim, range(400, 401))
                assert len(sim.accepted()) == before + 1
                status, closed = await first.call("POST", f"{SIM}/close", WHY)
                assert (status, closed["state"]) == (200, "forced_closed")
                await first.send([message(number) for number in range(500, 505)])
                await arrived(sim, range(500, 505))


async def test_it_probes_what_waits_and_closes(database_url: str, folder: Path) -> None:
    """With no other way messages wait; twenty go, then a hundred, then the rest."""
    async with simulator(folder, name="sim") as sim:
        config = write_config(folder, database_url, sim.port)
        async with gateway(config, QUICK) as running:
            await running.call("POST", f"{SIM}/open", WHY)
            items = await running.send([message(number) for number in range(700)])
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await running.get(SIM))["held"] < 700:
                    await asyncio.sleep(POLL_SECONDS)
            shown = await running.message(items[0]["id"])
            assert (shown["status"], shown["reason"]) == ("held", "breaker")
            assert sim.accepted() == []
            connection = await connect(database_url, application_name="test")
            try:
                await connection.execute("UPDATE breaker SET until = now(), wait_ms = 1")
            finally:
                await close_connection(connection)
            await running.until(delivered=620)
            closed = await until_state(running, "closed")
            assert closed["actor"] == "probes"
            await running.until(delivered=700)
            assert closed["probes"] is None
