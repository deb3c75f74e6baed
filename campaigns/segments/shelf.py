"""Saved segments as rows: one, many, added, changed, ended, and who is in a static one.

Owns the writes of `segment` and `segment_member`. Must not judge a source (desk.py asks for that).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from storage import sql
from storage.ids import time_of

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection

_SQL: Final = sql.load("campaigns")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the last preview of a segment said, of which version, and as of when."""

    version: int
    contacts: int
    inside: int
    now: datetime
    today: date
    zone: str


class StoredSegment(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored. `source` None: static, with members. `refers_to`: names of segments."""

    id: int
    name: str
    source: str | None
    refers_to: tuple[str, ...]
    note: str | None
    version: int
    changed_at: datetime
    counted: Counted | None

    @property
    def made_at(self) -> datetime:
        """In UTC."""
        return time_of(self.id)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be stored of a segment."""

    name: str
    source: str | None
    refers_to: tuple[str, ...]
    note: str | None


class Called(msgspec.Struct, frozen=True):
    """A contact by its id, or as the account calls it."""

    id: int | None = None
    external_id: str | None = None


class Member(msgspec.Struct, frozen=True):
    """A contact that is in a static segment."""

    contact: int
    external_id: str | None


async def locked(connection: Connection, account: int) -> list[StoredSegment]:
    """All of the account. Nobody else changes one until the transaction ends."""
    return [_segment(row) for row in await connection.fetch(_SQL["segments_locked"], account)]


async def one(connection: Connection, account: int, segment_id: int) -> StoredSegment | None:
    """One of them; None: the account has no such segment."""
    row = await connection.fetchrow(_SQL["segment_one"], account, segment_id)
    return None if row is None else _segment(row)


async def listed(
    connection: Connection, account: int, *, after: int, limit: int, name: str | None
) -> list[StoredSegment]:
    """The oldest first, above an id; only the one of this name, if it is given."""
    rows = await connection.fetch(_SQL["segments_listed"], account, after, limit, name)
    return [_segment(row) for row in rows]


async def add(
    connection: Connection, account: int, segment_id: int, wish: Wish
) -> StoredSegment | None:
    """The new segment; None: another process has made one of this name meanwhile."""
    row = await connection.fetchrow(
        _SQL["segment_add"], segment_id, account, wish.name, wish.source, wish.refers_to, wish.note
    )
    return None if row is None else _segment(row)


async def change(connection: Connection, segment_id: int, wish: Wish) -> StoredSegment:
    """The segment under its next version."""
    row = await connection.fetchrow(
        _SQL["segment_change"], segment_id, wish.name, wish.source, wish.refers_to, wish.note
    )
    assert row is not None  # it is locked
    return _segment(row)


async def capped(connection: Connection, segment_id: int) -> bool:
    """Whether a cap is for it, so that it cannot be deleted."""
    return bool(await connection.fetchval(_SQL["segment_capped"], segment_id))


async def delete(connection: Connection, segment_id: int) -> None:
    """End it, with its members."""
    await connection.execute(_SQL["segment_delete"], segment_id)


async def keep_count(connection: Connection, segment_id: int, counted: Counted) -> None:
    """Store what a preview said, unless the segment has changed since."""
    await connection.execute(
        _SQL["segment_counted"], segment_id, counted.version, msgspec.to_builtins(counted)
    )


async def contacts_of(
    connection: Connection, account: int, called: Sequence[Called]
) -> dict[int, int]:
    """The contact of each place in `called` that the account knows."""
    ids, names = [each.id for each in called], [each.external_id for each in called]
    rows = await connection.fetch(_SQL["segment_contacts_named"], account, ids, names)
    return {row["place"] - 1: row["contact"] for row in rows}


async def add_members(connection: Connection, segment_id: int, contacts: Sequence[int]) -> int:
    """How many were not in it."""
    done = await connection.execute(_SQL["segment_members_add"], segment_id, contacts)
    return int(done.rpartition(" ")[2])


async def remove_members(connection: Connection, segment_id: int, contacts: Sequence[int]) -> int:
    """How many were in it."""
    done = await connection.execute(_SQL["segment_members_remove"], segment_id, contacts)
    return int(done.rpartition(" ")[2])


async def members(
    connection: Connection, segment_id: int, *, after: int, limit: int
) -> list[Member]:
    """In the order of their ids, above one."""
    rows = await connection.fetch(_SQL["segment_members_listed"], segment_id, after, limit)
    return [Member(row["contact"], row["external_id"]) for row in rows]


def _segment(row: Record) -> StoredSegment:
    fields = dict(row)
    fields["refers_to"] = tuple(fields["refers_to"])
    counted = fields["counted"]
    fields["counted"] = None if counted is None else msgspec.convert(counted, Counted)
    return StoredSegment(**fields)
