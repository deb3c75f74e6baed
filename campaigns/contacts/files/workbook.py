"""The first sheet of an XLSX workbook, row by row, within bounds.

Owns the reading of its parts and what a cell says. Must not know a column's meaning. Only one row
is held at a time, beside the workbook's shared texts.

A workbook is a ZIP archive, and a small one may unpack to anything. So the size of every part is
judged before it is opened; no part declares entities; and a row has few cells.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO
from xml.etree import ElementTree

from campaigns.contacts.attributes import number_text
from campaigns.contacts.files.tables import FileRefused, RawRow, header

WORKBOOK_BYTES_MAX = 32 << 20
PARTS_MAX = 1_000
UNPACKED_BYTES_MAX = 512 << 20  # of all parts
TEXTS_BYTES_MAX = 64 << 20  # of the shared texts, which are held
RATIO_MAX = 200  # sheets pack to a tenth or a twentieth
CELLS_MAX = 200  # of a row
ROWS_MAX = 1_048_576
HELD_BYTES_MAX = 1 << 20  # of one row, or of one shared text
PART_BYTES_MAX = 8 << 20  # of a part that is held as a whole

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
# Whatever a torn, encrypted or strangely packed archive makes its readers raise.
_UNREADABLE = (
    zipfile.BadZipFile, ElementTree.ParseError, zlib.error, KeyError, ValueError, OverflowError,
    OSError, EOFError, RuntimeError,
)  # fmt: skip
_COLUMN = re.compile(r"([A-Z]{1,3})[0-9]+")


class Workbook:
    """An open workbook. `columns`: the names in its first row with something."""

    def __init__(self, octets: bytes) -> None:
        """Raises FileRefused for what is no workbook, or is out of bounds."""
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(octets))
            self._judge()
            self._read_parts()
        except _UNREADABLE as error:
            raise FileRefused("row_malformed", "this is no readable XLSX workbook") from error
        self.columns: Sequence[str] = ()

    def rows(self) -> Iterator[RawRow]:
        """The rows behind the header. Raises FileRefused."""
        try:
            with self._open(self._sheet) as part:
                yield from self._rows(part)
        except _UNREADABLE as error:
            raise FileRefused("row_malformed", "the sheet cannot be read to its end") from error
        if not self.columns:
            raise FileRefused("columns_invalid", "the sheet has no header")

    def _judge(self) -> None:
        parts = self._archive.infolist()
        if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
            raise FileRefused("body_too_large", "the workbook unpacks to too much")
        for part in parts:
            if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("no workbook is packed like this")
            if part.file_size > (1 << 20) and part.file_size > RATIO_MAX * part.compress_size:
                raise FileRefused("body_too_large", "the workbook is packed beyond belief")
            if part.filename.endswith("sharedStrings.xml") and part.file_size > TEXTS_BYTES_MAX:
                raise FileRefused("body_too_large", "the workbook has too many texts")

    def _read_parts(self) -> None:
        names = set(self._archive.namelist())
        book = self._tree("xl/workbook.xml")
        properties = book.find(f"{_MAIN}workbookPr")
        self._origin = datetime(1899, 12, 30, tzinfo=UTC)
        if properties is not None and properties.get("date1904") in ("1", "true"):
            self._origin = datetime(1904, 1, 1, tzinfo=UTC)
        relations = {
            each.get("Id"): each.get("Target", "")
            for each in self._tree("xl/_rels/workbook.xml.rels")
        }
        sheet = book.find(f"{_MAIN}sheets/{_MAIN}sheet")
        if sheet is None:
            raise ValueError("no sheet")
        target = relations[sheet.get(_RELATION)].removeprefix("/").removeprefix("xl/")
        self._sheet = f"xl/{target}"
        self._dates = self._date_styles() if "xl/styles.xml" in names else frozenset()
        self._texts = list(self._shared()) if "xl/sharedStrings.xml" in names else []

    def _open(self, name: str, held_max: int = HELD_BYTES_MAX) -> _Undeclared:
        return _Undeclared(self._archive.open(name), held_max)

    def _tree(self, name: str) -> ElementTree.Element:
        with self._open(name, PART_BYTES_MAX) as part:
            return ElementTree.parse(part).getroot()

    def _shared(self) -> Iterator[str]:
        with self._open("xl/sharedStrings.xml") as part:
            whole: ElementTree.Element | None = None
            for event, element in ElementTree.iterparse(part, ("start", "end")):
                if whole is None:
                    whole = element
                elif event == "end" and element.tag == f"{_MAIN}si":
                    yield _text(element)
                    whole.clear()
                    part.let_go()

    def _date_styles(self) -> frozenset[int]:
        styles = self._tree("xl/styles.xml")
        own = {
            int(each.get("numFmtId", "0"))
            for each in styles.iter(f"{_MAIN}numFmt")
            if re.search("[ymdh]", _QUOTED.sub("", each.get("formatCode", "")).lower())
        }
        formats = styles.find(f"{_MAIN}cellXfs")
        found = [] if formats is None else [int(each.get("numFmtId", "0")) for each in formats]
        return frozenset(place for place, each in enumerate(found) if each in own | _DATES)

    def _rows(self, part: _Undeclared) -> Iterator[RawRow]:
        line = 0
        sheet: ElementTree.Element | None = None
        for event, element in ElementTree.iterparse(part, ("start", "end")):
            if event == "start":
                sheet = element if element.tag == f"{_MAIN}sheetData" else sheet
                continue
            if element is sheet:
                return
            if element.tag != f"{_MAIN}row" or sheet is None:
                continue
            above, line = line, int(element.get("r", line + 1))
            if not above < line <= ROWS_MAX:
                raise ValueError("too many rows, or not in their order")
            cells = self._cells(element)
            sheet.clear()  # of the rows that were read
            part.let_go()
            if not any(cells):
                continue
            if not self.columns:
                self.columns = header(cells, line)
            else:
                named = zip(self.columns, cells, strict=False)
                yield RawRow(line, {name: cell for name, cell in named if cell})

    def _cells(self, row: ElementTree.Element) -> list[str]:
        cells: list[str] = []
        for cell in row:
            found = _COLUMN.fullmatch(cell.get("r", ""))
            place = len(cells) if found is None else _place(found[1])
            if place >= CELLS_MAX:
                break
            cells += [""] * (place - len(cells))
            cells.append(self._value(cell))
        return cells

    def _value(self, cell: ElementTree.Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = cell.find(f"{_MAIN}is")
            return "" if inline is None else _text(inline)
        found = cell.find(f"{_MAIN}v")
        text = "" if found is None or found.text is None else found.text
        if kind == "s":
            place = int(text)
            return self._texts[place] if 0 <= place < len(self._texts) else ""
        if kind == "e":
            return ""
        if kind != "n" or not text:
            return text
        if int(cell.get("s", "0")) in self._dates:
            return self._moment(float(text))
        return text if text.lstrip("-").isdigit() else number_text(float(text))

    def _moment(self, days: float) -> str:
        try:
            moment = self._origin + timedelta(days=days)
        except OverflowError:
            return number_text(days)
        whole = moment.time().isoformat() == "00:00:00"
        return moment.date().isoformat() if whole else f"{moment:%Y-%m-%d %H:%M:%S}"


class _Undeclared(io.RawIOBase):
    """A part of the archive, as long as it declares no entities.

    Its reader lets go of what it has read before that is more than `held_max` octets.
    """

    def __init__(self, part: IO[bytes], held_max: int) -> None:
        self._part = part
        self._held_max = held_max
        self._held = 0
        self._end = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        octets = self._part.read(size)
        seen = self._end + octets
        if b"<!DOCTYPE" in seen or b"<!ENTITY" in seen:
            raise ValueError("it declares entities")
        self._end = seen[-16:]
        self._held += len(octets)
        if self._held > self._held_max:
            raise ValueError("there is too much in one piece")
        return octets

    def let_go(self) -> None:
        """What was read is not held any more."""
        self._held = 0

    def close(self) -> None:
        self._part.close()
        super().close()


def _text(element: ElementTree.Element) -> str:
    """The texts of its runs, without what says how they are read aloud."""
    return "".join(
        part.text or ""
        for run in element
        if run.tag in (f"{_MAIN}t", f"{_MAIN}r")
        for part in run.iter(f"{_MAIN}t")
    )


def _place(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1
