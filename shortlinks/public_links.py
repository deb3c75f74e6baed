"""Links that belong to no message, as rows: made, changed, ended, listed.

Owns the writes of table `link`, and how a code is found for each. Must not judge a target or a
slug (link_rules.py, slugs.py), nor answer a redirect (public_lookup.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from shortlinks.public_code import PublicCodes
from shortlinks.slugs import look_of
from storage.ids import ID_MAX, id_at, time_of
from storage.sql import load

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection

CODES_PER_SLICE = 200
TRIES_MAX = 5  # a code may be somebody's slug already

State = Literal["live", "expired", "deleted"]

_SQL = load("shortlinks")


class NewLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to be made, checked. `slug` None: under a code."""

    id: int
    domain: str
    slug: str | None
    target: str
    fallback: str | None
    campaign_id: str | None
    tags: tuple[str, ...]
    expires_at: datetime | None


class StoredLink(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored. `look` None: its code is one of ours, else a slug."""

    id: int
    account: int
    domain: str
    code: str
    look: str | None
    target: str
    fallback: str | None
    campaign_id: str | None
    tags: tuple[str, ...]
    expires_at: datetime | None
    changed_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def made_at(self) -> datetime:
        """In UTC."""
        return time_of(self.id)

    def state(self, now: datetime) -> State:
        """As of now."""
        if self.deleted_at is not None:
            return "deleted"
        return "live" if self.expires_at is None or self.expires_at > now else "expired"


class Taken(msgspec.Struct, frozen=True):
    """The slug cannot be had: `by` stands under the domain."""

    by: str


class LinkFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Those made from a moment on, of one campaign, tag, domain or state; None: of any."""

    since: datetime | None = None
    campaign_id: str | None = None
    tag: str | None = None
    domain: str | None = None
    state: State | None = None


class LinkNumbersExhaustedError(Exception):
    """Every code has been given. The operator must act: a longer code is needed."""


class _Row(msgspec.Struct):
    id: int
    domain: str
    code: str
    look: str | None
    target: str
    fallback: str | None
    campaign_id: str | None
    tags: tuple[str, ...]
    expires_at: datetime | None


async def add(
    connection: Connection,
    account: int,
    links: Sequence[NewLink],
    codes: PublicCodes,
    *,
    again: bool = False,
) -> list[StoredLink | Taken]:
    """Store these links inside the caller's transaction; for each what is stored, or who has the
    slug. `again`: some may be stored already, under the same ids.
    """
    stored = {each.id: each for each in await of_ids(connection, account, links)} if again else {}
    left = [link for link in links if link.id not in stored]
    for _ in range(TRIES_MAX):
        rows = await _with_codes(connection, left, codes)
        added = await _insert(connection, account, rows)
        stored |= {row.id: _stored(account, row) for row in rows if row.id in added}
        left = [link for link in left if link.id not in added and link.slug is None]
        if not left:
            break
    if left:
        raise LinkNumbersExhaustedError(f"{TRIES_MAX} codes in a row were taken")
    refused = [link for link in links if link.id not in stored]
    taken = await _taken(connection, refused) if refused else {}
    return [stored.get(link.id) or taken[link.id] for link in links]


async def of_ids(
    connection: Connection, account: int, links: Sequence[NewLink]
) -> list[StoredLink]:
    """Those of them that are stored."""
    rows = await connection.fetch(_SQL["links_of_account"], account, [link.id for link in links])
    return [_link(row) for row in rows]


async def one(connection: Connection, account: int, link_id: int) -> StoredLink | None:
    """One link, also after its end; None: the account has no such link."""
    row = await connection.fetchrow(_SQL["links_of_account"], account, [link_id])
    return None if row is None else _link(row)


async def locked(connection: Connection, account: int, link_id: int) -> StoredLink | None:
    """As `one`, and nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(_SQL["link_locked"], account, link_id)
    return None if row is None else _link(row)


async def change(connection: Connection, link: StoredLink) -> StoredLink:
    """Store what may change of a link."""
    changed_at = await connection.fetchval(
        _SQL["link_change"],
        link.id, link.target, link.fallback, link.campaign_id, link.tags, link.expires_at,
    )  # fmt: skip
    return msgspec.structs.replace(link, changed_at=changed_at)


async def end(connection: Connection, link: StoredLink) -> StoredLink:
    """Let it lead to its fallback or nowhere, for good. Its slug stays taken as long as the row."""
    deleted_at = await connection.fetchval(_SQL["link_delete"], link.id)
    return msgspec.structs.replace(link, changed_at=deleted_at, deleted_at=deleted_at)


async def listed(
    connection: Connection,
    account: int,
    wanted: LinkFilter,
    *,
    before: int | None,
    limit: int,
    now: datetime,
) -> list[StoredLink]:
    """The latest first, below an id."""
    rows = await connection.fetch(
        _SQL["links_listed"],
        account,
        ID_MAX if before is None else before,
        wanted.campaign_id,
        wanted.tag,
        wanted.domain,
        wanted.state,
        0 if wanted.since is None else id_at(wanted.since),
        now,
        limit,
    )
    return [_link(row) for row in rows]


async def _with_codes(
    connection: Connection, links: Sequence[NewLink], codes: PublicCodes
) -> list[_Row]:
    coded = sum(link.slug is None for link in links)
    numbers = await connection.fetch(_SQL["link_numbers"], coded) if coded else []
    unused = iter(numbers)
    rows: list[_Row] = []
    for place, link in enumerate(links):
        if place % CODES_PER_SLICE == CODES_PER_SLICE - 1:
            await asyncio.sleep(0)
        try:
            code = link.slug or codes.encode(next(unused)["number"])
        except ValueError as error:
            raise LinkNumbersExhaustedError(str(error)) from None
        rows.append(
            _Row(
                link.id, link.domain, code, None if link.slug is None else look_of(link.slug),
                link.target, link.fallback, link.campaign_id, link.tags, link.expires_at,
            )
        )  # fmt: skip
    return rows


async def _insert(connection: Connection, account: int, rows: Sequence[_Row]) -> set[int]:
    added = await connection.fetch(_SQL["links_add"], rows, account)
    return {row["id"] for row in added}


async def _taken(connection: Connection, links: Sequence[NewLink]) -> dict[int, Taken]:
    rows = await connection.fetch(
        _SQL["links_taken"],
        [link.domain for link in links],
        [link.slug or "" for link in links],
        [look_of(link.slug or "") for link in links],
    )
    by_name = {(row["domain"], row["code"]): row["code"] for row in rows}
    by_look = {(row["domain"], row["look"]): row["code"] for row in rows}
    taken: dict[int, Taken] = {}
    for link in links:
        slug = link.slug or ""
        by = by_name.get((link.domain, slug)) or by_look.get((link.domain, look_of(slug)), slug)
        taken[link.id] = Taken(by)
    return taken


def _stored(account: int, row: _Row) -> StoredLink:
    return StoredLink(account=account, **msgspec.structs.asdict(row))


def _link(row: Record) -> StoredLink:
    fields = dict(row)
    fields["tags"] = tuple(fields["tags"])
    return StoredLink(**fields)
