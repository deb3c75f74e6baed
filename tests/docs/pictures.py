"""docs/layers.svg and docs/way.svg, the pictures of ARCHITECTURE.md:

    .venv/bin/python -m tests.docs.pictures

Owns the pictures' words and form. The order of the layers is that of the contract in
pyproject.toml. Both colour schemes are in each picture, and nothing that it would have to fetch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH, MARGIN, ROW, GAP = 880, 16, 64, 8

# What each package does, and its rooms: folders and modules of it.
PACKAGES = {
    "gateway": (
        "puts everything together; nobody imports it",
        "config, wiring, commands, demo, rehearsal",
    ),
    "web": ("every HTTP door", "edge, api, docs"),
    "campaigns": (
        "one text to many people, and what came of it",
        "contacts, events, segments, templates, running, decisions, experiments, reporting, caps",
    ),
    "messages": (
        "what an application does with messages",
        "accept, rules, control, reading",
    ),
    "dispatch": (
        "what we do with carriers",
        "routes, outbox, queue, wire, answers, inbound, raw",
    ),
    "recipients": (
        "what we know of a number, and respect",
        "numbers, keywords, consent, caps, hours",
    ),
    "dlr": ("what became of it", "status, receipt, reasons, ledger, report"),
    "shortlinks": ("links and their clicks", "rewrite, redirect, clicks"),
    "storage": ("PostgreSQL", "migrations, terms, crypto"),
    "smpp": ("the wire", "client, server, simulator"),
    "ratelimit": ("paces", "token_bucket, timetable"),
}

STYLE = """<style>
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .name { font-weight: 600 }
  .small { font-size: 12px; fill: #59636e }
  .card { fill: #ffffff }
  .box { fill: #f0f4f8; stroke: #8c959f }
  .line { stroke: #59636e; fill: none }
  .head { fill: #59636e }
  .commit { stroke: #1a7f37; fill: none; stroke-width: 2 }
  .commit-head { fill: #1a7f37 }
  .life { stroke: #8c959f; stroke-dasharray: 3 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .card { fill: #0d1117 }
    .box { fill: #161b22; stroke: #656c76 }
    .line { stroke: #9198a1 }
    .head { fill: #9198a1 }
    .commit { stroke: #3fb950 }
    .commit-head { fill: #3fb950 }
    .life { stroke: #656c76 }
  }
</style>"""

LIVES = ("application", "web, messages", "PostgreSQL", "dispatch", "carrier")
# From, to, words; a commit is green.
STEPS = (
    (0, 1, "POST", False),
    (1, 2, "messages", False),
    (2, 1, "COMMIT", True),
    (1, 0, "202", False),
    (1, 3, "into the ready queue", False),
    (3, 2, "last look, intent", False),
    (2, 3, "COMMIT", True),
    (3, 4, "submit_sm", False),
    (4, 3, "submit_sm_resp", False),
    (4, 3, "deliver_sm (receipt)", False),
    (3, 2, "results, receipts", False),
    (2, 3, "COMMIT", True),
    (3, 4, "deliver_sm_resp", False),
)


def layers() -> list[list[str]]:
    """From the top to the bottom; packages of one row do not know each other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    return [[name.strip() for name in row.split("|")] for row in contract["layers"]]


def layers_picture() -> str:
    """A row for each layer. A package imports from the rows below its own."""
    shapes: list[str] = []
    for number, row in enumerate(layers()):
        width = (WIDTH - 2 * MARGIN - (len(row) - 1) * GAP) / len(row)
        top = MARGIN + number * (ROW + GAP)
        for place, name in enumerate(row):
            left = MARGIN + place * (width + GAP)
            shapes += _package(name, left, top, width)
    height = 2 * MARGIN + len(layers()) * (ROW + GAP) - GAP
    title = "The layers: each package imports only from rows below its own"
    return _svg(title, height, shapes)


def _package(name: str, left: float, top: float, width: float) -> Iterator[str]:
    does, rooms = PACKAGES[name]
    yield f'<rect class="box" x="{left:g}" y="{top:g}" width="{width:g}" height="{ROW}" rx="6"/>'
    yield _text(left + 12, top + 19, name, "name")
    yield _text(left + 12, top + 37, does)
    yield _text(left + 12, top + 55, rooms, "small")


def way_picture() -> str:
    """A message from the application to the carrier, and its receipt."""
    step = (WIDTH - 2 * MARGIN) / len(LIVES)
    middles = [MARGIN + step * (place + 0.5) for place in range(len(LIVES))]
    height = 90 + 38 * len(STEPS)
    shapes: list[str] = []
    for middle, name in zip(middles, LIVES, strict=True):
        shapes.append(
            f'<rect class="box" x="{middle - 68:g}" y="{MARGIN}" width="136" height="34" rx="6"/>'
        )
        shapes.append(_text(middle, MARGIN + 22, name, "name", centred=True))
        shapes.append(f'<path class="life" d="M{middle:g} {MARGIN + 34}V{height - MARGIN}"/>')
    for number, (start, end, words, commit) in enumerate(STEPS):
        shapes += _arrow(middles[start], middles[end], 90 + 38 * number, words, commit)
    return _svg("A message's way: what is committed before what is sent", height, shapes)


def _arrow(start: float, end: float, at: float, words: str, commit: bool) -> Iterator[str]:
    kind = "commit" if commit else "line"
    head = "commit-head" if commit else "head"
    back = -8 if end > start else 8
    yield f'<path class="{kind}" d="M{start:g} {at:g}H{end + back:g}"/>'
    yield f'<path class="{head}" d="M{end:g} {at:g}l{back} -4v8z"/>'
    yield _text((start + end) / 2, at - 6, words, "", centred=True)


def _text(left: float, top: float, words: str, kind: str = "", *, centred: bool = False) -> str:
    marks = (f' class="{kind}"' if kind else "") + (' text-anchor="middle"' if centred else "")
    return f'<text x="{left:g}" y="{top:g}"{marks}>{escape(words)}</text>'


def _svg(title: str, height: float, shapes: list[str]) -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">',
            f"<title>{escape(title)}</title>",
            STYLE,
            f'<rect class="card" width="{WIDTH}" height="{height:g}" rx="8"/>',
            *shapes,
            "</svg>\n",
        )
    )


PICTURES = {"layers.svg": layers_picture, "way.svg": way_picture}


if __name__ == "__main__":
    for name, drawn in PICTURES.items():
        (ROOT / "docs" / name).write_text(drawn(), encoding="utf-8")
