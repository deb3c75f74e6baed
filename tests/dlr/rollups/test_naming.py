"""Whoever changes what a message is counted as names it, in the same transaction."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from dlr.rollups import naming
from dlr.rollups.naming import CHANGED, NEW, name_changed, name_new
from storage.sql import parse
from tests.tidy.source import PACKAGES, Source, sources

if TYPE_CHECKING:
    import pytest

    from storage.pool import Connection

# An outbox row counts by being there. A message's own row never changes in what is counted.
WRITES = re.compile(
    r"\b(?:(?:INSERT\s+INTO|DELETE\s+FROM)\s+(?:submission|outbox|message)"
    r"|UPDATE\s+submission)\b"
)
COMMENT = re.compile(r"--.*")
COPY = "copy_records_to_table"
COPIED = frozenset({"submission", "outbox", "message"})
# These change the tables for whoever calls them.
FUNCTIONS = frozenset(
    {
        "insert_submissions", "apply_receipts", "retract_unsent", "give_up",
        "mark_resent", "match_recipients", "sweep_unmatched", "fail_unreadable",
    }
)  # fmt: skip
MODULES = (
    "dlr.ledger", "dlr.silence", "dlr.in_doubt", "dlr.recipient_match", "dlr.parked",
    "dispatch.outbox.unreadable",
)  # fmt: skip
NAMES = frozenset(
    {"rows_changed", "receipts_changed", "messages_changed", "name_changed", "name_new"}
)
# Their callers name, or there is nothing to name.
NAMED_ELSEWHERE = {
    "dlr/ledger.py": "each of its callers",
    "dlr/ways.py": "who applies receipts, stores results or ends a way",
    "dispatch/answers/another_way.py": "the recorder, and dlr/parked.py",
    "dlr/in_doubt.py": "messages/control/doubts.py and the recorder",
    "dlr/whole_message.py": "the recorder, and who applies receipts",
    "dlr/recipient_match.py": "dlr/parked.py",
    "messages/accept/plain_flush.py": "only ids that are not late go this way",
    "dispatch/outbox/claims.py": "dispatch/outbox/unreadable.py, which it calls",
}


def code() -> list[Source]:
    return [
        source
        for source in sources()
        if source.package in PACKAGES and source.path.parts[:2] != ("storage", "migrations")
    ]


def writing_statements() -> set[str]:
    return {
        name
        for source in code()
        if source.path.suffix == ".sql"
        for name, statement in parse(source.text, str(source.path))
        if WRITES.search(COMMENT.sub("", statement))
    }


def writes(source: Source, statements: set[str]) -> bool:
    """Whether the module uses such a statement, copies rows, or imports one of FUNCTIONS."""
    if not any(word in source.text for word in (COPY, *FUNCTIONS, *statements)):
        return False
    for node in source.nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if node.slice.value in statements:
                return True
        elif isinstance(node, ast.Call):
            called = name_of(node)
            first = node.args[0] if node.args else None
            if called == COPY and isinstance(first, ast.Constant) and first.value in COPIED:
                return True
        elif isinstance(node, ast.ImportFrom) and imports_one(node):
            return True
    return False


def imports_one(node: ast.ImportFrom) -> bool:
    return node.module in MODULES and bool(FUNCTIONS & {each.name for each in node.names})


def name_of(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def silent(found: list[Source], statements: set[str]) -> list[str]:
    return [
        str(source.path)
        for source in found
        if source.path.suffix == ".py"
        and str(source.path) not in NAMED_ELSEWHERE
        and writes(source, statements)
        and not NAMES & {name_of(n) for n in source.nodes if isinstance(n, ast.Call)}
    ]


def test_every_writer_names_what_it_changes() -> None:
    statements = writing_statements()
    assert {"results_close", "submission_apply", "outbox_expire", "batch_sweep"} <= statements
    assert silent(code(), statements) == []


def test_a_writer_that_forgets_is_found() -> None:
    found = [source for source in code() if str(source.path) == "dispatch/outbox/expiry.py"]
    [expiry] = found
    text = expiry.text.replace("rows_changed(", "nobody_told(")
    assert silent([Source(expiry.path, text)], writing_statements()) == [str(expiry.path)]


def test_who_is_said_to_be_named_elsewhere_writes() -> None:
    statements = writing_statements()
    writing = {str(each.path) for each in code() if each.is_python and writes(each, statements)}
    assert NAMED_ELSEWHERE.keys() <= writing


async def test_a_transaction_names_each_message_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "NAMES_PER_ROW_MAX", 2)
    await name_changed(connection, [3, 1, 3, 2])
    await name_new(connection, [7])
    await name_changed(connection, [])
    rows = await connection.fetch("SELECT kind, message_ids FROM rollup_change ORDER BY id")
    assert [tuple(row) for row in rows] == [(CHANGED, [3, 1]), (CHANGED, [2]), (NEW, [7])]
