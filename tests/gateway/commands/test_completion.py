"""The scripts for shells are those of today's command line, and every command has its options."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterator

import pytest

from gateway.cli import main, parser_of_all
from tests.gateway.commands.completion_scripts import SHELLS, script

# They run until they are ended, or print something else than lines for people.
WITHOUT_JSON = {"serve", "demo", "simulate", "completion", "suppressions export", "persons export"}
HOW = "python -m tests.gateway.commands.completion_scripts"
COLUMNS = 80


def leaves(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command with its actions."""
    groups = [
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    ]
    for group in groups:
        for name, inner in group.choices.items():
            yield from leaves(inner, (*words, name))
    if not groups:
        yield " ".join(words), parser


LEAVES = dict(leaves(parser_of_all()))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_that_is_shipped_is_made_of_todays_parser(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == script(shell), f"{HOW} makes them anew"


def test_bash_completes_commands_actions_and_options() -> None:
    def completed(*words: str) -> set[str]:
        line = " ".join(f"'{word}'" for word in words)
        given = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}"
        asked = f"_shtab_smsgate {words[0]} '{words[-1]}' '{words[-2]}'"
        typed = f"{script('bash')}\n{given}\n{asked}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(
            ["bash", "-c", typed], capture_output=True, text=True, check=True, timeout=30
        )
        return set(done.stdout.split())

    assert completed("smsgate", "do") == {"doctor"}
    assert {"list", "probe"} <= completed("smsgate", "connectors", "")
    assert "--once" in completed("smsgate", "top", "--")


def test_each_command_can_answer_programs() -> None:
    missing = {name for name, parser in LEAVES.items() if "--json" not in parser.format_help()}
    assert missing == WITHOUT_JSON


@pytest.mark.parametrize("name", LEAVES)
def test_help_fits_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    text = LEAVES[name].format_help()
    assert [line for line in text.splitlines() if len(line) > COLUMNS] == []
    assert re.search(r"\.\.\.$", text, re.MULTILINE) is None  # nothing is cut
