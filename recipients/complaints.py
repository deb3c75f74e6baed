"""Complaints: what a carrier, a regulator or an app says a person has complained of.

Owns the table `complaint`, which message a complaint is about, and what it ends. Must not seal or
open numbers (complaint_desk.py does). Each function runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("recipients")
ABOUT_DAYS = 90  # a complaint is about a message of so long before
CANDIDATES_MAX = 200  # messages to one number that are looked at, the newest


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One complaint, as it is stored. `suppressed`: the category that it ended; None: nothing."""

    id: int
    account: int
    reference: str
    fingerprint: bytes
    to_enc: bytes
    source: str
    source_name: str | None
    text: str | None
    at: datetime
    message_id: int | None
    connector: int | None
    sender: str | None
    category: int | None
    campaign_id: str | None
    suppressed: int | None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a complaint is about."""

    id: int
    to_idx: bytes
    to_enc: bytes
    connector: int
    sender: str
    category: int
    campaign_id: str | None


async def stored(connection: Connection, account: int, reference: str) -> Complaint | None:
    """The complaint with this id, if it was told before."""
    row = await connection.fetchrow(_SQL["complaint_stored"], account, reference)
    return None if row is None else Complaint(**dict(row))


async def named(connection: Connection, account: int, message_id: int) -> About | None:
    """The message with this id, if it is the account's."""
    row = await connection.fetchrow(_SQL["complaint_message"], message_id, account)
    return None if row is None else About(**dict(row))


async def last(
    connection: Connection,
    account: int,
    indexes: Collection[bytes],
    campaign_id: str | None,
    at: datetime,
) -> About | None:
    """The message that was sent last before the person complained."""
    row = await connection.fetchrow(
        _SQL["complaint_last_message"],
        list(indexes), account, campaign_id, id_at(at - timedelta(days=ABOUT_DAYS)), at,
        CANDIDATES_MAX,
    )  # fmt: skip
    return None if row is None else About(**dict(row))


async def add(connection: Connection, complaint: Complaint, to_idx: bytes) -> None:
    """Append one; one with the same id that another process has stored meanwhile stays."""
    await connection.execute(
        _SQL["complaint_add"],
        complaint.id, complaint.account, complaint.reference, complaint.fingerprint, to_idx,
        complaint.to_enc, complaint.source, complaint.source_name, complaint.text, complaint.at,
        complaint.message_id, complaint.connector, complaint.sender, complaint.category,
        complaint.campaign_id, complaint.suppressed,
    )  # fmt: skip


async def listed(
    connection: Connection,
    account: int,
    *,
    before: int,
    since: int,
    indexes: Sequence[bytes] | None,
    source: str | None,
    campaign_id: str | None,
    limit: int,
) -> list[Complaint]:
    """An account's complaints, the latest recorded first. None: of any."""
    rows = await connection.fetch(
        _SQL["complaints"], account, before, since, indexes, source, campaign_id, limit
    )
    return [Complaint(**dict(row)) for row in rows]
