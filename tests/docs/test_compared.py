"""The page that sets campaigns beside what others do names tests and pages that are there."""

from __future__ import annotations

import re

import pytest

from tests.docs.test_cases import DOCS, TESTS, existing, named

PAGE = "campaigns-compared.md"
ROW = re.compile(r"\| ([A-Z][\w. ]+|listmonk) \| (.+) \| (.+) \| (.+) \|")
LINK = re.compile(r"\]\((https://[^)]+)\)")
ROWS = [
    row
    for line in (DOCS / PAGE).read_text(encoding="utf-8").splitlines()
    if (row := ROW.fullmatch(line)) is not None
]


def test_twelve_products_are_compared() -> None:
    assert len(ROWS) == len({row[1] for row in ROWS}) == 12


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_what_is_said_of_one_is_linked_and_ours_has_a_test(row: re.Match[str]) -> None:
    assert LINK.findall(row[2]), "where that is told"
    assert not LINK.findall(row[3])
    tests = named(row[4])
    assert tests
    assert set(tests) <= existing(TESTS)
