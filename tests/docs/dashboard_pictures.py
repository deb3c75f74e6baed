"""docs/dashboards/*.svg, each dashboard as it looks after some minutes of traffic:

    .venv/bin/python -m tests.docs.dashboard_pictures [MINUTES]

Owns the run: a carrier, a gateway, messages that come and go like a tide, clicks, webhooks, a
campaign, and a Prometheus from Debian. Must not draw (docker/grafana/drawing.py does).
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from docker.grafana.dashboards import DASHBOARDS
from docker.grafana.pictures import asking, drawn
from gateway.demo.application import Sending, click, send
from gateway.demo.campaign import run, win_back
from gateway.demo.campaign.asking import Asking
from gateway.demo.campaign.cast import Cast
from gateway.demo.campaign.marketer import Marketer
from gateway.demo.campaign.shop import make_certificate, shop, trusting
from gateway.demo.texts import requests
from gateway.rehearsal.configuration import Configuration, Connector
from gateway.rehearsal.receiver import receiving
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
PEOPLE, SEED = 900, 7
SCOPES = (*run.SCOPES, "messages:send", "webhooks:write")
CONNECTOR = 'binds = 2\nwindow = 50\nrate = "200/s"\ncode_table = "map"\n'


def configured(folder: Path, carrier: Simulator, certificate: Path) -> Path:
    """Two connectors at one carrier, a shop that is trusted, and the defaults."""
    connectors = [
        Connector(name, carrier.port, CONNECTOR, "smsgate") for name in ("carrier-a", "carrier-b")
    ]
    return Configuration(data_dir=folder, connectors=connectors, more=trusting(certificate)).write(
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


async def campaign(client: Running, link: str) -> None:
    """A file of people is imported, and an experiment with two texts begins."""
    marketer = Marketer(Asking(client), Cast(people=PEOPLE, seed=SEED))
    await marketer.contacts()
    first, second, _ = await marketer.templates(link)
    written = await marketer.write("流失召回", win_back.SEGMENT, [first, second])
    await marketer.test(written)
    await marketer.start(written)


async def main(minutes: float) -> None:
    """Run it, and write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        certificate = folder / "shop.pem"
        make_certificate(certificate, datetime.now(UTC))
        async with (
            simulator(folder, profile_text()) as carrier,
            shop(certificate) as link,
            gateway(configured(folder, carrier, certificate), scopes=SCOPES) as running,
            receiving(running),
            prometheus(folder, running.address) as watching,
        ):
            since = time.time()
            async with asyncio.TaskGroup() as group:
                group.create_task(traffic(running, 60 * minutes))
                group.create_task(campaign(running, link))
            until = time.time()
            FOLDER.mkdir(exist_ok=True)
            for dashboard in DASHBOARDS:
                text = await asyncio.to_thread(
                    drawn, dashboard, asking(watching.url), since, until, INTERVAL
                )
                (FOLDER / f"{dashboard.uid}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
