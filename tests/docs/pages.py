"""The fenced blocks of a page, and in those that are a console its commands and what they print.

Owns the reading of Markdown as far as that goes. Must run nothing.

A block that is not run has the reason in a comment before it: `<!-- not run: … -->`. One that is
run where a program is there names it: `<!-- needs: … -->`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONSOLE = "console"
PROMPT = "$ "
_FENCE = re.compile(r"```(.*)")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_NEEDS = re.compile(r"<!-- needs: (\S+) -->")


@dataclass(frozen=True)
class Command:
    """What is typed, over one line or several, and the lines that are printed then."""

    page: str
    line: int
    typed: str
    printed: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass
class Block:
    """A fenced block. `not_run`: why it is not, or nothing. `needs`: a program, or nothing."""

    page: str
    line: int
    language: str
    not_run: str = ""
    needs: str = ""
    lines: list[str] = field(default_factory=list)

    def commands(self) -> list[Command]:
        """Those of a console, in order."""
        found: list[Command] = []
        numbered = iter(enumerate(self.lines, self.line + 1))
        for number, line in numbered:
            if not line.startswith(PROMPT):
                raise ValueError(f"{self.page}:{number}: printed by no command")
            typed = line.removeprefix(PROMPT)
            while _goes_on(typed):
                typed += "\n" + next(numbered)[1]
            printed = self._printed(number - self.line + typed.count("\n"))
            for _ in printed:
                next(numbered)
            found.append(Command(self.page, number, typed, tuple(printed)))
        return found

    def _printed(self, start: int) -> list[str]:
        printed: list[str] = []
        for line in self.lines[start:]:
            if line.startswith(PROMPT):
                break
            printed.append(line)
        return printed


def every_page(root: Path) -> list[str]:
    """The documents of the checkout, as paths from its top."""
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("clients/*/*.md")]
    return sorted(file.relative_to(root).as_posix() for file in found)


def blocks(file: Path, root: Path) -> Iterator[Block]:
    """The blocks of a Markdown file."""
    page = file.relative_to(root).as_posix()
    reason, needs, block = "", "", None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if block is None:
            if fence:
                block = Block(page, number, fence[1], reason, needs)
            elif line.strip():
                mark = _NOT_RUN.fullmatch(line)
                reason = mark[1] if mark else ""
                asked = _NEEDS.fullmatch(line)
                needs = asked[1] if asked else ""
        elif fence:
            yield block
            reason, needs, block = "", "", None
        else:
            block.lines.append(line)
    if block is not None:
        raise ValueError(f"{page}:{block.line}: this block has no end")


def _goes_on(typed: str) -> bool:
    """Whether the shell would wait for more."""
    if typed.endswith("\\"):
        return True
    try:
        shlex.split(typed, comments=True)
    except ValueError:
        return True
    return False
