"""The files that Grafana reads, made of the panels beside this module.

    python -m docker.grafana.dashboards

writes docker/grafana/dashboards/*.json. Owns which dashboards there are. Must not hold a panel.
"""

from __future__ import annotations

from pathlib import Path

from docker.grafana.campaigns import CAMPAIGNS
from docker.grafana.shapes import render
from docker.grafana.surroundings import CLICKS, COMPLIANCE, NODES, WEBHOOKS
from docker.grafana.traffic import CONNECTORS, DELIVERY, OVERVIEW, QUEUES

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = (
    OVERVIEW, DELIVERY, CONNECTORS, QUEUES, COMPLIANCE, CLICKS, CAMPAIGNS, WEBHOOKS, NODES,
)  # fmt: skip


def main() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.uid}.json").write_text(render(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
