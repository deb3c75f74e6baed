"""The number key is changed under gateways that are killed on the way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.rehearsal import processes
from gateway.rehearsal.running import Running
from smpp.simulator import Simulator
from smpp.simulator.profile import parse_profile
from storage.key_rotation import Phase, standing
from storage.keys import FILE_NAME, NEXT_FILE_NAME
from storage.pool import Connection
from tests.fork_server import forked
from tests.integration.running import SMOOTH, create_key, gateway, message, write_config

QUICK = {"storage.key_rotation.SETTLE_SECONDS": 0.3}
OPTED_OUT = [str(message(number)["to"]) for number in range(100, 112)]
SECONDS_MAX = 60


async def test_g37_gateways_killed_in_each_phase_text_nobody_who_opted_out(
    folder: Path, database_url: str, connection: Connection
) -> None:
    """kill -9 once each phase has begun; the next life goes on. Then the old key is gone."""
    simulator = Simulator(parse_profile(SMOOTH, "smooth"), "127.0.0.1", 0)
    await simulator.start()
    config = write_config(folder, database_url, simulator.port)
    key_file = folder / "data" / FILE_NAME
    try:
        async with gateway(config, QUICK) as running:
            await suppress(running, config)
            await nobody_is_texted(running)
        first_key = key_file.read_text()
        await rotate(config, "start")
        for phase in (Phase.ANNOUNCED, Phase.WRITING, Phase.REWRITING):
            async with gateway(config, QUICK) as running:
                await until(connection, phase)
                await nobody_is_texted(running)
                running.kill()
                await running.exit()
        async with gateway(config, QUICK) as running:
            await until(connection, Phase.REWRITTEN)
            await nobody_is_texted(running)
            async with asyncio.timeout(SECONDS_MAX):
                while await running.metric("sms_number_rotation_phase") != Phase.REWRITTEN:
                    await asyncio.sleep(0.1)
            assert await running.metric("sms_number_rotation_left_rows") == 0
            assert "finished" in await rotate(config, "finish")
            await nobody_is_texted(running)
        assert key_file.read_text() != first_key
        assert not (folder / "data" / NEXT_FILE_NAME).exists()
        async with gateway(config, QUICK) as running:
            await nobody_is_texted(running)
            listed = await running.call("GET", f"/v1/messages?to=%2B{str(message(1)['to'])[1:]}")
            assert len(listed[1]["data"]) == 7  # of every life
    finally:
        await simulator.stop()


async def suppress(running: Running, config: Path) -> None:
    key = await create_key(config, "desk", "--scopes", "suppressions:write")
    async with running.session.post(
        running.api + "/v1/suppressions",
        json={"suppressions": [{"number": number, "category": "all"} for number in OPTED_OUT]},
        headers={"Authorization": f"Bearer {key}"},
    ) as answer:
        assert (await answer.json())["added"] == len(OPTED_OUT)


async def nobody_is_texted(running: Running) -> None:
    """One by one and in a batch; others are."""
    bodies = [message(0, to=number) for number in OPTED_OUT]
    found = await running.send([*bodies, message(1)])
    assert [each["status"] for each in found[:-1]] == ["suppressed"] * len(OPTED_OUT)
    assert found[-1]["status"] != "suppressed"


async def rotate(config: Path, step: str) -> str:
    command = ["keys", "number-rotate", step, "--config", str(config)]
    return await processes.printed(command, config.with_suffix(".rotate.log"), start=forked)


async def until(connection: Connection, phase: Phase) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while (found := await standing(connection)) is None or found.phase < phase:
            await asyncio.sleep(0.05)
