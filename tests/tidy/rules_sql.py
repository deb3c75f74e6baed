"""Owns the rules on SQL: where it lives, and which package writes which table."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.tidy.source import Source

STATEMENT = re.compile(
    r"""\s*(?: select\b.*\bfrom\b | insert\s+into\b | update\s+\S+\s+set\b | delete\s+from\b
           | merge\s+into\b | with\s+\w+\s+as\s*\( | copy\s+\w+\s*(?:\(|from\b|to\b) | truncate\b
           | (?P<shape>create|alter|drop)\s+(?:table|index|unique|sequence|function|view)\b )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def sql_in_files(source: Source) -> Iterator[str]:
    """SQL longer than a line has a name in a .sql file, where it reads and diffs as SQL."""
    for node, text in texts(source):
        several_lines = "\n" in text.strip() or (node.end_lineno or node.lineno) > node.lineno
        statement = STATEMENT.match(text)
        if statement is None or not several_lines:
            continue
        # A partition's name and bounds are part of its DDL: no parameter can stand for them.
        if not (statement["shape"] and isinstance(node, ast.JoinedStr)):
            yield source.at(node.lineno, "SQL of more than one line belongs in a .sql file")


def texts(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """Every string that is not a docstring; of an f-string what is fixed, with `?` for the rest."""
    skipped = {id(node.value) for node in source.nodes if isinstance(node, ast.Expr)}
    for node in source.nodes:
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values
            ]
            yield node, "".join(parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node, node.value


CREATE_TABLE = re.compile(r"((?:^--.*\n)*)^CREATE TABLE (?:IF NOT EXISTS )?(\w+) ?\(", re.M)
DECLARED_WRITER = re.compile(r"\bWriter: ([a-z_.]+[a-z_])")
WRITE = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM(?:\s+ONLY)?|MERGE\s+INTO|COPY|TRUNCATE)\s+(\w+)"
)
WRITING_WORD = re.compile("INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|copy_")
# Migrations are checksummed: their comments keep the names that packages had at the time.
WRITERS_SINCE_MOVED: dict[str, tuple[str, ...]] = {
    "gateway.accept": ("messages",),
    "gateway.dispatch": ("dispatch",),
    "gateway.inbound": ("dispatch",),
    "gateway.raw": ("dispatch",),
}
# The two ends of a hand-over between rooms: who puts a row in and who takes it out.
# And tables whose package had a name then that another has now.
WRITERS_OF_TABLE: dict[str, tuple[str, ...]] = {
    "outbox": ("messages", "dispatch"),
    "batch_control": ("messages", "dispatch", "storage"),
    "message_cancel": ("messages",),
    "index_rewrite": ("recipients",),
    "frequency": ("recipients",),
    "prefix_count": ("recipients",),
    "consent": ("recipients",),
}
COPY_METHODS = frozenset({"copy_records_to_table", "copy_to_table"})
LOCK = re.compile(r"\bpg_\w*advisory_\w*lock\w*\(\s*(\d+)")
COMMENT = re.compile(r"--.*")


def one_purpose_per_lock(code: Iterable[Source]) -> Iterator[str]:
    """Advisory locks have no names: a number that stands in two files would be one lock for two
    purposes.
    """
    files: dict[str, set[str]] = defaultdict(set)
    for source in code:
        for number in LOCK.findall(COMMENT.sub("", source.text)):
            files[number].add(str(source.path))
    for number, paths in files.items():
        if len(paths) > 1:
            yield f"advisory lock {number} is taken in {' and '.join(sorted(paths))}"


def declared_tables(migrations: Iterable[Source]) -> dict[str, str | None]:
    """Table -> the writer declared in the comment above its CREATE TABLE, or None."""
    tables: dict[str, str | None] = {}
    for source in migrations:
        for comment, table in CREATE_TABLE.findall(source.text):
            declared = DECLARED_WRITER.search(comment)
            tables[table] = declared.group(1) if declared else None
    return tables


def written_tables(source: Source) -> Iterator[tuple[str, int]]:
    """Each table whose rows this file changes, with the line."""
    if source.path.suffix == ".sql":
        text = COMMENT.sub("", source.text)
        for found in WRITE.finditer(text):
            yield found.group(1), text.count("\n", 0, found.start()) + 1
        return
    if WRITING_WORD.search(source.text) is None:
        return
    for string, text in texts(source):
        yield from ((table, string.lineno) for table in WRITE.findall(text))
    for node in source.nodes:
        if isinstance(node, ast.Call) and is_copy(node.func):
            yield from ((name, node.lineno) for name in map(literal, node.args[:1]))


def is_copy(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr in COPY_METHODS


def literal(argument: ast.expr) -> str:
    return str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def one_writer_per_table(code: Iterable[Source], tables: dict[str, str | None]) -> Iterator[str]:
    """A table's rows are changed by its declared writer alone; else by one package alone."""
    writers: dict[str, set[str]] = defaultdict(set)
    for source in code:
        for table, line in written_tables(source):
            if table not in tables:
                continue
            declared = tables[table]
            if declared is None:
                writers[table].add(source.package)
                continue
            now = WRITERS_OF_TABLE.get(table) or WRITERS_SINCE_MOVED.get(declared, (declared,))
            if not str(source.path).startswith(tuple(f"{each.replace('.', '/')}/" for each in now)):
                yield source.at(line, f"writes {table}, whose writer is {' or '.join(now)}")
    for table, packages in writers.items():
        if len(packages) > 1:
            several = " and ".join(sorted(packages))
            yield f"{table} is written by {several}: name its one writer in the migration"
