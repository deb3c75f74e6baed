"""Two versions of the code in turns: each is run with its own code, and their ratio is told."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.gateways import BenchmarkFailed

# A benchmark in the place of all others, which says which code it is.
STAND_IN = """
import json
from here import COST
print(json.dumps({"benchmark": "x", "cost": COST}))
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits; the second costs a tenth more."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "__main__.py").write_text(STAND_IN)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    for cost in (50, 55):
        (tmp_path / "here.py").write_text(f"COST = {cost}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True)
    monkeypatch.setattr(compare, "HERE", tmp_path)
    return tmp_path


def asked(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    return compare.run(parser.parse_args(words))


def test_each_round_measures_both(repository: Path) -> None:
    found = asked("x", "--base", "HEAD~1", "--rounds", "6")
    assert found["differ"] == ["cost"]
    ratios = found["ratios"]
    assert isinstance(ratios, list)
    assert ratios[0]["rounds"] == [pytest.approx(1.1)] * 6


def test_what_is_no_revision_and_what_fails_has_no_figure(repository: Path) -> None:
    with pytest.raises(BenchmarkFailed, match="nowhere"):
        asked("x", "--base", "nowhere")
    (repository / "here.py").write_text("raise SystemExit('lost one')\n")
    with pytest.raises(BenchmarkFailed, match="lost one"):
        asked("x", "--base", "HEAD", "--rounds", "1")


def test_the_list_names_each_with_what_it_measures() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "list"], capture_output=True, text=True, check=True
    )
    lines = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    assert lines["compare"].startswith("One benchmark in two versions")
    assert {"end_to_end", "reports", "soak"} <= set(lines)
