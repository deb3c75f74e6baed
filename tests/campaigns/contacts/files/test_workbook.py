"""Workbooks that no program would write are refused, and held only in part."""

from __future__ import annotations

import pytest

from campaigns.contacts.files.tables import FileRefused
from campaigns.contacts.files.workbook import HELD_BYTES_MAX, Workbook
from tests.campaigns.contacts.files.books import book

GOOD = book([["number"], ["13812345678"]])
SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def marked(local: int, central: int, value: int) -> bytes:
    """A workbook with this octet in both headers of each part."""
    octets = bytearray(GOOD)
    for mark, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = octets.find(mark)
        while at >= 0:
            octets[at + place] = value
            at = octets.find(mark, at + 4)
    return bytes(octets)


def torn() -> bytes:
    at = GOOD.find(b"xl/workbook.xml") + len("xl/workbook.xml") + 2
    return GOOD[:at] + b"\xff" * 10 + GOOD[at + 10 :]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(marked(6, 8, 1), id="encrypted"),
        pytest.param(marked(8, 10, 99), id="packed strangely"),
        pytest.param(torn(), id="torn"),
        pytest.param(GOOD[:-30], id="cut off"),
    ],
)
def test_an_archive_that_cannot_be_read_is_refused(octets: bytes) -> None:
    with pytest.raises(FileRefused):
        Workbook(octets)


def of_sheet(inside: str) -> Workbook:
    text = f'<worksheet xmlns="{MAIN}"><sheetData>{inside}</sheetData></worksheet>'
    return Workbook(book([], parts={SHEET: text.encode()}))


@pytest.mark.parametrize("numbers", [(1, 2, 2), (2, 1), (1, -2), (1, 2_000_000)])
def test_rows_come_in_their_order_and_once(numbers: tuple[int, ...]) -> None:
    cell = '<c t="inlineStr"><is><t>number</t></is></c>'
    found = of_sheet("".join(f'<row r="{each}">{cell}</row>' for each in numbers))
    with pytest.raises(FileRefused):
        list(found.rows())


def test_a_row_without_an_end_is_given_up_at_its_bound() -> None:
    cells = "".join(f'<c r="{each:x}"/>' for each in range(HELD_BYTES_MAX // 8))
    with pytest.raises(FileRefused):
        list(of_sheet(f'<row r="1">{cells}</row>').rows())


def test_a_shared_text_without_an_end_is_given_up_at_its_bound() -> None:
    runs = "".join(f"<r><t>{each:x}</t></r>" for each in range(HELD_BYTES_MAX // 8))
    texts = f'<sst xmlns="{MAIN}"><si>{runs}</si></sst>'
    with pytest.raises(FileRefused):
        Workbook(book([], parts={"xl/sharedStrings.xml": texts.encode()}))
