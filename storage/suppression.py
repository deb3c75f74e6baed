"""The suppression table: who must not be texted.

Owns every read and write of `suppression`. Several rooms decide that a number is to be suppressed
(number hygiene, an opt-out, the API); they all write through here, inside the transaction of
whoever calls. Decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)

EVERY_ACCOUNT = 0
EVERY_CATEGORY = -1
Key = tuple[bytes, int, int]  # to_idx, account, category


class Suppression(msgspec.Struct, gc=False, frozen=True):
    """One entry. `account` 0 and `category` -1 mean all of them; `message_id` is the evidence."""

    to_idx: bytes
    reason: int
    source: str
    account: int = EVERY_ACCOUNT
    category: int = EVERY_CATEGORY
    message_id: int | None = None
    detail: str | None = None
    created_at: datetime | None = None  # of what is read; add_new is told
    expires_at: datetime | None = None  # None: for good
    to_enc: bytes | None = None  # to show the number where no message is the evidence

    @property
    def key(self) -> Key:
        """What there is one entry for."""
        return self.to_idx, self.account, self.category


class SuppressionLookup:
    """The entries that bear on one batch of recipients, asked for once, set-wise."""

    __slots__ = ("_entries",)

    def __init__(self, rows: Iterable[asyncpg.Record]) -> None:
        self._entries: dict[bytes, list[tuple[int, int, int]]] = {}
        for row in rows:
            self._entries.setdefault(row["to_idx"], []).append(
                (row["account"], row["category"], row["reason"])
            )

    def __bool__(self) -> bool:
        return bool(self._entries)

    def reason(self, to_idx: bytes, account: int, category: int) -> int | None:
        """Why this recipient must not get this message, or None."""
        for entry_account, entry_category, reason in self._entries.get(to_idx, ()):
            if entry_account in (EVERY_ACCOUNT, account) and entry_category in (
                EVERY_CATEGORY,
                category,
            ):
                return reason
        return None


async def look_up(connection: Connection, recipients: Sequence[bytes]) -> SuppressionLookup:
    """The entries of these recipients (16-byte indexes). One round trip, whatever their number."""
    found = await connection.fetch(_SQL["suppression_look_up"], b"".join(recipients))
    return SuppressionLookup(found)


async def add(connection: Connection, entries: Sequence[Suppression]) -> int:
    """Add what is not there yet; an older entry keeps its evidence. Returns how many were new."""
    return len(await add_new(connection, entries))


async def add_new(
    connection: Connection, entries: Sequence[Suppression], created_at: datetime | None = None
) -> set[Key]:
    """As `add`; returns which were new. `created_at` None: now, by the database's clock."""
    if not entries:
        return set()
    # Sorted, so that two writers meet the same rows in the same order and cannot deadlock.
    first = {entry.key: entry for entry in reversed(entries)}
    ordered = sorted(first.values(), key=lambda entry: entry.key)
    rows = await connection.fetch(
        _SQL["suppression_add"],
        [entry.to_idx for entry in ordered],
        [entry.account for entry in ordered],
        [entry.category for entry in ordered],
        [entry.reason for entry in ordered],
        [entry.source for entry in ordered],
        [entry.message_id for entry in ordered],
        [entry.detail for entry in ordered],
        [entry.expires_at for entry in ordered],
        [entry.to_enc for entry in ordered],
        created_at,
    )
    return _keys(rows)


async def remove(
    connection: Connection,
    recipients: Sequence[bytes],
    accounts: Sequence[int],
    category: int | None,
) -> set[Key]:
    """Take out these numbers' entries of these accounts, of one category or (None) of each; returns
    which were there.
    """
    return _keys(
        await connection.fetch(_SQL["suppression_remove_numbers"], recipients, accounts, category)
    )


async def undo_keywords(
    connection: Connection, wanted: Sequence[tuple[bytes, int, str]]
) -> set[Key]:
    """Take out what each (to_idx, account, destination texted) had put there by a word."""
    if not wanted:
        return set()
    columns = list(zip(*wanted, strict=True))
    return _keys(await connection.fetch(_SQL["suppression_undo_keyword"], *columns))


Place = tuple[datetime, bytes, int, int]  # created_at, to_idx, account, category


async def listed(
    connection: Connection,
    accounts: Sequence[int],
    after: Place | None,
    *,
    source: str | None,
    category: int | None,
    limit: int,
) -> list[Suppression]:
    """The entries of these accounts, newest first, behind a place; expired ones too."""
    place = after or (None, None, None, None)
    rows = await connection.fetch(
        _SQL["suppression_list"], accounts, *place, source, category, limit
    )
    return [Suppression(**dict(row)) for row in rows]


async def of_number(
    connection: Connection, to_idx: bytes, accounts: Sequence[int]
) -> list[Suppression]:
    """The entries of one number for these accounts, newest first, expired ones too."""
    rows = await connection.fetch(_SQL["suppression_of_number"], to_idx, accounts)
    return [Suppression(to_idx=to_idx, **dict(row)) for row in rows]


def _keys(rows: Iterable[asyncpg.Record]) -> set[Key]:
    return {(row["to_idx"], row["account"], row["category"]) for row in rows}
