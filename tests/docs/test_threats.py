"""Each threat of THREAT_MODEL.md names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.docs.shell import ROOT

PAGE = ROOT / "THREAT_MODEL.md"
TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, kinds))


def threats() -> list[str]:
    """The rows of the tables whose third column is the test."""
    rows: list[str] = []
    inside = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| threat |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("| ---"):
            rows.append(line)
    return rows


def test_each_threat_is_held_by_tests_that_exist() -> None:
    rows = threats()
    assert len(rows) > 30
    for row in rows:
        named = TEST.findall(row.split("|")[3])
        assert named, row
        missing = [f"{file}::{name}" for file, name in named if name not in names_in(file)]
        assert missing == [], row


def test_no_test_is_named_anywhere_that_does_not_exist() -> None:
    for page in (PAGE, ROOT / "SECURITY.md"):
        text = page.read_text(encoding="utf-8")
        assert len(TEST.findall(text)) == text.count("::test_")
        assert all(name in names_in(file) for file, name in TEST.findall(text))
