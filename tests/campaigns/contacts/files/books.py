"""Small XLSX workbooks made by hand, also those that no program would write."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
Cell = str | int | float


def book(
    rows: Sequence[Sequence[Cell]],
    *,
    dates: Sequence[int] = (),
    date1904: bool = False,
    parts: Mapping[str, bytes] | None = None,
) -> bytes:
    """`dates`: columns whose numbers are days. `parts` stand in place of the usual ones."""
    found: dict[str, bytes] = {
        "xl/workbook.xml": (
            f'<workbook {_MAIN} xmlns:r="{_RELATIONS}"><workbookPr date1904="{int(date1904)}"/>'
            '<sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>'
        ).encode(),
        "xl/_rels/workbook.xml.rels": (
            b'<Relationships xmlns="x"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
            b"</Relationships>"
        ),
        "xl/styles.xml": (
            f'<styleSheet {_MAIN}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
            "</styleSheet>"
        ).encode(),
        "xl/worksheets/sheet1.xml": sheet(rows, dates).encode(),
        **(parts or {}),
    }
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in found.items():
            archive.writestr(name, part)
    return octets.getvalue()


def sheet(rows: Sequence[Sequence[Cell]], dates: Sequence[int] = ()) -> str:
    lines = [
        f'<row r="{line}">{"".join(cell(v, place in dates) for place, v in enumerate(row))}</row>'
        for line, row in enumerate(rows, 1)
    ]
    return f"<worksheet {_MAIN}><sheetData>{''.join(lines)}</sheetData></worksheet>"


def cell(value: Cell, date: bool) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c s="{int(date)}"><v>{value}</v></c>'
