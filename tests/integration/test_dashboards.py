"""Each panel of each dashboard is asked of a real Prometheus, which has watched a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientError, ClientSession

from docker.grafana.dashboards import DASHBOARDS
from docker.prometheus.rules import render
from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.processes import free_port
from tests.debian import needs
from tests.docker.test_dashboards import filled
from tests.integration.running import gateway, message, simulator, write_config

POLL_SECONDS = 0.2
INTERVAL = "30s"


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """One that scrapes every second, with the shipped rules at a sixtieth of their durations."""
    program = needs("prometheus", "prometheus")
    (folder / "rules.yml").write_text(render(60), encoding="utf-8")
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "smsgate", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
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
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def asked(session: ClientSession, url: str, expression: str) -> list[Any]:
    """What the expression is just now."""
    async with session.get(f"{url}/api/v1/query", params={"query": expression}) as response:
        answer: Any = await response.json()
    assert answer["status"] == "success", (expression, answer)
    return list(answer["data"]["result"])


async def _has(session: ClientSession, url: str, expression: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(ClientError):  # it is starting
                if await asked(session, url, expression):
                    return
            await asyncio.sleep(POLL_SECONDS)


async def test_every_panel_answers_and_those_that_have_data_show_it(
    tmp_path: Path, database_url: str
) -> None:
    async with (
        simulator(tmp_path) as carrier,
        gateway(
            write_config(tmp_path, database_url, carrier.port, connector="rate = '1000/s'\n")
        ) as running,
        prometheus(tmp_path, running.api.removeprefix("http://")) as url,
    ):
        await _has(running.session, url, "sms_build_info")
        await running.send([message(number) for number in range(20)])
        delivered = 'sum(sms_parts_final_total{status="delivered"}) == 20'
        await _has(running.session, url, delivered)
        await _has(running.session, url, "count_over_time(sms_build_info[1m]) > 5")
        empty: list[str] = []
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                for query in panel.queries:
                    found = await asked(running.session, url, filled(query.expression, INTERVAL))
                    if panel.has_data and not found:
                        empty.append(f"{dashboard.uid}: {panel.title}: {query.expression}")
        assert empty == []
