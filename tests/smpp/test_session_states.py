"""The drawing of the session's states is the table, and the document is the drawing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from smpp.session_states import TRANSITIONS, State, Step, document, mermaid

DOCUMENT = Path(__file__).parents[2] / "docs" / "smpp-session.md"


def test_every_transition_is_drawn_once_and_no_other() -> None:
    drawn = [
        (State[source], Step[step], State[target])
        for source, target, steps in re.findall(r"(\w+) --> (\w+): (.+)", mermaid())
        for step in steps.split(", ")
    ]
    table = [
        (state, step, target) for state, row in TRANSITIONS.items() for step, target in row.items()
    ]
    assert sorted(drawn, key=str) == sorted(table, key=str)
    assert "[*] --> OPEN" in mermaid()
    assert "CLOSED --> [*]" in mermaid()


def test_the_document_is_the_output_of_the_module() -> None:
    command = [sys.executable, "-m", "smpp.session_states"]
    root = DOCUMENT.parents[1]
    output = subprocess.run(command, cwd=root, capture_output=True, check=True, timeout=30)
    assert output.stdout.decode("utf-8") == document()
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "run: python -m smpp.session_states > docs/smpp-session.md"
    )
