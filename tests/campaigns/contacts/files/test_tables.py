"""What no program writes in CSV and in JSON lines, and how little of it is held."""

from __future__ import annotations

import pytest

from campaigns.contacts.files.tables import CsvTable, FileRefused, NdjsonTable
from messages.csv_text import RECORD_BYTES_MAX


def test_a_header_without_an_end_is_refused_and_not_held() -> None:
    table = CsvTable("utf-8", None)
    for _ in range(3):
        list(table.feed(b"a" * RECORD_BYTES_MAX))
    assert len(table._held) <= RECORD_BYTES_MAX
    with pytest.raises(FileRefused):
        list(table.close())


def test_no_name_of_a_column_holds_what_a_database_does_not() -> None:
    table = CsvTable("utf-8", None)
    list(table.feed(b"phone,a\0b\n"))
    assert table.columns == ["phone", "a b"]


def test_a_line_nested_too_deeply_costs_itself_alone() -> None:
    deep = b'{"number":"1","x":' + b"[" * 7_000 + b"]" * 7_000 + b"}\n"
    rows = list(NdjsonTable("utf-8").feed(deep + b'{"number":"2"}\n'))
    assert [(row.line, row.fault is None) for row in rows] == [(1, False), (2, True)]
