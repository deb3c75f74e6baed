"""Each panel of each dashboard is asked of a real Prometheus, which has watched a real gateway."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from docker.grafana.dashboards import DASHBOARDS
from docker.grafana.drawing import NO_DATA
from docker.grafana.pictures import asking, drawn, filled
from tests.integration.prometheus import prometheus
from tests.integration.running import gateway, message, simulator, write_config

INTERVAL = "30s"


async def test_every_panel_answers_and_those_that_have_data_show_it(
    tmp_path: Path, database_url: str
) -> None:
    async with (
        simulator(tmp_path) as carrier,
        gateway(
            write_config(tmp_path, database_url, carrier.port, connector="rate = '1000/s'\n")
        ) as running,
        prometheus(tmp_path, running.address) as server,
    ):
        await server.has(running.session, "sms_build_info")
        await running.send([message(number) for number in range(20)])
        delivered = 'sum(sms_parts_final_total{status="delivered"}) == 20'
        await server.has(running.session, delivered)
        await server.has(running.session, "count_over_time(sms_build_info[1m]) > 5")
        empty: list[str] = []
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                for query in panel.queries:
                    found = await server.asked(running.session, filled(query.expression, INTERVAL))
                    if panel.has_data and not found:
                        empty.append(f"{dashboard.uid}: {panel.title}: {query.expression}")
        assert empty == []
        await hold_pictures(server.url)


async def hold_pictures(url: str) -> None:
    """Our own code draws each panel that has data from the same Prometheus."""
    now = time.time()
    for dashboard in DASHBOARDS:
        text = await asyncio.to_thread(drawn, dashboard, asking(url), now - 30, now, INTERVAL)
        assert text.count(NO_DATA) <= sum(not panel.has_data for panel in dashboard.panels)
