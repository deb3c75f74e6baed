"""docs/top.svg and docs/doctor.svg show what these commands print today.

What they print is shown in docs/command-line.md too, and there each command is run.
"""

from __future__ import annotations

import re

import pytest

from tests.docs.demo_picture import COLUMNS, lines_of
from tests.docs.pages import blocks
from tests.docs.shapes import ANY
from tests.docs.shell import ROOT

PAGE = ROOT / "docs" / "command-line.md"
VARIES = re.compile(r"[0-9][0-9.]*")


def printed_by(command: str) -> list[str]:
    """What the page shows below this command."""
    (found,) = [
        each.printed
        for block in blocks(PAGE, ROOT)
        if block.language == "console"
        for each in block.commands()
        if each.typed == command
    ]
    return list(found)


@pytest.mark.parametrize(
    ("name", "command"), [("top", "smsgate top --once"), ("doctor", "smsgate doctor")]
)
def test_the_picture_shows_the_lines_that_the_page_shows(name: str, command: str) -> None:
    shown = lines_of((ROOT / "docs" / f"{name}.svg").read_text(encoding="utf-8"))
    assert max(map(len, shown)) <= COLUMNS
    lines = iter(shown)
    for wanted in printed_by(command):
        if wanted == ANY:
            continue
        parts = [VARIES.sub("N", part) for part in wanted.split(ANY)]
        pattern = re.compile(".*".join(map(re.escape, parts)))
        assert any(pattern.fullmatch(VARIES.sub("N", line)) for line in lines), wanted
