"""A carrier that is away, a queue that is full, a start that cannot be: told clearly, and
nothing lost.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.processes import free_port
from tests.fork_server import forked
from tests.integration.running import gateway, message, simulator, write_config


@pytest.fixture
def away() -> Iterator[int]:
    """A port that refuses connections. It is held, so that no other server of a test is given it.

    A server that asks for this very port may listen there.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_messages_wait_for_a_carrier_that_is_away(
    database_url: str, folder: Path, away: int
) -> None:
    async with gateway(write_config(folder, database_url, away)) as running:
        await running.send([message(n) for n in range(50)])
        status, ready = await running.call("GET", "/readyz")
        assert status == 503
        (connector,) = [part for part in ready["components"] if "sim" in part["name"]]
        assert not connector["ok"]
        assert f"127.0.0.1:{away}" in connector["reason"]
        counts = await running.counts()
        assert (counts["accepted"], counts["pending"], counts["sent"]) == (50, 50, 0)
        async with simulator(folder, port=away):
            await running.until(delivered=50)
            status, _ = await running.call("GET", "/readyz")
            assert status == 200


async def test_e50_a_carrier_that_is_away_costs_no_processor(
    database_url: str, folder: Path, away: int
) -> None:
    async with gateway(write_config(folder, database_url, away)) as running:
        await running.send([message(n) for n in range(500)])
        process = psutil.Process(running.pid)
        before = sum(process.cpu_times()[:2])
        await asyncio.sleep(1)
        # A spin takes the whole core; reconnecting five times a second takes a few per cent of one.
        assert sum(process.cpu_times()[:2]) - before < 0.25


async def test_a_full_queue_is_503_and_stores_nothing(database_url: str, folder: Path) -> None:
    rest = "[accept]\nwaiting_max = 100\n"
    async with gateway(write_config(folder, database_url, 1, rest=rest)) as running:
        body = {"messages": [message(n) for n in range(101)]}
        url = f"{running.api}/v1/messages/batch"
        async with running.session.post(url, json=body) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
            assert (await response.json(content_type=None))["code"] == "overloaded"
        assert (await running.counts())["accepted"] == 0


async def as_an_interpreter(config: Path) -> tuple[int | None, list[str]]:
    """`smsgate serve` as it is run, to its end; exit code and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "serve", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, complaint = await process.communicate()
    return process.returncode, complaints(complaint.decode())


async def served(config: Path) -> tuple[int | None, list[str]]:
    """The same from the fork server."""
    log = config.with_suffix(".log")
    process = await forked(["serve", "--config", str(config)], log)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await process.wait()
    return process.returncode, complaints(log.read_text())


def complaints(standard_error: str) -> list[str]:
    return [line for line in standard_error.splitlines() if not line.startswith("{")]


async def test_a_port_in_use_is_one_line_and_exit_code_1(database_url: str, folder: Path) -> None:
    async with gateway(write_config(folder, database_url, 1)) as running:
        taken = running.api.removeprefix("http://")
        config = folder / "second.toml"
        config.write_text(running.config.read_text().replace("127.0.0.1:0", taken))
        text = config.read_text()
        config.write_text(text.replace("[links]\nlisten", "[links]\nlifetime_days = 3\nlisten"))
        code, lines = await as_an_interpreter(config)
    assert code == 1
    assert len(lines) == 1
    assert "address already in use" in lines[0]


@pytest.mark.parametrize(
    ("replaced", "by", "complaint"),
    [
        ("system_id", "sytem_id", "system_id"),
        ("window = 50", "window = 0", "window"),
    ],
    ids=["unknown key", "out of range"],
)
async def test_a_bad_configuration_is_a_line_a_mistake_that_names_the_key(
    folder: Path, replaced: str, by: str, complaint: str
) -> None:
    config = write_config(folder, "embedded", 1, connector="window = 50")
    text = config.read_text()
    assert replaced in text
    config.write_text(text.replace(replaced, by))
    code, lines = await served(config)
    assert code == 78  # EX_CONFIG: starting it once more helps nobody
    assert all(complaint in line for line in lines) and lines


async def test_a_database_that_is_away_is_one_line_and_exit_code_1(folder: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    code, lines = await served(write_config(folder, url, 1))
    assert code == 1
    assert len(lines) == 1
    assert "database" in lines[0]
