"""Owns which files the rules look at, and what a rule is given of each. Judges nothing."""

from __future__ import annotations

import ast
import gc
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "gateway",
    "web",
    "campaigns",
    "messages",
    "dispatch",
    "recipients",
    "dlr",
    "shortlinks",
    "storage",
    "smpp",
    "ratelimit",
)
# A distribution of its own, in a folder of its own.
CLIENT = "smsgate_client"
CLIENT_FOLDER = PurePosixPath("clients/python")
CODE = (*PACKAGES, "benchmarks", "docker", CLIENT)

# Never part of a commit: see .gitignore. Hidden folders are skipped as well, except .ci.
UNTRACKED_FOLDERS = frozenset({"__pycache__", "build", "dist"})
UNTRACKED_AT_THE_TOP = frozenset({"data"})
TEXT_SUFFIXES = frozenset(
    {
        ".py",
        ".sql",
        ".toml",
        ".md",
        ".yaml",
        ".yml",
        ".html",
        ".css",
        ".js",
        ".json",
        ".txt",
        ".cfg",
    }
)
TEXT_NAMES = frozenset({"Makefile", "Dockerfile", "run", ".dockerignore", ".gitignore"})


@dataclass(frozen=True)
class Source:
    """One text file: its path from the top of the checkout, and its text."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        # Python 3.11 may fail to build a tree, with a SystemError, when the garbage collector runs
        # a finaliser meanwhile. A connection that another test has left open has one.
        gc.disable()
        try:
            return ast.parse(self.text, filename=str(self.path))
        finally:
            gc.enable()

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its tree, walked once for all rules."""
        return tuple(ast.walk(self.tree))

    def forget(self) -> None:
        """Keep its text alone: a tree takes sixty times the room."""
        for derived in ("tree", "nodes"):
            vars(self).pop(derived, None)

    @property
    def package(self) -> str:
        """The folder at the top, '' for a file that lies there itself; the client's own name."""
        if self.path.is_relative_to(CLIENT_FOLDER / CLIENT):
            return CLIENT
        return self.path.parts[0] if len(self.path.parts) > 1 else ""

    @property
    def is_python(self) -> bool:
        return self.path.suffix == ".py"

    def at(self, line: int, fault: str) -> str:
        """One violation, in the form editors can jump to."""
        return f"{self.path}:{line}: {fault}"


def snippet(path: str, text: str) -> Source:
    """A Source that is in no file."""
    return Source(PurePosixPath(path), text)


def sources(root: Path = ROOT) -> Iterator[Source]:
    """Every text file under root that could be committed, in a fixed order."""
    for path in sorted(walk(root)):
        if path.suffix in TEXT_SUFFIXES or path.name in TEXT_NAMES:
            yield Source(PurePosixPath(path.relative_to(root)), path.read_text(encoding="utf-8"))


def walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_symlink():
            continue
        if entry.is_file():
            yield entry
        elif entry.is_dir() and is_tracked(entry):
            yield from walk(entry)


def is_tracked(folder: Path) -> bool:
    if folder.name in UNTRACKED_FOLDERS or folder.name.endswith(".egg-info"):
        return False
    if folder.parent == ROOT and folder.name in UNTRACKED_AT_THE_TOP:
        return False
    return not folder.name.startswith(".") or folder.name == ".ci"
