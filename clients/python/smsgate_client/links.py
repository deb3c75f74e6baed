"""Owns links that belong to no message: what is asked for, and what is answered. Must not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import TypedDict

from smsgate_client.answers import ItemError
from smsgate_client.words import Interval, LinkState


@dataclass(frozen=True)
class NewLink:
    """A short link that everybody may have, under a code of six characters or a slug."""

    url: str
    _: KW_ONLY
    slug: str | None = None
    domain: str | None = None
    fallback_url: str | None = None
    expires_at: datetime | None = None
    campaign_id: str | None = None
    tags: Sequence[str] = ()


class LinkChanges(TypedDict, total=False):
    """What is to be different; what is not given stays."""

    url: str
    fallback_url: str | None
    expires_at: datetime | None
    campaign_id: str | None
    tags: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link as it stands."""

    id: str
    short_url: str
    domain: str
    code: str
    url: str
    fallback_url: str | None
    expires_at: datetime | None
    campaign_id: str | None
    tags: tuple[str, ...]
    state: LinkState
    created_at: datetime
    changed_at: datetime | None
    deleted_at: datetime | None
    object: str = "link"


@dataclass(frozen=True, kw_only=True)
class LinkItem:
    """One link of a batch, by its place in the request: made, or refused."""

    index: int
    id: str | None = None
    short_url: str | None = None
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class LinkBatch:
    """What became of each, in the order of the request."""

    made: int
    refused: int
    items: tuple[LinkItem, ...]


@dataclass(frozen=True, kw_only=True)
class LinkSpan:
    """A span of time with a click."""

    since: datetime
    clicks: int
    human_clicks: int


@dataclass(frozen=True, kw_only=True)
class LinkStats:
    """What a link's clicks amount to. `visitors`: pairs of network and browser."""

    id: str
    since: datetime
    until: datetime
    interval: Interval
    clicks: int
    human_clicks: int
    visitors: int
    classes: Mapping[str, int]
    first_click_at: datetime | None
    last_click_at: datetime | None
    spans: tuple[LinkSpan, ...]
    object: str = "link_stats"
