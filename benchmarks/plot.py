"""A result as a picture (SVG): bars of its ways, or a line where the ways are sizes.

Owns the form. Must not measure, nor choose what is true. The same result gives the same octets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.labels import label, sizes
from docker.grafana.drawing import LINE_COLOURS, STYLE

XMLNS = "http://www.w3.org/2000/svg"
WIDTH, MARGIN, HEAD = 760, 16, 48
BAR, BAR_GAP, NAME_WIDTH, FIGURE_WIDTH = 22, 10, 250, 110
PLOT_HEIGHT, AXIS_WIDTH, AXIS_HEIGHT = 220, 64, 44
TICKS = 4
# Which figures a benchmark is drawn by; the others by the first of their figures.
DRAWN: Mapping[str, Sequence[str]] = {
    "sustained": ("gateway_us", "postgresql_us"),
    "backlog": ("gateway_us", "postgresql_us", "gateway_mib"),
    "otp": ("p99_ms",),
    "latency_window": ("share_of_best_possible",),
    "stages": ("gateway_us",),
    "soak": ("at_25%_mib", "at_50%_mib", "at_75%_mib", "at_100%_mib"),
    "soak_faults": (
        "gateway_mib",
        "links_mib",
        "queues_mib",
        "p50_ms",
        "p99_ms",
        "handles",
        "stored_octets",
        "dead_rows",
    ),
    "webhooks_beside": ("receipts_per_second",),
    "webhooks": ("told",),
    "reports": ("p95_ms",),
    "memory": ("gateway_mib",),
}
PER_SECOND = ("per_second",)

Medians = Mapping[str, Mapping[str, float]]
Spread = Mapping[str, Mapping[str, Sequence[float]]]


def part_of(result: Mapping[str, object], key: str) -> Mapping[str, Any]:
    """What a result has under this key, by names."""
    found = result[key]
    assert isinstance(found, dict)
    return found


def write(result: Mapping[str, object], folder: Path) -> list[Path]:
    """The pictures of a result, `NAME.svg` each; those that were drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, svg in pictures(result).items():
        path = folder / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        drawn.append(path)
    return drawn


def pictures(result: Mapping[str, object]) -> dict[str, str]:
    """By the name of each; one for all figures of one unit."""
    benchmark = str(result["benchmark"])
    medians: Medians = part_of(result, "medians")
    spread: Spread = part_of(result, "spread")
    found: dict[str, str] = {}
    for unit, figures in _by_unit(DRAWN.get(benchmark, PER_SECOND)):
        having = {way: each for way, each in medians.items() if figures[0] in each}
        if not having:
            continue
        name = benchmark if not found else f"{benchmark}-{unit}"
        numbered = sizes(having)
        if len(numbered) > 1:
            title = f"{benchmark}: {label(figures[0])}" if len(figures) == 1 else benchmark
            found[name] = lines(title, numbered, figures, medians)
        else:
            found[name] = bars(f"{benchmark}: {label(figures[0])}", figures[0], having, spread)
    return found


def _by_unit(figures: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    units = dict.fromkeys(figure.rpartition("_")[2] for figure in figures)
    for unit in units:
        yield unit, [figure for figure in figures if figure.endswith(unit)]


def bars(title: str, figure: str, medians: Medians, spread: Spread) -> str:
    """One bar for each way, with the lowest and highest round as a stroke over its end."""
    room = WIDTH - 2 * MARGIN - NAME_WIDTH - FIGURE_WIDTH
    most = max(spread[way][figure][1] for way in medians) or 1.0
    shapes = [_text(MARGIN, 28, title, "title")]
    for number, (way, figures) in enumerate(medians.items()):
        top = HEAD + number * (BAR + BAR_GAP)
        left, middle = MARGIN + NAME_WIDTH, top + BAR / 2
        low, high = (left + each / most * room for each in spread[way][figure])
        width = figures[figure] / most * room
        shapes += [
            _text(left - 8, middle + 4, way, "", "end"),
            f'<rect x="{left}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3"'
            f' fill="{LINE_COLOURS[2 if number else 0]}"/>',
            f'<line x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}" class="range"/>',
            _text(max(high, left + width) + 8, middle + 4, number_text(figures[figure]), "name"),
        ]
    return _svg(title, HEAD + len(medians) * (BAR + BAR_GAP) + MARGIN, shapes)


def lines(title: str, numbered: Mapping[str, int], figures: Sequence[str], medians: Medians) -> str:
    """Each figure over the sizes, which go by powers of ten where they span more than one."""
    series = {
        figure: [
            (size, medians[way][figure]) for way, size in numbered.items() if figure in medians[way]
        ]
        for figure in figures
    }
    most = max(value for points in series.values() for _, value in points) or 1.0
    spans = list(numbered.values())
    scale = math.log10 if max(spans) > 100 * min(spans) else float
    low, high = scale(min(spans)), scale(max(spans))
    left, top = MARGIN + AXIS_WIDTH, HEAD + 20
    width = WIDTH - left - MARGIN - 20
    shapes = [_text(MARGIN, 28, title, "title")]
    for tick in range(TICKS + 1):
        y = top + PLOT_HEIGHT * (1 - tick / TICKS)
        shapes.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y}" y2="{y}"/>')
        shapes.append(_text(left - 8, y + 4, number_text(most * tick / TICKS), "dim", "end"))
    shown = spans if len(spans) <= TICKS + 1 else [spans[0], spans[len(spans) // 2], spans[-1]]
    for size in shown:
        x = left + (scale(size) - low) / (high - low) * width
        shapes.append(_text(x, top + PLOT_HEIGHT + 20, f"{size:,}", "dim", "middle"))
    for number, (figure, points) in enumerate(series.items()):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        path = " ".join(
            f"{left + (scale(size) - low) / (high - low) * width:.1f},"
            f"{top + PLOT_HEIGHT * (1 - value / most):.1f}"
            for size, value in points
        )
        shapes.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        shapes.append(
            f'<text x="{left + number * 260}" y="{HEAD + 6}" style="fill:{colour}">'
            f"{escape(label(figure))}</text>"
        )
    return _svg(title, top + PLOT_HEIGHT + AXIS_HEIGHT, shapes)


def number_text(value: float) -> str:
    """Short, with thousands apart."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"'
    return f"<text {where}>{escape(words)}</text>"


def _svg(title: str, height: float, shapes: Sequence[str]) -> str:
    style = STYLE.replace("</style>", ".range { stroke: #f78166; stroke-width: 2 }\n</style>")
    return "\n".join(
        (
            f'<svg xmlns="{XMLNS}" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
            f"<title>{escape(title)}</title>",
            style,
            f'<rect class="panel" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}"'
            ' rx="8"/>',
            *shapes,
            "</svg>\n",
        )
    )
