"""The pages of cases and the tests agree: what a row names exists, and the reverse."""

from __future__ import annotations

import ast
import gc
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]
DOCS = TESTS.parent / "docs"
# Each letter's page: E the wire, N numbers, K words, L links, F figures, H HTTP, O operating,
# W webhooks, G figures that hold. C is campaigns.
PAGES = {"E": "smpp-cases.md", **dict.fromkeys("NKLFHOWGC", "cases.md")}
GAPS = "GC"  # has rows only for what is built

ROW = re.compile(r"\| ([ENKLFHOWGC]\d+) \| (.+?) \| (.+) \|")
CODE = re.compile(r"`([^`]+)`")
NUMBERED = re.compile(r"test_((?:[enklfhowgc]\d+_)+)")
REASON = re.compile(r"\b(not built|not ours|not yet)\b", re.IGNORECASE)


class Place(NamedTuple):
    """A test function of a file under tests/."""

    file: str
    name: str


class Case(NamedTuple):
    """One row of the page."""

    number: str
    cell: str
    tests: frozenset[Place]


@cache
def cases() -> tuple[Case, ...]:
    """The rows of both pages, in their order."""
    lines = (
        line
        for page in dict.fromkeys(PAGES.values())
        for line in (DOCS / page).read_text(encoding="utf-8").splitlines()
    )
    rows = (ROW.fullmatch(line) for line in lines)
    return tuple(Case(row[1], row[3], frozenset(named(row[3]))) for row in rows if row)


def named(cell: str) -> list[Place]:
    """A file in code style, then its tests; the next file begins another list."""
    tests: list[Place] = []
    file = ""
    for code in CODE.findall(cell):
        if code.startswith("test_"):
            tests.append(Place(file, code))
        else:
            file = code
    return tests


@cache
def existing(folder: Path) -> frozenset[Place]:
    """Every test function there is, found by reading, not importing."""
    return frozenset(
        Place(file.relative_to(folder).as_posix(), node.name)
        for file in folder.rglob("test_*.py")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def parsed(file: Path) -> ast.Module:
    # Python 3.11 may fail to build a tree when the collector runs a finaliser meanwhile.
    gc.disable()
    try:
        return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    finally:
        gc.enable()


def numbers(name: str) -> set[str]:
    """test_e45_e51_a_carrier… belongs to E45 and E51."""
    match = NUMBERED.match(name)
    return set() if match is None else set(re.findall(r"[A-Z]\d+", match[1].upper()))


def test_every_case_has_one_row_in_order() -> None:
    for letter in PAGES:
        numbers = [int(case.number[1:]) for case in cases() if case.number[0] == letter]
        if letter in GAPS:
            assert numbers == sorted(set(numbers)), letter
        else:
            assert numbers == list(range(1, len(numbers) + 1)), letter
        assert numbers, letter


def test_every_case_has_a_test_or_a_reason() -> None:
    bare = [case.number for case in cases() if not case.tests and not REASON.search(case.cell)]
    assert bare == []


def test_every_test_named_exists() -> None:
    gone = {f"{case.number}: {test}" for case in cases() for test in case.tests - existing(TESTS)}
    assert sorted(gone) == []


def test_every_test_with_a_case_number_is_in_its_row() -> None:
    rows = {case.number: case.tests for case in cases()}
    missing = [
        f"{number}: {test.file}: {test.name}"
        for test in existing(TESTS)
        for number in numbers(test.name)
        if test not in rows.get(number, frozenset())
    ]
    assert sorted(missing) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_e1_ids", {"E1"}),
        ("test_e45_n51_a_carrier", {"E45", "N51"}),
        ("test_each_way", set()),
        ("test_encode", set()),
    ],
)
def test_numbers_are_read_from_names(name: str, expected: set[str]) -> None:
    assert numbers(name) == expected


def test_a_cell_names_tests_file_by_file() -> None:
    cell = "`a/test_a.py`: `test_one`, `test_two`<br>`b/test_b.py`: `test_one`<br>Not built: x."
    assert named(cell) == [
        Place("a/test_a.py", "test_one"),
        Place("a/test_a.py", "test_two"),
        Place("b/test_b.py", "test_one"),
    ]
