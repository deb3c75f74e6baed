"""The tables of figures in the documents, written from the results that lie in benchmarks/results.

Owns these blocks: `<!-- figures: NAME COLUMN … -->` to `<!-- end of figures -->`, and the pictures
beside them. Must not measure. `python -m benchmarks.tables` writes them, `--check` only looks.

A block has a row for each way of the result, and the conditions. NAME is a file of results. The
column `asked` stands for what is asked, and whether it is met. A block may name what its ways begin
with, `NAME/BEGIN`: then it has no conditions.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import plot
from benchmarks.labels import label
from benchmarks.plot import part_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
PICTURES = Path("docs/benchmarks")
PAGES = ("README.md", "docs/benchmarks.md", "docs/sizing.md")
ASKED = "asked"
END = "<!-- end of figures -->"
_BLOCK = re.compile(
    r"<!-- figures: (?P<what>[^>]+?) -->\n(?P<text>.*?)" + re.escape(END), re.DOTALL
)

Result = Mapping[str, object]


def results(folder: Path = RESULTS) -> dict[str, Result]:
    """By the name of the file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def page(text: str, found: Mapping[str, Result]) -> str:
    """With each of its blocks written anew."""

    def block(match: re.Match[str]) -> str:
        name, *columns = match["what"].split()
        return f"<!-- figures: {match['what']} -->\n{figures(name, columns, found)}\n{END}"

    return _BLOCK.sub(block, text)


def figures(name: str, columns: Sequence[str], found: Mapping[str, Result]) -> str:
    """One block."""
    stem, _, begin = name.partition("/")
    if stem not in found:
        return f"Not measured yet: `python -m benchmarks {stem}`."
    result = found[stem]
    shown = [column for column in columns if column != ASKED]
    parts = [table(result, shown, begin.replace("_", " "))]
    if ASKED in columns:
        parts.append("\n".join(asked(result)))
    if not begin:
        parts.append(conditions(result))
    return "\n\n".join(part for part in parts if part)


def table(result: Result, columns: Sequence[str], begin: str = "") -> str:
    """A row for each way that has one of these figures, with the span of its rounds."""
    medians, spread = part_of(result, "medians"), part_of(result, "spread")
    several = any(len(each) > 1 for each in part_of(result, "rounds").values())
    heads = [label(column) for column in columns]
    lines: list[str] = []
    for way, middle in medians.items():
        if way.startswith(begin) and any(column in middle for column in columns):
            cells = [_cell(column, middle, spread[way], several) for column in columns]
            lines.append(_row([way, *cells]))
    if not lines:
        return "Not measured there."
    return "\n".join([_row(["", *heads]), _row(["---"] * (len(columns) + 1)), *lines])


def asked(result: Result) -> Iterator[str]:
    """A line for each verdict."""
    verdicts = result["verdicts"]
    assert isinstance(verdicts, list)
    for each in verdicts:
        sign = "at most" if each["at_most"] else "at least"
        unit = f" {each['unit']}" if each["unit"] else ""
        bounds = [
            f"{word} {sign} {each[word]:g}{unit}, {'met' if each[f'{word}_met'] else 'NOT met'}"
            for word in ("required", "aim")
            if each[word] is not None
        ]
        met = f" ({'; '.join(bounds)})" if bounds else ""
        yield f"- {each['what']}: **{each['figure']:g}{unit}**{met}"


def conditions(result: Result) -> str:
    """On what it was measured, and the command that repeats it. Short sentences."""
    on = part_of(result, "conditions")
    rounds = max((len(each) for each in part_of(result, "rounds").values()), default=1)
    lines = [
        f"{rounds} round{'s' * (rounds > 1)} at commit `{on['commit']}` on {on['date']}.",
        f"{on['cores']} cores of {on['cpu']}, {on['memory_gib']} GiB, Python {on['python']}.",
        f"Others kept the cores {on['busy_share_before']:.0%} busy before it"
        f" and {on['busy_share_after']:.0%} after it.",
        f"Repeat it with `{command(result)}`.",
    ]
    return " ".join(lines)


def command(result: Result) -> str:
    """What is typed to have the same result."""
    words = ["python -m benchmarks", str(result["benchmark"])]
    for name, each in part_of(result, "arguments").items():
        option = f"--{name.replace('_', '-')}"
        if each is True:
            words.append(option)
        elif each is not False and each is not None:
            words.append(f"{option} {each:g}" if isinstance(each, float) else f"{option} {each}")
    return " ".join(words)


def stale(found: Mapping[str, Result], root: Path = ROOT) -> list[Path]:
    """Pages and pictures that are not what the results say."""
    return [path for path, text in made(found, root) if _read(path) != text]


def made(found: Mapping[str, Result], root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every page and picture as it has to be."""
    for name in PAGES:
        yield root / name, page((root / name).read_text(encoding="utf-8"), found)
    for result in found.values():
        for name, svg in plot.pictures(result).items():
            yield root / PICTURES / f"{name}.svg", svg


def write(root: Path = ROOT) -> int:
    """Bring pages and pictures up to the results; how many were changed."""
    changed = 0
    found = results(root / RESULTS.relative_to(ROOT))
    for path, text in list(made(found, root)):
        if _read(path) != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed += 1
    return changed


def main() -> int:
    """Exit code 1 with `--check` where something is not what the results say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    arguments = parser.parse_args()
    if arguments.check:
        for path in (wrong := stale(results())):
            print(f"{path}: not what benchmarks/results says", file=sys.stderr)
        return int(bool(wrong))
    write()
    return 0


def _cell(
    column: str, middle: Mapping[str, float], spread: Mapping[str, Sequence[float]], several: bool
) -> str:
    if column not in middle:
        return "-"
    told = plot.number_text(middle[column])
    low, high = map(plot.number_text, spread[column])
    return f"{told} ({low} to {high})" if several and low != high else told


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
