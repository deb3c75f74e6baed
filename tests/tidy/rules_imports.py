"""Owns the rule on what may be imported from elsewhere: what pyproject.toml names.

It takes one Source and yields its violations. Must not judge what is named (test_locks.py does).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tests.tidy.locks import required
from tests.tidy.source import CLIENT, CLIENT_FOLDER, CODE, PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.tidy.source import Source

OURS = frozenset({*CODE, "tests"})
# Is imported in .venv-oracle, of which .venv knows nothing.
ELSEWHERE = "tests/smpp/pdu3_oracle.py"


def read_project() -> Any:
    """pyproject.toml, and the client's [project] as `client`."""
    project, client = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        for folder in (".", CLIENT_FOLDER)
    )
    return project | {"client": client["project"]}


def imports_are_named(source: Source) -> Iterator[str]:
    """What comes along with another package may stay away with its next version."""
    if source.package not in OURS or str(source.path) == ELSEWHERE:
        return
    may_import = named_for(source.package)
    for module, line in imported(source).items():
        if not {canonicalize_name(home) for home in homes().get(module, ())} & may_import:
            yield source.at(line, f"pyproject.toml does not name {module}")


@cache
def named_for(package: str) -> frozenset[str]:
    """The distributions that code of this package may import; tests may import all."""
    project = read_project()
    if package in PACKAGES:
        groups = ["run"]
    else:
        groups = ["client"] if package == CLIENT else ["run", "client", "dev"]
    asked = (each for group in groups for each in required(project, group))
    return frozenset(canonicalize_name(each.name) for each in asked)


@cache
def homes() -> Mapping[str, list[str]]:
    """The distributions that bring a module."""
    return metadata.packages_distributions()


def imported(source: Source) -> dict[str, int]:
    """The first words of a file's imports, but for ours and the standard library's, with the line
    of the last.
    """
    found: dict[str, int] = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0]: node.lineno for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module.partition(".")[0]] = node.lineno
    known = OURS | sys.stdlib_module_names
    return {module: line for module, line in sorted(found.items()) if module not in known}
