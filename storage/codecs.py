"""How PostgreSQL's values look in Python, where it is not as asyncpg has it.

Owns the codecs that every connection gets. Must not know tables.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

# Beyond these two PostgreSQL knows the two infinities, which stand for them.
LATEST: Final = datetime.max.replace(tzinfo=UTC)
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_INFINITY: Final = (1 << 63) - 1
_MINUS_INFINITY: Final = -(1 << 63)
# A message brings six moments to the database, mostly those of its read, write or request.
# Remembering what they encode to makes one three times cheaper.
_MOMENTS_MAX: Final = 4_096


async def set_codecs(connection: asyncpg.Connection) -> None:
    """Set the codecs for timestamptz, json, jsonb and numeric.

    jsonb goes in its binary form, since COPY knows no other. A whole numeric becomes an int, as
    `sum(bigint)` gives one. Moments are aware; naive ones are refused.
    """
    for name, encoder, decoder, form in (
        ("timestamptz", _encode_moment, _decode_moment, "tuple"),
        ("jsonb", _encode_jsonb, _decode_jsonb, "binary"),
        ("json", msgspec.json.encode, msgspec.json.decode, "binary"),
        ("numeric", str, _decode_numeric, "text"),
    ):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=encoder, decoder=decoder, format=form
        )


def array_text(numbers: Iterable[int]) -> str:
    """The text of an array, for `$1::text::bigint[]`.

    asyncpg asks of each element whether it is an array, at three times the cost. Not for a WHERE
    condition, where the text may be parsed anew for every row.
    """
    return f"{{{','.join(map(int.__repr__, numbers))}}}"  # as numbers, also those that have names


def _encode_moment(moment: datetime) -> tuple[int]:
    """Microseconds since 2000. Raises TypeError for a naive datetime, and for a date."""
    # The second of two equal hours of a zone compares equal to the first, so it is not remembered.
    return _microseconds(moment) if moment.fold else _remembered_microseconds(moment)


def _microseconds(moment: datetime) -> tuple[int]:
    if moment == LATEST:
        return (_INFINITY,)
    if moment == EARLIEST:
        return (_MINUS_INFINITY,)
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds,)


_remembered_microseconds: Final = lru_cache(maxsize=_MOMENTS_MAX)(_microseconds)


def _decode_moment(value: tuple[int]) -> datetime:
    [microseconds] = value
    if microseconds == _INFINITY:
        return LATEST
    if microseconds == _MINUS_INFINITY:
        return EARLIEST
    return _EPOCH + timedelta(microseconds=microseconds)


def _encode_jsonb(value: object) -> bytes:
    return b"\x01" + msgspec.json.encode(value)  # the version byte of jsonb's binary form


def _decode_jsonb(data: bytes) -> object:
    return msgspec.json.decode(memoryview(data)[1:])


def _decode_numeric(text: str) -> int | Decimal:
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)
