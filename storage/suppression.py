"""The suppression table: who must not be texted.

Owns every read and write of `suppression`. Several rooms decide that a number is to be suppressed
(number hygiene, an opt-out, the API); they all write through here, inside the transaction of
whoever calls. Decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg
import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)

EVERY_ACCOUNT = 0
EVERY_CATEGORY = -1


class Suppression(msgspec.Struct, gc=False, frozen=True):
    """One entry. `account` 0 and `category` -1 mean all of them; `message_id` is the evidence."""

    to_idx: bytes
    reason: int
    source: str
    account: int = EVERY_ACCOUNT
    category: int = EVERY_CATEGORY
    message_id: int | None = None
    detail: str | None = None


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
    return SuppressionLookup(await connection.fetch(_SQL["suppression_look_up"], recipients))


async def add(connection: Connection, entries: Sequence[Suppression]) -> int:
    """Add what is not there yet; an older entry keeps its evidence. Returns how many were new."""
    if not entries:
        return 0
    # Sorted, so that two writers meet the same rows in the same order and cannot deadlock.
    ordered = sorted(entries, key=lambda entry: (entry.to_idx, entry.account, entry.category))
    rows = await connection.fetch(
        _SQL["suppression_add"],
        [entry.to_idx for entry in ordered],
        [entry.account for entry in ordered],
        [entry.category for entry in ordered],
        [entry.reason for entry in ordered],
        [entry.source for entry in ordered],
        [entry.message_id for entry in ordered],
        [entry.detail for entry in ordered],
    )
    return len(rows)
