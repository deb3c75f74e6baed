"""Templates as rows: made, found, listed, with what was said about each version.

Owns the statements on `template` and the tables beside it. A version's row is never changed. Must
not decide whether something may be stored (content.py, desk.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from campaigns.templates.content import Content, Version, version
from campaigns.templates.findings import Finding
from campaigns.templates.variables import Variable
from storage.ids import ID_MAX, time_of
from storage.pool import Connection
from storage.sql import load

NEWEST = 0  # in place of a version's number

ApprovalState = Literal["submitted", "approved", "rejected"]
Place = tuple[int, int]  # a template, and the number of a version

_SQL = load("campaigns")


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of a version. `provider_id`: the template's id there."""

    provider: str
    state: ApprovalState
    provider_id: str | None
    reason: str | None
    author: str
    at: datetime


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for a warning, and why."""

    rule: str
    reason: str
    author: str
    at: datetime


class StoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is stored. `newest`: the highest number that its template has."""

    name: str
    version: Version
    author: str
    made_at: datetime
    newest: int
    ended_at: datetime | None
    lint: tuple[Finding, ...]
    approvals: tuple[Approval, ...] = ()
    waivers: tuple[Waiver, ...] = ()


async def add_template(connection: Connection, template: int, account: int, name: str) -> None:
    """Store a template without a version, unless an earlier try did."""
    await connection.execute(_SQL["template_add"], template, account, name)


async def locked(connection: Connection, account: int, template: int) -> bool | None:
    """Whether it has ended; None: there is none. Nobody else adds a version until the commit."""
    row = await connection.fetchrow(_SQL["template_locked"], account, template)
    return None if row is None else row["ended_at"] is not None


async def end(connection: Connection, template: int) -> None:
    """Nothing is sent by it from now on."""
    await connection.execute(_SQL["template_end"], template)


async def add_version(
    connection: Connection,
    template: int,
    version_id: int,
    author: str,
    content: Content,
    lint: Sequence[Finding],
) -> int:
    """The number of the next version, or of the one that an earlier try stored under this id."""
    number = await connection.fetchval(
        _SQL["template_version_add"],
        template, version_id, author, content.category, content.body, content.variables,
        content.signature, content.suffix, content.link_mode, content.links, content.max_parts,
        content.providers, lint,
    )  # fmt: skip
    if number is None:
        number = await connection.fetchval(_SQL["template_version_of_id"], version_id)
    assert isinstance(number, int)
    return number


async def found(
    connection: Connection, account: int, asked: Sequence[Place]
) -> dict[Place, StoredVersion]:
    """Those of them that there are, also of templates that have ended. NEWEST is a number, too."""
    rows = await connection.fetch(
        _SQL["template_versions_found"],
        account, [place[0] for place in asked], [place[1] for place in asked],
    )  # fmt: skip
    return {(row["asked_template"], row["asked_version"]): _stored(row) for row in rows}


async def listed(
    connection: Connection, account: int, *, before: int | None, ended: bool, limit: int
) -> list[StoredVersion]:
    """The newest version of each template, the latest made first, below an id."""
    rows = await connection.fetch(
        _SQL["templates_listed"], account, ID_MAX if before is None else before, ended, limit
    )
    return await with_words(connection, list(map(_stored, rows)))


async def with_words(
    connection: Connection, versions: Sequence[StoredVersion]
) -> list[StoredVersion]:
    """The same, with what was said about each."""
    places = [_place(each) for each in versions]
    arguments = [place[0] for place in places], [place[1] for place in places]
    approvals = _by_place(await connection.fetch(_SQL["template_approvals"], *arguments))
    waivers = _by_place(await connection.fetch(_SQL["template_waivers"], *arguments))
    return [
        msgspec.structs.replace(
            each,
            approvals=tuple(msgspec.convert(row, Approval) for row in approvals.get(place, ())),
            waivers=tuple(msgspec.convert(row, Waiver) for row in waivers.get(place, ())),
        )
        for each, place in zip(versions, places, strict=True)
    ]


async def approve(connection: Connection, place: Place, approval: Approval) -> None:
    """What the provider says now. Its id stays if none is named. `at` is the database's."""
    await connection.execute(
        _SQL["template_approve"],
        *place, approval.provider, approval.state, approval.provider_id, approval.reason,
        approval.author,
    )  # fmt: skip


async def waive(connection: Connection, place: Place, waiver: Waiver) -> None:
    """Who answers for this warning now. `at` is the database's."""
    await connection.execute(
        _SQL["template_waive"], *place, waiver.rule, waiver.reason, waiver.author
    )


def _place(stored: StoredVersion) -> Place:
    return stored.version.template, stored.version.number


def _by_place(rows: Iterable[asyncpg.Record]) -> Mapping[Place, list[dict[str, object]]]:
    places: dict[Place, list[dict[str, object]]] = {}
    for row in rows:
        told = dict(row)
        places.setdefault((told.pop("template"), told.pop("version")), []).append(told)
    return places


def _stored(row: asyncpg.Record) -> StoredVersion:
    content = Content(
        category=row["category"],
        body=row["body"],
        variables=msgspec.convert(row["variables"], dict[str, Variable]),
        signature=row["signature"],
        suffix=row["suffix"],
        link_mode=row["link_mode"],
        links=row["links"],
        max_parts=row["max_parts"],
        providers=tuple(row["providers"]),
    )
    return StoredVersion(
        name=row["name"],
        version=version(row["template"], row["version"], content),
        author=row["author"],
        made_at=time_of(row["id"]),
        newest=row["newest"],
        ended_at=row["ended_at"],
        lint=tuple(msgspec.convert(row["lint"], list[Finding])),
    )
