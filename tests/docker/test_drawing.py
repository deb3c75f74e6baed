"""Dashboards as pictures: every panel is there, what has no data says so, and they stay small."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from docker.grafana import pictures
from docker.grafana.dashboards import DASHBOARDS
from docker.grafana.drawing import LINES_MAX, NO_DATA, Line, picture, shown
from docker.grafana.shapes import Dashboard, Panel, Query, Unit
from gateway.rehearsal.processes import free_port

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "dashboards"
BYTES_MAX = 40_000
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def one(panel: Panel, *lines: Line) -> str:
    dashboard = Dashboard(uid="smsgate-x", title="smsgate: x", panels=(panel,))
    return picture(dashboard, {panel.title: lines}, 0.0, 10.0, "a test")


def of(kind: Any = "timeseries", **more: Any) -> Panel:
    return Panel(title="T", description="D", queries=(Query("x"),), kind=kind, **more)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_the_pictures_of_the_documents_have_every_panel(dashboard: Dashboard) -> None:
    """python -m tests.docs.dashboard_pictures"""
    svg = (FOLDER / f"{dashboard.uid}.svg").read_text(encoding="utf-8")
    assert len(svg) < BYTES_MAX
    found = texts(svg)
    assert {panel.title for panel in dashboard.panels} <= set(found)
    assert found.count(NO_DATA) <= sum(not panel.has_data for panel in dashboard.panels)
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", ""), "nothing is fetched"


def test_there_is_no_other_picture() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {each.uid for each in DASHBOARDS}


def test_a_panel_without_data_says_so_and_words_are_escaped() -> None:
    assert NO_DATA in texts(one(of()))
    assert NO_DATA in texts(one(of("stat"), Line("a", [])))
    svg = one(of(), Line("<&>", [(0.0, 1.0), (10.0, 2.0)]))
    assert "<&>" in texts(svg)


def test_the_highest_lines_are_drawn_and_the_rest_is_counted() -> None:
    lines = [Line(f"line {number}", [(0.0, float(number))]) for number in range(LINES_MAX + 3)]
    svg = one(of(width=24), *lines)
    assert svg.count('class="line"') == LINES_MAX
    assert "+ 3" in texts(svg)
    assert "line 0" not in texts(svg)


def test_a_number_has_the_colour_of_its_bound() -> None:
    panel = of("stat", bounds=((1.0, "yellow"), (5.0, "red")), unit="s")
    for value, colour in ((0.5, "#2da44e"), (1.0, "#bf8700"), (7.0, "#cf222e")):
        assert colour in one(panel, Line("a", [(0.0, value)]))


def test_a_heat_map_shows_what_lies_between_two_bounds() -> None:
    """Buckets are cumulative: the second has nothing of its own."""
    lines = [Line(le, [(1.0, value)]) for le, value in (("+Inf", 5.0), ("1", 4.0), ("5", 4.0))]
    svg = one(of("heatmap"), *lines)
    assert svg.count('fill="#58a6ff"') == 2


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"), (0.00025, "s", "250 µs"), (0.25, "s", "250 ms"), (90.0, "s", "90 s"),
        (600.0, "s", "10 min"), (0.953, "percentunit", "95.3 %"), (19_700.0, "ops", "19.7 k/s"),
        (3 * 2**20, "bytes", "3 MiB"), (812.0, "short", "812"), (float("inf"), "s", "∞"),
    ],
)  # fmt: skip
def test_values_as_a_person_reads_them(value: float, unit: Unit, text: str) -> None:
    assert shown(value, unit) == text


def test_what_is_no_number_is_left_out_and_legends_name_labels() -> None:
    def ask(_expression: str, *_span: float) -> Sequence[Mapping[str, Any]]:
        return [{"metric": {"connector": "a"}, "values": [(1, "NaN"), (2, "+Inf"), (3, "4")]}]

    asked = pictures.lines(Query("x", "{{connector}}!"), ask, 0.0, 10.0, "1m")
    assert asked == [Line("a!", [(3.0, 4.0)])]


def test_a_prometheus_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(sys, "argv", ["x", "--prometheus", url, "--into", str(tmp_path)])
    assert pictures.main() == 1
    assert re.fullmatch(rf"{url} does not answer: .*\n", capsys.readouterr().err)
