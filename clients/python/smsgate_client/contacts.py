"""Owns whom an account may write to, as values: contacts, attributes, tags.

Must not ask anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TypedDict

from smsgate_client.answers import ItemError
from smsgate_client.contact_words import (
    AttributeType,
    ContactFormat,
    ContactMode,
    ImportMode,
    ImportState,
    RowVerdict,
)

_Anything = object  # a contact has a field of that name


@dataclass(frozen=True)
class NewContact:
    """A contact to make or change. It is found by `external_id`, or by a number.

    The first of `numbers` is texted. An attribute that is None is emptied.
    """

    external_id: str | None = None
    _: KW_ONLY
    numbers: Sequence[str] = ()
    attrs: Mapping[str, object] = field(default_factory=dict)
    tags: Sequence[str] | None = None
    source: str | None = None
    time_zone: str | None = None
    mode: ContactMode | str | None = None


class ContactChanges(TypedDict, total=False):
    """What is to be different; what is not given stays. An attribute that is None is emptied."""

    external_id: str | None
    numbers: Sequence[str]
    attrs: Mapping[str, object]
    tags: Sequence[str]
    source: str | None
    time_zone: str | None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A contact. Numbers are masked unless revealed, and None where they cannot be read.

    Give its `revision` as the version with a change.
    """

    id: str
    external_id: str | None
    numbers: tuple[str | None, ...]
    attrs: Mapping[str, _Anything]
    tags: tuple[str, ...]
    source: str | None
    time_zone: str | None
    revision: int
    created_at: datetime
    updated_at: datetime
    object: str = "contact"


@dataclass(frozen=True)
class NewAttribute:
    """What an attribute is to be. Its type never changes."""

    type: AttributeType | str
    _: KW_ONLY
    label: str | None = None
    personal: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute that contacts may have."""

    name: str
    type: AttributeType
    label: str | None
    personal: bool


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag that contacts have."""

    name: str
    label: str | None
    personal: bool


@dataclass(frozen=True, kw_only=True)
class ContactImport:
    """How far a file of contacts is. `counts`: rows by verdict, and by code."""

    id: str
    state: ImportState
    detail: str | None
    format: ContactFormat
    encoding: str | None
    mode: ImportMode
    dry_run: bool
    bytes: int
    rows: int
    counts: Mapping[str, int]
    columns_ignored: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    object: str = "contact_import"


@dataclass(frozen=True, kw_only=True)
class ImportedRow:
    """What became of one row. `codes`: what is wrong with it, or worth knowing."""

    line: int
    verdict: RowVerdict
    codes: tuple[str, ...]
    number: str | None
    contact: str | None


@dataclass(frozen=True)
class NewEvent:
    """What a contact did. It names one of `contact`, `external_id` and `to`.

    Told again under its `event_id` within 72 hours, it is one. `amount` is a decimal: "129.90".
    """

    event_id: str
    name: str
    _: KW_ONLY
    contact: str | None = None
    external_id: str | None = None
    to: str | None = None
    at: datetime | None = None
    amount: str | None = None
    props: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class EventItem:
    """What became of one event: `recorded`, `repeated`, or an error."""

    index: int
    status: str | None = None
    id: str | None = None
    contact: str | None = None
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class EventBatch:
    """One item for each event, in order."""

    items: tuple[EventItem, ...]
