"""Caps by group as rows, and as they are shown.

Owns the writes of `group_cap` that somebody asks for. Must not judge a change (desk.py), nor read
who is in a group (members.py).
"""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a cap is for, by name: those with a tag, or in a saved segment. One of both."""

    tag: str | None = None
    segment: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Marketing messages to one number in 24 hours, 7 days, 30 days; None: any, 0: none."""

    day: int | None = None
    week: int | None = None
    month: int | None = None


class StoredCap(msgspec.Struct, frozen=True, kw_only=True):
    """A cap as it stands. `members_at`: when the contacts of its segment were read, `members` many.

    None, they are read soon: until then it caps nobody. `fault`: why the last reading failed.
    """

    id: int
    group: Group
    limits: Limits
    version: int
    changed_at: datetime
    members_at: datetime | None
    members: int | None
    fault: str | None


async def listed(connection: Connection, account: int) -> list[StoredCap]:
    """All of the account, the oldest first."""
    return [_cap(row) for row in await connection.fetch(_SQL["group_caps_listed"], account, None)]


async def one(connection: Connection, account: int, cap: int) -> StoredCap | None:
    """One of them; None: there is none."""
    row = await connection.fetchrow(_SQL["group_caps_listed"], account, cap)
    return None if row is None else _cap(row)


async def group_id(
    connection: Connection, account: int, group: Group
) -> tuple[int | None, int | None] | None:
    """The ids of its tag and its segment; None: the account has no such one."""
    if group.tag is not None:
        tag = await connection.fetchval(_SQL["group_cap_tag"], account, group.tag)
        return None if tag is None else (tag, None)
    segment = await connection.fetchval(_SQL["group_cap_segment"], account, group.segment)
    return None if segment is None else (None, segment)


async def add(
    connection: Connection,
    account: int,
    cap: int,
    group: tuple[int | None, int | None],
    limits: Limits,
) -> bool:
    """Store one. False: the group has a cap, or this id is there."""
    new = await connection.fetchval(
        _SQL["group_cap_add"], cap, account, *group, limits.day, limits.week, limits.month
    )
    return new is not None


async def change(connection: Connection, cap: int, limits: Limits) -> None:
    """Under its next version."""
    await connection.execute(_SQL["group_cap_change"], cap, limits.day, limits.week, limits.month)


async def delete(connection: Connection, cap: int) -> None:
    """End it."""
    await connection.execute(_SQL["group_cap_delete"], cap)


async def turn(connection: Connection, account: int) -> None:
    """Nobody else changes this account's caps until the transaction ends."""
    await connection.execute(_SQL["group_caps_turn"], account)


def _cap(row: asyncpg.Record) -> StoredCap:
    return StoredCap(
        id=row["id"],
        group=Group(tag=row["tag"], segment=row["segment"]),
        limits=Limits(day=row["day"], week=row["week"], month=row["month"]),
        version=row["version"],
        changed_at=row["changed_at"],
        members_at=row["members_at"],
        members=row["members"],
        fault=row["fault"],
    )
