"""`smsgate demo --campaign`: the win-back case is played, and the page that walks through it is of
such a run.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from gateway.demo.campaign.run import MARK, Played, campaign_demo, fresh_folder
from gateway.demo.campaign.win_back import WIN_BACK
from gateway.rehearsal.processes import RehearsalError
from tests.docs.campaign_walk import PAGE, REASON, ROOT, Walk
from tests.docs.demo_picture import lines_of
from tests.docs.pages import CONSOLE, Block, blocks
from tests.docs.shapes import differences
from tests.fork_server import forked

COLUMNS = 80
DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b(?!T)")
HOW_MANY = re.compile(r"\bhas \d+ people\b")
PERSON = re.compile(r"\+86\d{3}\*{4}\d{4}|(?<=\")(?:u-\d+|\d+-\d)(?=\")")
# The demo waits for the gateway's looks, which come every ten seconds.
QUICK = {"campaigns.running.watch.LOOK_SECONDS": 0.2}


async def played(folder: Path, database: str) -> tuple[Played, list[str]]:
    output = io.StringIO()
    console = Console(file=output, width=COLUMNS)
    start = partial(forked, constants=QUICK)
    found = await campaign_demo(
        WIN_BACK, folder, once=True, console=console, database=database, start=start
    )
    return found, output.getvalue().splitlines()


@pytest.mark.timeout(120)
async def test_c56_the_report_of_thirty_people_is_what_they_did(
    folder: Path, database_url: str
) -> None:
    """C56: and it says before and after that they are too few to say which text is better."""
    found, printed = await played(folder, database_url)
    assert all(line.ok for line in found.lines)
    figures = {line.what: line.report for line in found.lines}
    assert (figures["planned"], figures["rows of the file"]) == (30, 36)
    assert figures["second touch: suppressed"] == 1 + 2
    assert figures["texted after an opt-out"] == 0
    assert figures["second touch: texted"] == 25
    assert all(len(line) <= COLUMNS for line in printed if "│" in line or "%" in line)
    text = "\n".join(printed)
    assert "login           3 / 30 = 10.00%   (95 %: 3.46% to 25.62%)" in text
    assert "order_paid      2 / 30 = 6.67%   (95 %: 1.85% to 21.32%)" in text
    assert figures["the better text"] == "too few to say"
    assert "underpowered" in str(found.calls["plan"].answer["warnings"])
    assert found.calls["power"].answer["size"]["enough"] is False
    assert "too few to name a winner" in text
    assert page_faults(Walk(found.calls)) == []  # else: python -m tests.docs.campaign_walk
    pictured = "\n".join(lines_of((ROOT / "docs" / "campaign.svg").read_text(encoding="utf-8")))
    assert [line.what for line in found.lines if f"│ {line.what} " not in pictured] == []


def page_faults(walk: Walk) -> list[str]:
    """What docs/campaigns.md shows otherwise than it was."""
    faults = []
    for block in blocks(PAGE, ROOT):
        if block.not_run.startswith(REASON):
            name = block.not_run.removeprefix(REASON)
            [shown] = _timeless(block).commands()
            played = Block(block.page, block.line, CONSOLE, lines=walk.block(name))
            [command] = _timeless(played).commands()
            differing = differences(shown.printed, command.printed) + differences(
                ["".join(shown.typed.split())], ["".join(command.typed.split())]
            )
            faults += [f"{shown.place}, {name}: {each}" for each in differing]
    return faults


def _timeless(block: Block) -> Block:
    """Without days, who of the thirty it is, and how many have an arm: chance says so."""
    lines = [
        HOW_MANY.sub("has N people", PERSON.sub("SOMEBODY", DAY.sub("DAY", line)))
        for line in block.lines
    ]
    return replace(block, lines=lines)


def test_only_a_folder_of_an_earlier_demo_is_emptied(folder: Path) -> None:
    home = fresh_folder(folder / "campaign")
    (home / "ledger.jsonl").touch()
    assert [file.name for file in fresh_folder(folder / "campaign").iterdir()] == [MARK]
    other = folder / "letters"
    other.mkdir()
    (other / "dear").touch()
    with pytest.raises(RehearsalError, match="no folder of this demo"):
        fresh_folder(other)
    assert (other / "dear").exists()
