"""docs/dashboards/*.svg, each dashboard as it looks after some minutes of traffic:

    .venv/bin/python -m tests.docs.dashboard_pictures [MINUTES]

Owns the run: a carrier, a gateway, messages that come and go like a tide, clicks, webhooks, and a
Prometheus from Debian. Must not draw (docker/grafana/drawing.py does).
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
import time
from pathlib import Path

from docker.grafana.dashboards import DASHBOARDS
from docker.grafana.pictures import asking, drawn
from gateway.demo.application import Sending, click, send
from gateway.demo.texts import requests
from gateway.rehearsal.configuration import Configuration, Connector
from gateway.rehearsal.receiver import receiving
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import Running, gateway
from gateway.rehearsal.simulator import Simulator, simulator
from tests.docs.shell import ROOT
from tests.integration.prometheus import prometheus

FOLDER = ROOT / "docs" / "dashboards"
PROFILE = ROOT / "smpp/simulator/profiles/carrier-cn.toml"
INTERVAL = "15s"
MINUTES = 5.0
WAVE_SECONDS = 2.0
WAVE_MESSAGES = 60  # on average
CLICKS = 6
SCOPES = ("messages:send", "messages:read", "reports:read", "webhooks:write")
CONNECTOR = 'binds = 2\nwindow = 50\nrate = "200/s"\ncode_table = "map"\n'


def configured(folder: Path, carrier: Simulator) -> Path:
    """Two connectors at one carrier, and the defaults."""
    connectors = [
        Connector(name, carrier.port, CONNECTOR, "smsgate") for name in ("carrier-a", "carrier-b")
    ]
    return Configuration(data_dir=folder, connectors=connectors, more=LOCAL_WEBHOOKS).write(
        folder / "smsgate.toml"
    )


def profile_text() -> str:
    return PROFILE.read_text(encoding="utf-8")


async def traffic(client: Running, seconds: float) -> None:
    """Waves of messages; a few links of each are opened."""
    began = time.monotonic()
    texts = requests(int(seconds * WAVE_MESSAGES), "tide")
    while (gone := time.monotonic() - began) < seconds:
        tide = 1 + 0.8 * math.sin(gone / seconds * 4 * math.pi)
        bodies = [body for body, _ in zip(texts, range(int(WAVE_MESSAGES * tide)), strict=False)]
        sending = Sending(campaign="tide", began=time.perf_counter())
        await send(client, bodies, sending)
        await asyncio.sleep(WAVE_SECONDS)
        await click(client, sending, CLICKS)


async def main(minutes: float) -> None:
    """Run it, and write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        async with (
            simulator(folder, profile_text()) as carrier,
            gateway(configured(folder, carrier), scopes=SCOPES) as running,
            receiving(running),
            prometheus(folder, running.address) as watching,
        ):
            since = time.time()
            await traffic(running, 60 * minutes)
            until = time.time()
            FOLDER.mkdir(exist_ok=True)
            for dashboard in DASHBOARDS:
                text = await asyncio.to_thread(
                    drawn, dashboard, asking(watching.url), since, until, INTERVAL
                )
                (FOLDER / f"{dashboard.uid}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
