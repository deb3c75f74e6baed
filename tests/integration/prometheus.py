"""Debian's Prometheus, with the shipped rules at a sixtieth of their durations."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientError, ClientSession

from docker.prometheus.rules import render
from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.processes import free_port
from tests.debian import needs

POLL_SECONDS = 0.2


class Prometheus:
    """One that runs."""

    def __init__(self, folder: Path, url: str, process: asyncio.subprocess.Process) -> None:
        self._folder = folder
        self._process = process
        self.url = url

    def look_at(self, targets: Sequence[str]) -> None:
        """Scrape these from now on, and no others."""
        write(self._folder, targets)
        self._process.send_signal(signal.SIGHUP)

    async def asked(self, session: ClientSession, expression: str) -> list[Any]:
        """What the expression is just now."""
        query = {"query": expression}
        async with session.get(f"{self.url}/api/v1/query", params=query) as response:
            answer: Any = await response.json()
        assert answer["status"] == "success", (expression, answer)
        return list(answer["data"]["result"])

    async def has(self, session: ClientSession, expression: str) -> None:
        """Wait until the expression is something."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(ClientError):  # it is starting
                    if await self.asked(session, expression):
                        return
                await asyncio.sleep(POLL_SECONDS)

    async def fired(self, session: ClientSession, seconds: int = 3_600) -> dict[str, str]:
        """Alert -> the labels of one that has fired in so many seconds."""
        firing = f'max_over_time(ALERTS{{alertstate="firing"}}[{seconds}s])'
        found = await self.asked(session, firing)
        return {each["metric"]["alertname"]: str(each["metric"]) for each in found}


@contextlib.asynccontextmanager
async def prometheus(folder: Path, *targets: str) -> AsyncIterator[Prometheus]:
    """One that scrapes every second."""
    program = needs("prometheus", "prometheus")
    (folder / "rules.yml").write_text(render(60), encoding="utf-8")
    write(folder, targets)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Prometheus(folder, f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def write(folder: Path, targets: Sequence[str]) -> None:
    """Its configuration."""
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "smsgate", "static_configs": [{"targets": [*targets]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
