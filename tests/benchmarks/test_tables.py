"""Every figure of the documents is that of a result in the repository, which names its commit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import all as everything
from benchmarks import labels, plot, tables
from benchmarks.__main__ import NAMES, OVER_OTHERS
from benchmarks.result import complete
from benchmarks.verdicts import Verdict
from tests.docs.shell import ROOT

COMMIT = re.compile("[0-9a-f]{12}")
# A number with a unit that only a measurement can give.
FIGURE = re.compile(r"\d(?:[.,]\d+)* ?(?:µs|us|ms|MiB|messages a second|/s|a second)\b")
BLOCK = re.compile(r"<!-- figures: [^>]+ -->.*?" + re.escape(tables.END), re.DOTALL)


def result(rounds: dict[str, list[dict[str, float]]], **more: object) -> dict[str, object]:
    """As a benchmark's file has it."""
    found = complete({"rounds": rounds, "verdicts": [Verdict("rate", 20.0, 5.0, 30.0, unit="/s")]})
    conditions = {
        "commit": "0123456789ab", "date": "2026-11-30", "cores": 2, "cpu": "a processor",
        "memory_gib": 8.0, "python": "3.11.2", "busy_share_before": 0.01, "busy_share_after": 0.02,
    }  # fmt: skip
    arguments = {"messages": 10, "seed": None, "gap": False, "most": True, "seconds": 0.5}
    base = {"benchmark": "accept", "conditions": conditions, "arguments": arguments}
    return {**base, **found, **more}


BARS = result({"batches": [{"per_second": 1000.0}, {"per_second": 3000.0}], "other": [{"n": 1}]})
LINES = result(
    {str(10**n): [{"gateway_us": 50.0 + n, "postgresql_us": 20.0}] for n in range(3, 7)},
    benchmark="sustained",
)


def test_pages_and_pictures_are_what_the_results_say() -> None:
    """Else: `python -m benchmarks.tables`."""
    assert tables.stale(tables.results()) == []


def test_every_result_is_of_a_benchmark_and_a_commit() -> None:
    for name, found in tables.results().items():
        assert found["benchmark"] == name
        assert name in set(NAMES) - OVER_OTHERS
        conditions = found["conditions"]
        assert isinstance(conditions, dict)
        assert COMMIT.fullmatch(conditions["commit"]), f"{name} is of changed code"


def test_no_figure_of_the_benchmarks_page_is_written_by_hand() -> None:
    page = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    rest = BLOCK.sub("", page)
    assert [line for line in rest.splitlines() if FIGURE.search(line)] == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [line for line in BLOCK.sub("", readme).splitlines() if FIGURE.search(line)] == []


def test_a_block_is_written_from_its_result() -> None:
    block = "<!-- figures: accept per_second p99_ms asked -->\nold\n<!-- end of figures -->"
    page = f"before\n{block}\nafter"
    written = tables.page(page, {"accept": BARS})
    assert "| batches | 2,000 (1,000 to 3,000) | - |" in written
    assert "other" not in written
    assert "old" not in written
    assert "- rate: **20 /s** (required at least 5 /s, met; aim at least 30 /s, NOT met)" in written
    assert "2 rounds at commit `0123456789ab` on 2026-11-30." in written
    assert "`python -m benchmarks accept --messages 10 --most --seconds 0.5`" in written
    assert written.startswith("before\n")
    assert written.endswith("\nafter")
    assert tables.page(written, {"accept": BARS}) == written


def test_a_block_can_show_some_of_the_ways() -> None:
    table = tables.figures("accept/bat", ["per_second", "n"], {"accept": BARS})
    assert table.splitlines()[2:] == ["| batches | 2,000 (1,000 to 3,000) | - |"]
    none = tables.figures("accept/nobody", ["per_second"], {"accept": BARS})
    assert none == "Not measured there."
    assert tables.figures("otp", ["n"], {}) == "Not measured yet: `python -m benchmarks otp`."


def test_a_changed_result_makes_the_page_stale(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    block = "<!-- figures: accept per_second -->\n<!-- end of figures -->\n"
    for name in tables.PAGES:
        (tmp_path / name).write_text(block)
    assert len(tables.stale({"accept": BARS}, tmp_path)) == len(tables.PAGES) + 1
    for path, text in list(tables.made({"accept": BARS}, tmp_path)):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert tables.stale({"accept": BARS}, tmp_path) == []
    other = result({"batches": [{"per_second": 1001.0}]})
    assert len(tables.stale({"accept": other}, tmp_path)) == len(tables.PAGES) + 1


def test_a_picture_is_drawn_from_its_result(tmp_path: Path) -> None:
    [bars] = plot.write(BARS, tmp_path)
    drawn = ElementTree.fromstring(bars.read_text(encoding="utf-8"))
    texts = [each.text for each in drawn.iter() if each.tag.endswith("}text")]
    assert texts == ["accept: a second", "batches", "2,000"]
    [line] = plot.write(LINES, tmp_path)
    points = re.findall(r'points="([^"]+)"', line.read_text(encoding="utf-8"))
    assert [len(each.split()) for each in points] == [4, 4]
    widths = [float(each.split(",")[0]) for each in points[0].split()]
    assert widths == sorted(widths)
    # By powers of ten each step is as wide as the others.
    assert round(widths[1] - widths[0]) == round(widths[3] - widths[2])


def test_figures_have_names_for_people() -> None:
    assert labels.label("p999_ms") == "p99.9, ms"
    assert labels.label("gateway_us") == "gateway, µs a message"
    assert labels.label("handles") == "handles"
    assert labels.label("seconds") == "seconds"


def test_the_summary_says_what_is_not_met_and_what_has_no_figure() -> None:
    steps = [step for step in everything.STEPS if step.name in {"accept", "smpp"}]
    page = everything.page(steps, {"accept": BARS}, {"smpp": "it lost one"}, 12.3)
    assert "1 have figures, 1 have none. They took 12.3 minutes." in page
    assert page.index("NOT met") < page.index("## accept")
    assert "![accept](accept.svg)" in page
    assert "No figure: it lost one" in page


def test_what_is_recorded_is_shown(tmp_path: Path) -> None:
    root, into = tmp_path / "root", tmp_path / "into"
    (root / "docs").mkdir(parents=True)
    into.mkdir()
    for name in tables.PAGES:
        (root / name).write_text("<!-- figures: accept per_second -->\n<!-- end of figures -->\n")
    (into / "accept.json").write_text(json.dumps(BARS))
    everything.record(into, ["accept"], root)
    assert "| batches | 2,000 (1,000 to 3,000) |" in (root / "README.md").read_text()
    assert (root / "docs/benchmarks/accept.svg").exists()
    recorded = tables.results(root / "benchmarks/results")
    assert tables.stale(recorded, root) == []


def test_all_of_them_are_run_but_the_soaks() -> None:
    names = [step.name for step in everything.STEPS]
    assert set(names) == set(NAMES) - OVER_OTHERS - {"soak", "soak_faults"}
