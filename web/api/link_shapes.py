"""Links as a client writes and sees them, and everything that can be wrong with one.

Owns these shapes and their checks. Must not store or ask anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from messages.body_faults import in_list
from messages.models import FieldError
from shortlinks.link_rules import LinkRefused, LinkRules
from shortlinks.public_desk import PREFIX
from shortlinks.public_links import NewLink, StoredLink
from shortlinks.slugs import SLUG_CHARACTERS_MAX, SLUG_CHARACTERS_MIN, SlugRefused, check_slug
from storage.ids import format_id
from web.api.message_answers import ItemError

LIST = "links"
TAGS_MAX = 10
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
LINK_PROBLEMS = (
    "link_url_invalid", "link_host_refused", "link_loop", "link_domain_unknown", "slug_invalid",
    "slug_reserved", "slug_taken", "out_of_range",
)  # fmt: skip
StateName = Literal["live", "expired", "deleted"]

_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]
_Url = Annotated[str, Meta(description="Where it leads: http or https, at most 2 048 characters.")]
_Fallback = Annotated[
    str | None, Meta(description="Where it leads once it has ended; absent: it answers 410.")
]
_Expiry = Annotated[
    Annotated[datetime, Meta(tz=True)] | None,
    Meta(description="From when on it leads there no more; absent: never."),
]
_Campaign = Annotated[_Label | None, Meta(description="Lists can be narrowed to it.")]
_Tags = Annotated[tuple[_Label, ...], Meta(max_length=TAGS_MAX, description="Likewise.")]


class LinkRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new link."""

    url: _Url
    slug: Annotated[
        str | None,
        Meta(
            description=f"A name in place of a code: {SLUG_CHARACTERS_MIN} to "
            f"{SLUG_CHARACTERS_MAX} of a-z 0-9 - _. People may type it in capitals."
        ),
    ] = None
    domain: Annotated[
        str | None, Meta(description="One of the account's `link_domains`; absent: the first.")
    ] = None
    fallback_url: _Fallback = None
    expires_at: _Expiry = None
    campaign_id: _Campaign = None
    tags: _Tags = ()


class LinkBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 10 000 links, each by itself."""

    links: list[msgspec.Raw]


class LinkPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to change. Domain, code and slug stay: what was printed leads on."""

    url: _Url | UnsetType = UNSET
    fallback_url: _Fallback | UnsetType = UNSET
    expires_at: _Expiry | UnsetType = UNSET
    campaign_id: _Campaign | UnsetType = UNSET
    tags: _Tags | UnsetType = UNSET


class LinkResource(msgspec.Struct, kw_only=True):
    """A link as it stands."""

    id: str
    object: str = "link"
    short_url: str
    domain: str
    code: Annotated[str, Meta(description="Six characters, or the slug.")]
    url: str
    fallback_url: str | None
    expires_at: datetime | None
    campaign_id: str | None
    tags: tuple[str, ...]
    state: StateName
    created_at: datetime
    changed_at: datetime | None
    deleted_at: datetime | None


class LinkItem(msgspec.Struct, omit_defaults=True):
    """What became of one item of a batch: a link, or an error."""

    index: int
    id: str | None = None
    short_url: str | None = None
    error: ItemError | None = None


class LinkBatchAnswer(msgspec.Struct):
    """One item for each link, in order."""

    made: int
    refused: int
    items: list[LinkItem]


class LinkPage(msgspec.Struct):
    """A page of links, the latest made first."""

    data: list[LinkResource]
    next_cursor: str | None


def new_link(
    asked: LinkRequest, faults: list[FieldError], rules: LinkRules, account: int, now: datetime
) -> NewLink:
    """The link that is asked for, without an id; what is wrong with it is added to `faults`."""
    domain = ""
    try:
        domain = rules.base(account, asked.domain).rpartition("://")[2]
    except LinkRefused as refused:
        faults.append(FieldError(refused.code, str(refused), "/domain"))
    if asked.slug is not None:
        try:
            check_slug(asked.slug)
        except SlugRefused as refused:
            faults.append(FieldError(refused.code, str(refused), "/slug"))
    return NewLink(
        id=0,
        domain=domain,
        slug=asked.slug,
        target=_target(asked.url, "url", faults, rules, account) or "",
        fallback=_target(asked.fallback_url, "fallback_url", faults, rules, account),
        campaign_id=asked.campaign_id,
        tags=_tags(asked.tags),
        expires_at=_expiry(asked.expires_at, faults, now),
    )


def changes(
    asked: LinkPatch, faults: list[FieldError], rules: LinkRules, account: int, now: datetime
) -> dict[str, object]:
    """The fields of a stored link that are to change; what is wrong is added to `faults`."""
    given: dict[str, object] = {}
    if not isinstance(asked.url, UnsetType):
        given["target"] = _target(asked.url, "url", faults, rules, account)
    if not isinstance(asked.fallback_url, UnsetType):
        given["fallback"] = _target(asked.fallback_url, "fallback_url", faults, rules, account)
    if not isinstance(asked.expires_at, UnsetType):
        given["expires_at"] = _expiry(asked.expires_at, faults, now)
    if not isinstance(asked.campaign_id, UnsetType):
        given["campaign_id"] = asked.campaign_id
    if not isinstance(asked.tags, UnsetType):
        given["tags"] = _tags(asked.tags)
    return given


def slug_taken(slug: str | None, by: str) -> FieldError:
    """The refusal of a slug."""
    why = "is taken" if slug == by else f"looks like {by}, which is taken"
    return FieldError("slug_taken", f"slug {slug} {why}", "/slug")


def resource(link: StoredLink, rules: LinkRules, now: datetime) -> LinkResource:
    """As it is shown."""
    return LinkResource(
        id=format_id(PREFIX, link.id),
        short_url=rules.short_url(link.account, link.domain, link.code),
        domain=link.domain,
        code=link.code,
        url=link.target,
        fallback_url=link.fallback,
        expires_at=link.expires_at,
        campaign_id=link.campaign_id,
        tags=link.tags,
        state=link.state(now),
        created_at=link.made_at,
        changed_at=link.changed_at,
        deleted_at=link.deleted_at,
    )


def refused_item(index: int, faults: Sequence[FieldError]) -> LinkItem:
    """An item that was not taken."""
    return LinkItem(index, error=ItemError.of(in_list(faults, LIST, index)))


def _target(
    url: str | None, name: str, faults: list[FieldError], rules: LinkRules, account: int
) -> str | None:
    if url is None:
        return None
    try:
        return rules.target(account, url, name)
    except LinkRefused as refused:
        faults.append(FieldError(refused.code, str(refused), f"/{name}"))
        return None


def _expiry(moment: datetime | None, faults: list[FieldError], now: datetime) -> datetime | None:
    if moment is None:
        return None
    if not now < moment < LATEST:
        detail = f"expires_at lies in the past, or after {LATEST.year - 1}"
        faults.append(FieldError("out_of_range", detail, "/expires_at"))
        return None
    return moment.astimezone(UTC)


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))
