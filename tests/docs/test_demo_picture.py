"""docs/demo.svg is a picture of what the demo prints today."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.printing import outcome_table
from tests.docs.demo_picture import COLUMNS, lines_of, picture
from tests.gateway.demo.test_printing import figures

SVG = Path(__file__).resolve().parents[2] / "docs" / "demo.svg"


def test_o5_the_picture_shows_the_tables_of_today() -> None:
    shown = lines_of(SVG.read_text(encoding="utf-8"))
    words = {word for line in shown for word in line.split()}
    categories = [figures(category=name) for name in ("marketing", "otp", "transactional")]
    table = outcome_table(categories, figures())
    assert {str(column.header) for column in table.columns} <= words
    assert any(line.startswith("simulator's ledger: ") for line in shown)
    assert max(map(len, shown)) <= COLUMNS


def test_o5_a_picture_fetches_nothing_and_keeps_its_lines() -> None:
    svg = picture("first ━━\n\nthird │ it's 3\n")
    assert 'url("' not in svg
    assert lines_of(svg) == ["first ━━", "third │ it's 3"]
