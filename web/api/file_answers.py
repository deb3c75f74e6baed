"""Answers that are files: lines of JSON or CSV, written as they are read.

Owns their form and the parameter that chooses it. Must not know what a row is.

A stream that breaks off ends its connection. So a client never takes a part for the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from messages.csv_text import Cell, csv_line
from web.edge.endpoints import Answer
from web.edge.file_bodies import CSV, MEDIA, NDJSON

Form = Annotated[
    Literal["csv", "ndjson"], Meta(description="CSV (RFC 4180), or a JSON object a line.")
]
Rows = AsyncIterator[Sequence[msgspec.Struct]]
_BETWEEN = "|"


def file_answer(description: str) -> Answer:
    """The record of such an answer."""
    return Answer(None, description, content_type=MEDIA[NDJSON], content_types=(MEDIA[CSV],))


async def stream(
    form: str, kind: type[msgspec.Struct], rows: Rows, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The answer, once its first rows are there. Raises what `rows` raises until then."""
    first = await anext(rows, None)
    octets = _octets(form, kind, first, rows)
    named = {} if form == NDJSON else {"Content-Disposition": 'attachment; filename="rows.csv"'}
    return web.Response(
        body=octets,
        content_type=MEDIA[form],
        charset="utf-8" if form == CSV else None,
        headers={**named, **(headers or {})},
    )


async def _octets(
    form: str, kind: type[msgspec.Struct], first: Sequence[msgspec.Struct] | None, rows: Rows
) -> AsyncIterator[bytes]:
    columns = kind.__struct_encode_fields__
    if form == CSV:
        yield csv_line(columns).encode()
    encoder = msgspec.json.Encoder()
    page = first
    while page is not None:
        if form == NDJSON:
            yield encoder.encode_lines(page)
        else:
            yield "".join(csv_line(_cells(row)) for row in page).encode()
        page = await anext(rows, None)


def _cells(row: msgspec.Struct) -> list[Cell]:
    return [_cell(getattr(row, name)) for name in row.__struct_fields__]


def _cell(value: Any) -> Cell:
    if value is None or value is UNSET:
        return None
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return _BETWEEN.join(map(str, value))
    return str(msgspec.to_builtins(value))
