"""A dashboard as a picture (SVG), where there is no Grafana.

Owns the form of panels: lines, numbers, heat maps; both colour schemes. Must not ask for data.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import inf, isfinite
from typing import NamedTuple

from docker.grafana.shapes import COLUMNS, Dashboard, Panel, Unit, places

WIDTH, MARGIN, HEAD, GAP, ROW = 960, 12, 40, 8, 20
TITLE, LEGEND, AXIS = 30, 18, 48  # heights within a panel, and the width of the axis
NO_DATA = "no data in this span"
LINES_MAX = 6  # of a panel: those with the highest values
LINE_COLOURS = ("#3fb950", "#e3b341", "#58a6ff", "#f78166", "#bc8cff", "#39c5cf")
BOUND_COLOURS = {"green": "#2da44e", "yellow": "#bf8700", "red": "#cf222e", "orange": "#bc4c00"}

STYLE = """<style>
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.name { font-size: 12px; font-weight: 600 }
.dim { fill: #59636e }
.big { font-size: 28px; font-weight: 600 }
.back { fill: #f6f8fa }
.panel { fill: #fff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.line { fill: none; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.dim { fill: #9198a1 }
.back { fill: #010409 }
.panel { fill: #0d1117; stroke: #3d444d }
.grid { stroke: #3d444d }
}
</style>"""


class Line(NamedTuple):
    """One series: what the legend calls it, and (seconds since 1970, value) in order."""

    legend: str
    points: Sequence[tuple[float, float]]


class Box(NamedTuple):
    """Where something is drawn."""

    left: float
    top: float
    width: float
    height: float


def picture(dashboard: Dashboard, data: Mapping[str, Sequence[Line]], since: float, until: float,
            caption: str) -> str:  # fmt: skip
    """The whole dashboard. `data`: the lines of each panel, by its title."""
    unit = (WIDTH - 2 * MARGIN + GAP) / COLUMNS
    shapes: list[str] = []
    bottom = 0.0
    for panel, x, y in places(dashboard.panels):
        box = Box(
            MARGIN + x * unit, HEAD + y * ROW, panel.width * unit - GAP, panel.height * ROW - GAP
        )
        bottom = max(bottom, box.top + box.height)
        lines = [line for line in data.get(panel.title, ()) if line.points]
        shapes += _panel(panel, box, lines, since, until)
    height = round(bottom + MARGIN)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(dashboard.title)}</title>",
            STYLE,
            f'<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>',
            _text(MARGIN, 26, dashboard.title, "title"),
            _text(WIDTH - MARGIN, 26, caption, "dim", "end"),
            *shapes,
            "</svg>\n",
        )
    )


def shown(value: float, unit: Unit) -> str:
    """A value as a person reads it."""
    if not isfinite(value):
        return "∞"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return _seconds(value)
    if unit in ("bytes", "binBps"):
        return _short(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB")) + _per_second(unit)
    return _short(value, 1000, ("", "k", "M", "G", "T")).rstrip() + _per_second(unit)


def _seconds(value: float) -> str:
    for bound, size, name in (
        (0.001, 1e-6, "µs"),
        (1, 1e-3, "ms"),
        (120, 1, "s"),
        (7200, 60, "min"),
    ):
        if value < bound:
            return f"{value / size:.3g} {name}" if value else "0 s"
    return f"{value / 3600:.3g} h"


def _short(value: float, step: int, names: Sequence[str]) -> str:
    place = 0
    while abs(value) >= step and place < len(names) - 1:
        value, place = value / step, place + 1
    digits = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{digits} {names[place]}"


def _per_second(unit: Unit) -> str:
    return "/s" if unit in ("ops", "reqps", "binBps") else ""


def _panel(
    panel: Panel, box: Box, lines: Sequence[Line], since: float, until: float
) -> Iterator[str]:
    yield (
        f'<rect class="panel" x="{box.left:.0f}" y="{box.top:.0f}" width="{box.width:.0f}" '
        f'height="{box.height:.0f}" rx="4"/>'
    )
    yield _text(box.left + 8, box.top + 17, panel.title, "name")
    inner = Box(box.left + 8, box.top + TITLE, box.width - 16, box.height - TITLE - 6)
    if not lines:
        middle = inner.left + inner.width / 2, inner.top + inner.height / 2
        yield _text(*middle, NO_DATA, "dim", "middle")
    elif panel.kind == "stat":
        yield from _stat(panel, inner, lines)
    elif panel.kind == "heatmap":
        yield from _heat(inner, lines, since, until)
    else:
        yield from _lines(panel, inner, lines, since, until)


def _stat(panel: Panel, box: Box, lines: Sequence[Line]) -> Iterator[str]:
    value = max(line.points[-1][1] for line in lines)
    colour = "green"
    for bound, name in panel.bounds:
        if value >= bound:
            colour = name
    middle = box.left + box.width / 2, box.top + box.height / 2 + 10
    style = f"fill:{BOUND_COLOURS.get(colour, colour)}"
    yield (
        f'<text class="big" x="{middle[0]:.0f}" y="{middle[1]:.0f}" text-anchor="middle" '
        f'style="{style}">{escape(shown(value, panel.unit))}</text>'
    )


def _lines(
    panel: Panel, box: Box, lines: Sequence[Line], since: float, until: float
) -> Iterator[str]:
    ordered = sorted(lines, key=lambda line: -max(value for _, value in line.points))
    drawn, left_out = ordered[:LINES_MAX], len(ordered) - LINES_MAX
    highest = panel.most or max(value for line in drawn for _, value in line.points) or 1.0
    plot = Box(box.left + AXIS, box.top, box.width - AXIS, box.height - LEGEND - 12)
    for share in (0.0, 0.5, 1.0):
        at = plot.top + plot.height * (1 - share)
        yield (
            f'<path class="grid" d="M{plot.left:.0f} {at:.0f}h{plot.width:.0f}"/>'
            + _text(plot.left - 4, at + 4, shown(highest * share, panel.unit), "dim", "end")
        )
    for line, colour in zip(drawn, LINE_COLOURS, strict=False):
        path = "L".join(
            f"{plot.left + plot.width * (at - since) / (until - since):.0f} "
            f"{plot.top + plot.height * (1 - min(value / highest, 1)):.0f}"
            for at, value in line.points
        )
        yield f'<path class="line" stroke="{colour}" d="M{path}"/>'
    left = box.left
    for line, colour in zip(drawn, LINE_COLOURS, strict=False):
        words = line.legend if len(line.legend) <= 24 else line.legend[:23] + "…"
        if left + 7 * len(words) > box.left + box.width - 40:
            left_out += 1
            continue
        at = box.top + box.height - 4
        yield f'<path stroke="{colour}" stroke-width="3" d="M{left:.0f} {at - 4:.0f}h10"/>'
        yield _text(left + 14, at, words, "dim")
        left += 26 + 6.2 * len(words)
    if left_out > 0:
        yield _text(box.left + box.width, box.top + box.height - 4, f"+ {left_out}", "dim", "end")


def _heat(box: Box, lines: Sequence[Line], since: float, until: float) -> Iterator[str]:
    """Rows are buckets, the quickest below; the darker, the more."""
    ordered = sorted(lines, key=_bound)
    plot = Box(box.left + AXIS, box.top, box.width - AXIS, box.height - 6)
    high = plot.height / len(ordered)
    cells: list[tuple[float, float, float]] = []
    below: dict[float, float] = {}
    for row, line in enumerate(ordered):
        top = plot.top + plot.height - (row + 1) * high
        if row % 2 == 0:
            yield _text(
                plot.left - 4, top + high / 2 + 4, f"≤ {shown(_bound(line), 's')}", "dim", "end"
            )
        for at, value in line.points:
            cells.append((at, top, value - below.get(at, 0.0)))
        below = dict(line.points)
    most = max((value for *_, value in cells), default=0.0) or inf
    wide = plot.width / max(1, max(len(line.points) for line in ordered))
    for at, top, value in cells:
        if value / most > 0.02:
            left = plot.left + (plot.width - wide) * (at - since) / (until - since)
            yield (
                f'<rect x="{left:.0f}" y="{top:.0f}" width="{wide:.1f}" height="{high:.1f}" '
                f'fill="#58a6ff" opacity="{max(0.15, value / most):.2f}"/>'
            )


def _bound(line: Line) -> float:
    try:
        return float(line.legend.replace("+Inf", "inf"))
    except ValueError:
        return inf


def _text(left: float, top: float, words: str, kind: str, anchor: str = "") -> str:
    anchored = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{kind}" x="{left:.0f}" y="{top:.0f}"{anchored}>{escape(words)}</text>'
