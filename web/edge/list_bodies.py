"""Bodies that are one list: an envelope, and items that each stand for themselves.

Owns the opening of the envelope. Must not know what an item is.

One bad item never sinks the others. Where the whole cannot be decoded, the items are told apart as
they were written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from messages.body_faults import UNDECODABLE, mended, not_json
from messages.json_text import NotJson, list_items, may_hold_twice
from messages.models import FieldError
from web.edge.arguments import refusal

SLICE_ITEMS = 100  # no callback holds the event loop longer than 5 ms

Items = Sequence[msgspec.Raw | bytes]


async def open_list(
    kind: type[msgspec.Struct], envelope: msgspec.json.Decoder[Any], body: bytes, items_max: int
) -> Items:
    """The items of the list that is the one field of `kind`. Raises ProblemError 400 or 422."""
    [name] = kind.__struct_encode_fields__
    try:
        items: Items = getattr(envelope.decode(body), name)
    except UNDECODABLE as error:
        try:
            items = await _apart(body, name)
        except NotJson as torn:
            if isinstance(error, msgspec.ValidationError):
                raise refusal(mended(body, kind).faults) from None
            raise refusal(not_json(torn.position)) from None
    else:
        if may_hold_twice(body, name):
            await _once(body, name)
    if not 1 <= len(items) <= items_max:
        detail = f"{len(items)} {name}; a request has 1 to {items_max}"
        raise refusal(FieldError("batch_size", detail, f"/{name}"))
    return items


async def _apart(body: bytes, name: str) -> list[bytes]:
    items: list[bytes] = []
    for item in list_items(body, name):
        items.append(item)
        if len(items) % SLICE_ITEMS == 0:
            await asyncio.sleep(0)
    return items


async def _once(body: bytes, name: str) -> None:
    """Raises ProblemError for an envelope that names its list twice. It has no other field."""
    try:
        await _apart(body, name)
    except NotJson:
        fault = FieldError("field_repeated", f"{name} is given twice", f"/{name}")
        raise refusal(fault) from None
