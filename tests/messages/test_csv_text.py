"""CSV both ways: what is read is what was written, and no cell spoils the one beside it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.csv_text import (
    RECORD_BYTES_MAX,
    RECORD_LINES_MAX,
    CsvRecords,
    Record,
    as_written,
    csv_line,
)


def read(octets: bytes, size: int = 7) -> list[Record]:
    """Fed in pieces of `size` octets."""
    records = CsvRecords()
    found: list[Record] = []
    for start in range(0, len(octets), size):
        found += records.feed(octets[start : start + size])
    return [*found, *records.close()]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=6)


@given(ROWS, st.integers(1, 30))
def test_what_is_written_is_read_in_pieces_of_any_size(rows: list[list[str]], size: int) -> None:
    octets = "".join(map(csv_line, rows)).encode()
    found = read(octets, size)
    assert [each.fault for each in found] == [None] * len(rows)
    assert [[as_written(cell) for cell in each.cells] for each in found] == [
        [as_written(cell) for cell in row] for row in rows
    ]


@given(ROWS)
def test_what_is_written_is_what_others_read(rows: list[list[str]]) -> None:
    text = "".join(map(csv_line, rows))
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert [[as_written(cell) for cell in row] for row in found] == [
        [as_written(cell) for cell in row] for row in rows
    ]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_whatever_comes_is_read_to_its_end_the_same_in_any_pieces(octets: bytes, size: int) -> None:
    assert read(octets, size) == read(octets, 1000)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("+86138****5678", "'+86138****5678"),
        ("+8613812345678", "+8613812345678"),
        ("-5", "-5"),
        ('=x,"y"', '"\'=x,""y"""'),
        ("\tx", "'\tx"),
        (None, ""),
        (True, "true"),
        (0.5, "0.5"),
    ],
)
def test_a_formula_is_no_formula_in_a_spreadsheet(cell: str | float | None, written: str) -> None:
    assert csv_line([cell]) == f"{written}\r\n"


def test_lines_are_counted_and_one_bad_record_costs_itself_alone() -> None:
    octets = b'a,b\r\n\r\n"1\n2",3\nx"y,z\n"p"q,r\n\xff,s\n4,5'
    found = read(octets)
    assert [(each.line, each.cells, each.fault and each.fault[0]) for each in found] == [
        (1, ["a", "b"], None),
        (3, ["1\n2", "3"], None),
        (5, [], "row_malformed"),
        (6, [], "row_malformed"),
        (7, [], "encoding_invalid"),
        (8, ["4", "5"], None),
    ]


def test_a_quotation_mark_that_is_never_closed_costs_its_line() -> None:
    lines = [b'a,"b'] + [b"%d,x" % n for n in range(3 * RECORD_LINES_MAX)]
    found = read(b"\n".join(lines))
    assert found[0].fault is not None
    assert [each.cells for each in found[1:]] == [
        [str(n), "x"] for n in range(3 * RECORD_LINES_MAX)
    ]
    assert read(b'1,"2')[0].fault is not None


def test_no_record_is_longer_than_the_bound() -> None:
    long = b"x" * (RECORD_BYTES_MAX + 1)
    found = read(b"1,2\n" + long + b"\n3,4\n" + long, 1000)
    assert [each.fault and each.fault[0] for each in found] == [
        None, "row_too_long", None, "row_too_long",
    ]  # fmt: skip
    assert [each.line for each in found] == [1, 2, 3, 4]
