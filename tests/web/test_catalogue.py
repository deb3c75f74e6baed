"""The page of metrics is what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from web.catalogue import CATALOGUE, render

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_the_catalogue() -> None:
    """python -m web.catalogue > docs/metrics.md"""
    assert PAGE.read_text(encoding="utf-8") == render()


def test_each_metric_stands_in_one_table() -> None:
    metrics, _, _ = render().partition("## Figures of reports")
    rows = [line.split("|")[1].strip() for line in metrics.splitlines() if line[:3] == "| `"]
    assert rows == [f"`{name}`" for name in CATALOGUE]
