"""Backup under load, restore, go on: what was sent after the backup is not sent again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.rehearsal import running as rehearsal
from gateway.rehearsal.processes import RehearsalError, printed
from gateway.rehearsal.simulator import Simulator
from tests.fork_server import ForkedProcess, forked
from tests.integration.running import SMOOTH, gateway, message, simulator, write_config

MESSAGES = 90
RATE = "rate = '60/s'\n"


async def accepting(arguments: Sequence[str], log: Path) -> ForkedProcess:
    more = ["--accept-restored"] if arguments[0] == "serve" else []
    return await forked([*arguments, *more], log)


async def sent(carrier: Simulator, count: int) -> None:
    while len(carrier.ledger()) < count:
        await asyncio.sleep(0.01)


async def database(config: Path, *arguments: str) -> dict[str, object]:
    command = ["database", *arguments, "--json", "--config", str(config)]
    told: dict[str, object] = json.loads(
        await printed(command, config.with_suffix(".database.log"), start=forked)
    )
    return told


async def test_what_waited_in_a_backup_is_held_and_never_sent_twice(folder: Path) -> None:
    """Two embedded servers are made, which alone takes seconds."""
    numbers = {n: "otp" if n % 3 == 0 else "marketing" for n in range(MESSAGES)}
    async with simulator(folder, SMOOTH) as carrier:
        first = write_config(folder, "embedded", carrier.port, connector=RATE)
        async with gateway(first) as running:
            accepted = await running.send([message(n, category=numbers[n]) for n in numbers])
            await sent(carrier, 10)
            backup = await database(first, "backup", "--to", str(folder / "backups"))
            at_backup = len(carrier.ledger())
            await sent(carrier, min(MESSAGES - 10, at_backup + 20))
            running.kill()
            await running.exit()
        before = Counter(line.destination for line in carrier.ledger())
        key = running.key

        other = folder / "other"
        other.mkdir()
        second = write_config(other, "embedded", carrier.port, connector=RATE)
        number_key = str(folder / "data" / "number.key")
        told = await database(second, "restore", str(backup["folder"]), "--key", number_key)
        waited = told["messages"]
        assert isinstance(waited, int)
        assert waited >= 20, "what was sent after the backup waits in it"
        with pytest.raises(RehearsalError, match="--accept-restored"):
            await rehearsal.serve(second, start=forked)
        async with rehearsal.gateway(second, key=key, start=accepting) as running:
            [item] = await running.send([message(500, category="service")])
            while (await running.message(item["id"]))["status"] != "delivered":
                await asyncio.sleep(0.02)
            standing = [await running.message(item["id"]) for item in accepted]
        # Accepted once is enough.
        async with rehearsal.gateway(second, key=key, start=forked) as running:
            assert (await running.message(item["id"]))["status"] == "delivered"
        after = Counter(line.destination for line in carrier.ledger())
    assert max(after.values()) == 1, "nothing is sent twice"
    assert set(after) - set(before) == {"8613805001000"}, "nor is anything else sent"
    restored = [each for each in standing if each["reason"] == "restored"]
    assert len(restored) == waited
    assert {(each["category"], each["status"]) for each in restored} <= {
        ("otp", "expired"),
        ("marketing", "unconfirmed"),
    }
