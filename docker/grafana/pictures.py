"""Each dashboard drawn from what a Prometheus holds, where there is no Grafana:

    python -m docker.grafana.pictures --prometheus http://localhost:9090 --into pictures

writes one SVG a dashboard. Owns the questions and the files. Must not draw (drawing.py does).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.grafana.dashboards import DASHBOARDS
from docker.grafana.drawing import Line, picture
from docker.grafana.shapes import Dashboard, Query

POINTS = 60  # of a line
ANSWER_SECONDS_MAX = 30
Ask = Callable[[str, float, float, float], Sequence[Mapping[str, Any]]]


def filled(expression: str, interval: str = "5m") -> str:
    """The expression as Grafana sends it, with every choice made that offers one."""
    return expression.replace("$__rate_interval", interval).replace("$connector", ".*")


def lines(query: Query, ask: Ask, since: float, until: float, interval: str) -> list[Line]:
    """What the query shows between two moments, in seconds since 1970."""
    step = max(1.0, (until - since) / POINTS)
    found = ask(filled(query.expression, interval), since, until, step)
    return [Line(_legend(query, each["metric"]), _points(each["values"])) for each in found]


def drawn(dashboard: Dashboard, ask: Ask, since: float, until: float, interval: str) -> str:
    """The dashboard's picture."""
    data = {
        panel.title: [
            line for query in panel.queries for line in lines(query, ask, since, until, interval)
        ]
        for panel in dashboard.panels
    }
    span = f"{(until - since) / 60:.0f} minutes of a real run"
    return picture(dashboard, data, since, until, span)


def asking(prometheus: str) -> Ask:
    """How the Prometheus at this address is asked. Raises OSError, ValueError."""

    def ask(
        expression: str, since: float, until: float, step: float
    ) -> Sequence[Mapping[str, Any]]:
        asked = {"query": expression, "start": since, "end": until, "step": step}
        url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX) as response:
            answer: Any = json.load(response)
        if answer.get("status") != "success":
            raise ValueError(f"{expression}: {answer}")
        return list(answer["data"]["result"])

    return ask


def _legend(query: Query, labels: Mapping[str, str]) -> str:
    if not query.legend:
        return ", ".join(value for name, value in labels.items() if name != "__name__") or "value"
    words = query.legend
    for name, value in labels.items():
        words = words.replace("{{" + name + "}}", value)
    return words


def _points(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """Without what is no number."""
    found = [(float(at), float(value)) for at, value in values]
    return [(at, value) for at, value in found if value == value and abs(value) != float("inf")]


def main() -> int:
    """Write the pictures. Returns 1, with one line, where Prometheus does not answer."""
    parser = argparse.ArgumentParser(prog="python -m docker.grafana.pictures")
    parser.add_argument("--prometheus", default="http://localhost:9090", metavar="URL")
    parser.add_argument("--into", default="pictures", type=Path, metavar="FOLDER")
    parser.add_argument("--minutes", default=15.0, type=float, help="how far back; default: 15")
    parser.add_argument("--interval", default="1m", help="of rates; at least 4 scrapes")
    arguments = parser.parse_args()
    until = time.time()
    since = until - 60 * arguments.minutes
    ask = asking(arguments.prometheus)
    arguments.into.mkdir(parents=True, exist_ok=True)
    try:
        for dashboard in DASHBOARDS:
            path = arguments.into / f"{dashboard.uid}.svg"
            path.write_text(drawn(dashboard, ask, since, until, arguments.interval), "utf-8")
            print(path)  # noqa: T201 - it is what the command answers
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{arguments.prometheus} does not answer: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
