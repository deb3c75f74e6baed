"""Owns what links led to: what is told of it, and what is answered. Must not ask anything."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import datetime

from smsgate_client.answers import ItemError
from smsgate_client.words import Attribution


@dataclass(frozen=True)
class NewConversion:
    """What a link led to, of a click (its `cid`), a message or a short link. `id` is your own.

    The same one told again is one conversion. `value` is a decimal, such as "129.90".
    """

    id: str
    event: str
    _: KW_ONLY
    click: str | None = None
    message: str | None = None
    link: str | None = None
    value: str | None = None
    currency: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A conversion, and the click of a person that counts for it, if any does."""

    id: str
    conversion_id: str
    event: str
    value: str | None
    currency: str | None
    occurred_at: datetime
    recorded_at: datetime
    message: str | None
    link: int | None
    click: str | None
    attribution: Attribution
    object: str = "conversion"


@dataclass(frozen=True, kw_only=True)
class ConversionItem:
    """One conversion of a batch, by its place in the request: taken, or refused."""

    index: int
    conversion: Conversion | None = None
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class ConversionBatch:
    """What became of each, in the order of the request."""

    items: tuple[ConversionItem, ...]
