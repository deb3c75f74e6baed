"""CSV as RFC 4180 has it: records from octets as they come, and lines from cells.

Owns the form, the line that each record begins in, and the bounds of a record. Must not know a
column. Pure: no record is ever longer than RECORD_BYTES_MAX, whatever is fed.

A quotation mark that is never closed costs its own line. What follows it is read as if it had not
been there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

RECORD_BYTES_MAX = 16 << 10
RECORD_LINES_MAX = 20  # of a record with line breaks between quotation marks
BOM = b"\xef\xbb\xbf"
END = "\r\n"

_SPECIAL = re.compile(r'[",\r\n]')
_NUMBER = re.compile(r"[+-]?[0-9.]+", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | None


class Line(NamedTuple):
    """One line without its end. `octets` None: it was longer than RECORD_BYTES_MAX."""

    number: int
    octets: bytes | None


class Record(NamedTuple):
    """One record. `fault` says in words why there are no cells."""

    line: int
    cells: list[str]
    fault: tuple[str, str] | None = None  # code, detail


class Lines:
    """Cuts octets into lines that end with LF or CR LF."""

    def __init__(self) -> None:
        self._rest = b""
        self._number = 0
        self._dropping = False  # the rest of a line that is too long

    def feed(self, octets: bytes) -> Iterator[Line]:
        """The lines that are whole now."""
        *whole, self._rest = (self._rest + octets).split(b"\n")
        for line in whole:
            self._number += 1
            if self._dropping or len(line) > RECORD_BYTES_MAX:
                self._dropping = False
                yield Line(self._number, None)
            else:
                yield Line(self._number, line.removesuffix(b"\r"))
        if len(self._rest) > RECORD_BYTES_MAX:
            self._rest, self._dropping = b"", True

    def close(self) -> Iterator[Line]:
        """The last line, if it has no end."""
        if self._rest or self._dropping:
            yield from self.feed(b"\n")


class CsvRecords:
    """Reads records. Lines without anything are passed over."""

    def __init__(self, delimiter: str = ",") -> None:
        """`delimiter`: one character between cells, and no quotation mark."""
        between = re.escape(delimiter)
        self._delimiter = delimiter
        self._quoted = re.compile(rf'"((?:[^"]|"")*)"(?:{between}|$)')
        self._bare = re.compile(rf'([^"{between}]*)(?:{between}|$)')
        self._lines = Lines()
        self._open: list[Line] = []  # of a record whose quotation mark is not closed yet

    def feed(self, octets: bytes) -> Iterator[Record]:
        """The records that are whole now."""
        for line in self._lines.feed(octets):
            yield from self._take(line)

    def close(self) -> Iterator[Record]:
        """What is left at the end."""
        for line in self._lines.close():
            yield from self._take(line)
        while self._open:
            yield from self._given_up()

    def _take(self, line: Line) -> Iterator[Record]:
        if line.octets is None:
            while self._open:
                yield from self._given_up()
            yield _too_long(line.number)
            return
        if not self._open and b'"' not in line.octets:
            if line.octets:
                yield self._read(line.number, line.octets)
            return
        self._open.append(line)
        octets = b"\n".join(each.octets or b"" for each in self._open)
        if octets.count(b'"') % 2 == 0:
            first = self._open[0].number
            self._open = []
            yield self._read(first, octets)
        elif len(self._open) > RECORD_LINES_MAX or len(octets) > RECORD_BYTES_MAX:
            yield from self._given_up()

    def _given_up(self) -> Iterator[Record]:
        first, *rest = self._open
        self._open = []
        yield Record(
            first.number, [], ("row_malformed", 'a quotation mark is not closed; write "" for one')
        )
        for line in rest:
            yield from self._take(line)

    def _read(self, line: int, octets: bytes) -> Record:
        if len(octets) > RECORD_BYTES_MAX:
            return _too_long(line)
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            return Record(line, [], ("encoding_invalid", "the line is not UTF-8"))
        if '"' not in text:
            return Record(line, text.split(self._delimiter))
        cells: list[str] = []
        place = 0
        while place <= len(text):
            quoted = text.startswith('"', place)
            found = (self._quoted if quoted else self._bare).match(text, place)
            if found is None:
                detail = 'a cell with a quotation mark stands in "…", and the mark is written twice'
                return Record(line, [], ("row_malformed", detail))
            cells.append(found[1].replace('""', '"') if quoted else found[1])
            place = found.end()
            if not found[0].endswith(self._delimiter):
                break
        return Record(line, cells)


def _too_long(line: int) -> Record:
    detail = f"the line has more than {RECORD_BYTES_MAX} octets"
    return Record(line, [], ("row_too_long", detail))


def csv_line(cells: Sequence[Cell]) -> str:
    """One record with its end. None is an empty cell; true and false are words.

    A cell that a spreadsheet would take for a formula begins with an apostrophe. Numbers do not.
    """
    return ",".join(map(_cell, cells)) + END


def as_written(cell: str) -> str:
    """A cell without the apostrophe that csv_line() has put before it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    if _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
