"""Rows of a file as values of a type: a CSV file with a header, or a JSON object a line.

Owns the step from octets to that type, with what is wrong of a row, and the refusal of a header.
Must not know a column. A bad row never sinks those beside it; a bad header sinks the file.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from messages.csv_text import BOM, RECORD_BYTES_MAX, CsvRecords, Line, Lines, Record, as_written
from messages.models import FieldError
from web.edge.arguments import read_body
from web.edge.parameters import nearest
from web.edge.problems import ProblemError

NAME_CHARACTERS_SHOWN = 40

Row = TypeVar("Row", bound=msgspec.Struct)
_STARTS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1f\x8b": "this is gzip; say so with `Content-Encoding: gzip`",
        b"PK": "this is a ZIP archive, or a spreadsheet; save it as CSV in UTF-8",
        b"\xff\xfe": "this is UTF-16; save it as UTF-8",
        b"\xfe\xff": "this is UTF-16; save it as UTF-8",
    }
)
_SAMPLE_BYTES = 512
NO_ROWS = bytes(32)  # the digest before the first row


class FileRow(msgspec.Struct, Generic[Row], frozen=True):
    """One row. `row` None: it cannot be read at all. Pointers of faults begin with a field.

    `digest`: SHA-256 over this row and, with its digest, the one before.
    """

    line: int
    row: Row | None
    faults: Sequence[FieldError]
    digest: bytes


class FileRows(ABC, Generic[Row]):
    """Rows of one file."""

    def __init__(self, kind: type[Row], *, lists: Mapping[str, str] = MappingProxyType({})) -> None:
        """`lists`: fields that hold a list, and what stands between items in a CSV cell."""
        self._kind = kind
        self._lists = lists
        self._digest = NO_ROWS
        self._decoder = msgspec.json.Decoder(kind)
        self.columns: Sequence[str] = ()

    @abstractmethod
    def feed(self, octets: bytes) -> Iterator[FileRow[Row]]:
        """The rows that are whole now. Raises ProblemError for a file that is none."""

    @abstractmethod
    def close(self) -> Iterator[FileRow[Row]]:
        """What is left at the end. Raises ProblemError for a file without a header."""

    def _row(
        self, line: int, content: bytes, row: Row | None, faults: Sequence[FieldError]
    ) -> FileRow[Row]:
        self._digest = hashlib.sha256(self._digest + content).digest()
        return FileRow(line, row, faults, self._digest)


class NdjsonRows(FileRows[Row]):
    """A JSON object a line. Empty lines are passed over."""

    def __init__(self, kind: type[Row], *, lists: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(kind, lists=lists)
        self._lines = Lines()
        self._start = _Start()

    def feed(self, octets: bytes) -> Iterator[FileRow[Row]]:
        for line in self._lines.feed(self._start.checked(octets)):
            yield from self._read(line)

    def close(self) -> Iterator[FileRow[Row]]:
        for line in self._lines.feed(self._start.rest()):
            yield from self._read(line)
        for line in self._lines.close():
            yield from self._read(line)

    def _read(self, line: Line) -> Iterator[FileRow[Row]]:
        number, octets = line
        if octets is None:
            detail = f"the line has more than {RECORD_BYTES_MAX} octets"
            yield self._row(number, b"", None, [FieldError("row_too_long", detail, "")])
        elif octets.strip():
            found = read_body(self._kind, self._decoder, octets)
            yield self._row(number, octets, found.body, found.faults)


class CsvRows(FileRows[Row]):
    """A header by name, then a record a row. An empty cell is a field that is not given."""

    def __init__(self, kind: type[Row], *, lists: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(kind, lists=lists)
        self._records = CsvRecords()
        self._start = _Start()
        self._known = kind.__struct_encode_fields__

    def feed(self, octets: bytes) -> Iterator[FileRow[Row]]:
        for record in self._records.feed(self._start.checked(octets)):
            yield from self._read(record)

    def close(self) -> Iterator[FileRow[Row]]:
        for record in self._records.feed(self._start.rest()):
            yield from self._read(record)
        for record in self._records.close():
            yield from self._read(record)
        if not self.columns:
            raise _refused([FieldError("columns_invalid", "the file has no header", "/1")])

    def _read(self, record: Record) -> Iterator[FileRow[Row]]:
        if not self.columns:
            self._header(record)
            return
        line, cells, fault = record
        content = "\x1f".join(cells).encode()
        if fault is None and len(cells) != len(self.columns):
            fault = (
                "row_malformed", f"the row has {len(cells)} cells, the header {len(self.columns)}",
            )  # fmt: skip
        if fault is not None:
            yield self._row(line, content, None, [FieldError(*fault, "")])
            return
        values: dict[str, Any] = {
            name: as_written(cell) for name, cell in zip(self.columns, cells, strict=True) if cell
        }
        for name, between in self._lists.items():
            if name in values:
                values[name] = values[name].split(between)
        try:
            yield self._row(line, content, msgspec.convert(values, self._kind), ())
        except msgspec.ValidationError:
            found = read_body(self._kind, self._decoder, msgspec.json.encode(values))
            yield self._row(line, content, found.body, found.faults)

    def _header(self, record: Record) -> None:
        line, cells, fault = record
        if fault is not None:
            raise _refused([FieldError(fault[0], fault[1], f"/{line}")])
        names = [cell.strip().lower() for cell in cells]
        faults: list[FieldError] = []
        for place, name in enumerate(names):
            if name not in self._known:
                faults.append(self._unknown(name, line))
            elif name in names[:place]:
                faults.append(
                    FieldError("columns_invalid", f"{name} is given twice", f"/{line}/{name}")
                )
        faults += [
            FieldError("columns_invalid", f"the column {field.encode_name} is missing", f"/{line}")
            for field in msgspec.structs.fields(self._kind)
            if field.required and field.encode_name not in names
        ]
        if faults:
            raise _refused(faults)
        self.columns = names

    def _unknown(self, name: str, line: int) -> FieldError:
        shown = name[:NAME_CHARACTERS_SHOWN].encode("utf-8", "replace").decode()
        if not shown.isprintable() or any(letter.isdigit() for letter in shown):
            shown = "one"  # perhaps a number: the file has no header
        detail = f"unknown column {shown}{nearest(name, self._known)}"
        if any(mark in name for mark in ";\t|"):
            detail = f"the columns are not separated by commas; {detail}"
        return FieldError("columns_invalid", detail, f"/{line}")


class _Start:
    """The first octets of a file, held until they tell what it is."""

    def __init__(self) -> None:
        self._held: bytes | None = b""

    def checked(self, octets: bytes) -> bytes:
        """What may be read on. Raises ProblemError for what is no text in UTF-8."""
        if self._held is None:
            return octets
        self._held += octets
        return b"" if len(self._held) < _SAMPLE_BYTES else self.rest()

    def rest(self) -> bytes:
        """What was held. Raises as checked() does."""
        held, self._held = self._held or b"", None
        for start, said in _STARTS.items():
            if held.startswith(start):
                raise _refused([FieldError("encoding_invalid", said, "/1")])
        if b"\0" in held[:_SAMPLE_BYTES]:
            said = "this is no text in UTF-8, for it holds NUL; perhaps it is UTF-16"
            raise _refused([FieldError("encoding_invalid", said, "/1")])
        return held.removeprefix(BOM)


def _refused(faults: Sequence[FieldError]) -> ProblemError:
    return ProblemError(faults[0].code, faults[0].detail, tuple(faults))


def rows_of(
    csv: bool, kind: type[Row], *, lists: Mapping[str, str] = MappingProxyType({})
) -> FileRows[Row]:
    """A reader of a CSV file, or of lines of JSON."""
    return CsvRows(kind, lists=lists) if csv else NdjsonRows(kind, lists=lists)
