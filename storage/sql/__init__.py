"""Named SQL: reads a package's `sql/*.sql` files into a mapping.

Owns their form, and must not run anything. A block starts with `-- name: some_name`; the `--` lines
after it document it.
"""

from __future__ import annotations

import re
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEADING = re.compile(r"^--[ \t]*name:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COMMENT_OR_BLANK = re.compile(r"^\s*(--.*)?$")


def load(package: str) -> Mapping[str, str]:
    """Every named statement in `<package>/sql/*.sql`, without its leading comments.

    Raises ValueError for a name that is malformed or used twice in the package. Also for an empty
    block, and for SQL before a file's first name.
    """
    statements: dict[str, str] = {}
    folder = files(package) / "sql"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        where = f"{package}/sql/{file.name}"
        for name, statement in parse(file.read_text(encoding="utf-8"), where):
            if name in statements:
                raise ValueError(f"{where}: the name {name} is used twice")
            statements[name] = statement
    return MappingProxyType(statements)


def parse(text: str, where: str) -> Iterator[tuple[str, str]]:
    """The (name, statement) blocks of one file, in order. `where` is used in errors only."""
    preamble, *parts = _HEADING.split(text)
    if not all(map(_COMMENT_OR_BLANK.match, preamble.splitlines())):
        raise ValueError(f"{where}: SQL before the first `-- name:`")
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{where}: {name!r} is not a name")
        statement = _without_leading_comments(body)
        if not statement:
            raise ValueError(f"{where}: {name} has no SQL")
        yield name, statement


def _without_leading_comments(body: str) -> str:
    lines = body.splitlines()
    first = next(
        (index for index, line in enumerate(lines) if not _COMMENT_OR_BLANK.match(line)), len(lines)
    )
    return "\n".join(lines[first:]).strip().removesuffix(";")
