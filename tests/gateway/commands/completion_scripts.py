"""The scripts that complete `smsgate` in shells, made from its parser:

    .venv/bin/python -m tests.gateway.commands.completion_scripts

Owns the list of shells. Must not be needed to run a command: shtab is there for development only.
"""

from __future__ import annotations

from pathlib import Path

import shtab

from gateway import cli

SHELLS = ("bash", "zsh", "fish")
FOLDER = Path(cli.__file__).parent / "completions"


def script(shell: str) -> str:
    """What completes the command line of today."""
    text: str = shtab.complete(cli.parser_of_all(), shell=shell)
    return text.rstrip("\n") + "\n"


def main() -> None:
    """Write them all."""
    for shell in SHELLS:
        (FOLDER / f"smsgate.{shell}").write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    main()
