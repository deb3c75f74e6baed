"""Whoever changes what a message is writes it down for webhooks, in the same transaction."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

from tests.tidy.source import PACKAGES, sources

# What changes rows of `submission`; each of these is called inside a transaction.
CHANGES = frozenset({"insert_submissions", "apply_receipts", "give_up", "answered_late", "drop"})
CONCERNED = ("dlr.ledger", "dlr import in_doubt", "def give_up")
TELLS = frozenset({"tell_rows", "rows_changed", "receipts_changed", "messages_changed", "put"})
# Whose callers tell: these make no transaction of their own.
TOLD_BY_CALLERS = {
    PurePosixPath("dlr/in_doubt.py"): "answered_late, drop",
    PurePosixPath("dlr/recipient_match.py"): "match_recipients, of dlr/parked.py",
}


def called(tree: ast.Module) -> set[str]:
    """The last names of everything that is called."""
    return {
        node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    }


def test_every_module_that_changes_a_status_tells_of_it() -> None:
    silent = []
    changing = 0
    for source in sources():
        if source.path.suffix != ".py" or source.package not in PACKAGES:
            continue
        if not any(word in source.text for word in CONCERNED):
            continue
        names = called(source.tree)
        if not names & CHANGES or source.path in TOLD_BY_CALLERS:
            continue
        changing += 1
        if not names & TELLS:
            silent.append(str(source.path))
    assert silent == []
    assert changing > 9, "the rule looks at nothing"
