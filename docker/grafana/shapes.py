"""What a dashboard is, and the JSON that Grafana reads.

Owns the form: where panels stand, their units, their data source. Must not know a metric. The data
source is a variable, so that a file works in any Grafana without the import dialog.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

SCHEMA_VERSION = 39
COLUMNS = 24  # of Grafana's grid
PANELS_MAX = 12  # a dashboard; more is no overview
REFRESH, SPAN = "30s", "now-6h"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Unit = Literal["short", "reqps", "ops", "s", "bytes", "percentunit", "none", "binBps"]
Kind = Literal["timeseries", "stat", "heatmap"]


class Query(msgspec.Struct, frozen=True):
    """One expression of PromQL. `legend` may name labels, as `{{connector}}`."""

    expression: str
    legend: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """`bounds`: (from, colour) in rising order, for a value that has good and bad.

    `has_data`: whether any running gateway with some traffic fills it.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Kind = "timeseries"
    width: int = 12
    height: int = 8
    bounds: tuple[tuple[float, str], ...] = ()
    most: float | None = None  # of the axis
    has_data: bool = False


class Variable(msgspec.Struct, frozen=True):
    """A choice above the panels: the values of a label of a metric."""

    name: str
    metric: str


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """`uid` is part of its address in Grafana and never changes."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()


def render(dashboard: Dashboard) -> str:
    """The text of its file."""
    document: dict[str, object] = {
        "uid": dashboard.uid,
        "id": None,
        "title": dashboard.title,
        "tags": ["smsgate"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "refresh": REFRESH,
        "timezone": "browser",
        "time": {"from": SPAN, "to": "now"},
        "graphTooltip": 1,
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "tags": ["smsgate"],
                "title": "smsgate",
                "asDropdown": True,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_source(), *(_variable(each) for each in dashboard.variables)]},
        "panels": _placed(dashboard.panels),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _source() -> dict[str, object]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "refresh": 1,
        "regex": "",
    }


def _variable(variable: Variable) -> dict[str, object]:
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": SOURCE,
        "query": {
            "query": f"label_values({variable.metric}, {variable.name})",
            "refId": variable.name,
        },
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def places(panels: Sequence[Panel]) -> Iterator[tuple[Panel, int, int]]:
    """Each panel with its column and row. From left to right, and a new row where a panel does not
    fit any more.
    """
    x = y = row = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, row = 0, y + row, 0
        yield panel, x, y
        x, row = x + panel.width, max(row, panel.height)


def _placed(panels: Sequence[Panel]) -> list[dict[str, object]]:
    return [
        _panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": panel.height})
        for number, (panel, x, y) in enumerate(places(panels), 1)
    ]


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, object]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + place_),
                "datasource": SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            }
            for place_, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
    }


def _defaults(panel: Panel) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"color": "green", "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.bounds]
    defaults: dict[str, object] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
    }
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.kind == "timeseries":
        style = "dashed" if panel.bounds else "off"
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 10,
            "showPoints": "never",
            "thresholdsStyle": {"mode": style},
        }
    return defaults


def _options(kind: Kind) -> dict[str, object]:
    if kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
        }
    if kind == "heatmap":
        return {"calculate": False, "yAxis": {"unit": "s"}, "cellGap": 1}
    return {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
