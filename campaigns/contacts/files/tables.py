"""Rows of a file of any encoding and delimiter, as its octets come.

Owns the reading of CSV and of a JSON object a line. Must not know a column's meaning. Pure: no row
is longer than messages/csv_text.py allows, whatever is fed.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from campaigns.contacts.attributes import plain
from messages.body_faults import UNDECODABLE
from messages.csv_text import RECORD_BYTES_MAX, CsvRecords, Line, Lines, Record, as_written

DELIMITERS = (",", ";", "\t", "|")
_COLUMNS_MAX = 200
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class FileRefused(Exception):
    """The file as a whole cannot be read. `pointer` is its line, or its line and column."""

    def __init__(self, code: str, said: str, pointer: str = "/1") -> None:
        super().__init__(said)
        self.code, self.pointer = code, pointer


class RawRow(NamedTuple):
    """One row: values by column, or in words why there are none."""

    line: int
    values: Mapping[str, object]
    fault: str | None = None


class Table(Protocol):
    """Rows of one file, fed in pieces. `columns` are there once the header is; () in NDJSON."""

    columns: Sequence[str]

    def feed(self, octets: bytes) -> Iterator[RawRow]:
        """The rows that are whole now. Raises FileRefused."""

    def close(self) -> Iterator[RawRow]:
        """What is left at the end. Raises FileRefused."""


class Utf8Watch:
    """Tells a file's encoding as its octets pass: by a mark at its start, else UTF-8 if all of it
    is, else GB18030.
    """

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._head = b""

    def feed(self, octets: bytes) -> None:
        """The next octets."""
        if len(self._head) < len(codecs.BOM_UTF8):
            self._head += octets[: len(codecs.BOM_UTF8)]
        self._take(octets, final=False)

    def encoding(self) -> str:
        """Of the whole file."""
        for mark, name in _BOMS:
            if self._head.startswith(mark):
                return name
        self._take(b"", final=True)
        return "gb18030" if self._decoder is None else "utf-8"

    def _take(self, octets: bytes, *, final: bool) -> None:
        if self._decoder is not None:
            try:
                self._decoder.decode(octets, final)
            except UnicodeDecodeError:
                self._decoder = None


class _Octets:
    """What a file says, in UTF-8 without a mark, whatever its encoding is."""

    def __init__(self, encoding: str) -> None:
        self._first = True
        self._decoder = (
            None
            if encoding == "utf-8"
            else codecs.getincrementaldecoder(encoding)(errors="replace")
        )

    def feed(self, octets: bytes, *, final: bool = False) -> bytes:
        if self._decoder is not None:
            octets = self._decoder.decode(octets, final).encode("utf-8", "replace")
        if self._first and octets:
            self._first = False
            octets = octets.removeprefix(codecs.BOM_UTF8)
        return octets


class NdjsonTable:
    """A JSON object a line. Empty lines are passed over."""

    columns: Sequence[str] = ()

    def __init__(self, encoding: str) -> None:
        self._octets = _Octets(encoding)
        self._lines = Lines()
        self._decoder = msgspec.json.Decoder(dict[str, object])

    def feed(self, octets: bytes) -> Iterator[RawRow]:
        for line in self._lines.feed(self._octets.feed(octets)):
            yield from self._read(line)

    def close(self) -> Iterator[RawRow]:
        for line in self._lines.feed(self._octets.feed(b"", final=True)):
            yield from self._read(line)
        for line in self._lines.close():
            yield from self._read(line)

    def _read(self, line: Line) -> Iterator[RawRow]:
        if line.octets is None:
            yield RawRow(line.number, {}, "the line is too long")
        elif line.octets.strip():
            try:
                values = self._decoder.decode(line.octets)
            except UNDECODABLE:
                yield RawRow(line.number, {}, "the line is no JSON object")
            else:
                nested = values.pop("attrs", None)
                if isinstance(nested, dict):
                    values |= nested
                yield RawRow(line.number, values)


class CsvTable:
    """A header, then a record a row. An empty cell says nothing."""

    def __init__(self, encoding: str, delimiter: str | None) -> None:
        """`delimiter` None: the one that the header has most of."""
        self.columns: Sequence[str] = ()
        self._octets = _Octets(encoding)
        self._delimiter = delimiter
        self._held = b""
        self._records: CsvRecords | None = None if delimiter is None else CsvRecords(delimiter)

    def feed(self, octets: bytes) -> Iterator[RawRow]:
        yield from self._take(self._octets.feed(octets), last=False)

    def close(self) -> Iterator[RawRow]:
        yield from self._take(self._octets.feed(b"", final=True), last=True)
        assert self._records is not None
        for record in self._records.close():
            yield from self._read(record)
        if not self.columns:
            raise FileRefused("columns_invalid", "the file has no header")

    def _take(self, octets: bytes, *, last: bool) -> Iterator[RawRow]:
        if self._records is None:
            self._held += octets
            line, end, _ = self._held.lstrip(b"\r\n").partition(b"\n")
            if not end and not last and len(self._held) <= RECORD_BYTES_MAX:
                return
            self._records = CsvRecords(_most(line))
            octets, self._held = self._held, b""
        for record in self._records.feed(octets):
            yield from self._read(record)

    def _read(self, record: Record) -> Iterator[RawRow]:
        if not self.columns:
            self.columns = header(record.cells, record.line, record.fault)
            return
        if record.fault is not None:
            yield RawRow(record.line, {}, record.fault[1])
        elif len(record.cells) > len(self.columns):
            yield RawRow(record.line, {}, f"it has {len(record.cells)} cells")
        else:
            values = {
                name: as_written(cell)
                for name, cell in zip(self.columns, record.cells, strict=False)
                if cell
            }
            if values:
                yield RawRow(record.line, values)


def header(cells: Sequence[str], line: int, fault: tuple[str, str] | None = None) -> Sequence[str]:
    """The names of columns. Raises FileRefused."""
    if fault is not None:
        raise FileRefused(fault[0], fault[1], f"/{line}")
    names = [plain(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not 1 <= len(names) <= _COLUMNS_MAX:
        raise FileRefused("columns_invalid", f"a header has 1 to {_COLUMNS_MAX} names", f"/{line}")
    for place, name in enumerate(names):
        if name and name in names[:place]:
            # Perhaps there is no header, and it is a number that somebody would read in a log.
            shown = str(place + 1) if any(map(str.isdigit, name)) else name
            raise FileRefused("columns_invalid", "a column is given twice", f"/{line}/{shown}")
    return names


def _most(line: bytes) -> str:
    """The delimiter of a header, where nothing between quotation marks counts."""
    bare = b"".join(line.split(b'"')[::2]).decode("utf-8", "replace")
    return max(DELIMITERS, key=lambda each: (bare.count(each), each == ","))
