"""Messages in doubt, resolved by their owner: sent again, or given up.

Owns the transaction that does either. The rows in doubt, the outbox, the timeline and the audit log
change together. Must not decide which: the owner does, and both submits stay on record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import asyncpg
import msgspec

from dlr import in_doubt
from dlr.changed import messages_changed
from dlr.rollups.naming import name_changed
from dlr.status import Status
from messages.reading.statuses import standings
from storage import audit, events, sql
from storage.audit import AuditEntry
from storage.events import Event
from storage.faults import or_storage_down
from storage.ids import IdSource
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
RESOLVED = MappingProxyType({"resend": "resent", "drop": "dropped"})
# The message, the connector that it may have gone to, and by which way
_Doubt = tuple[asyncpg.Record, int, int]


class Resolution(msgspec.Struct, frozen=True):
    """What became of one message in doubt: resent, dropped, or nothing.

    The reasons for nothing are not_found, not_unconfirmed and expired.
    """

    id: int
    result: str


class Resolver:
    """Ends doubts on one connection, one request after the other."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        ids: IdSource,
        backlog: Callable[[int, int], None],
        wall_ms: Callable[[], int],
    ) -> None:
        """`backlog` is told (connector, category) of what waits in the outbox again."""
        self._dedicated = dedicated
        self._ids = ids
        self._backlog = backlog
        self._wall_ms = wall_ms
        self._turn = asyncio.Lock()  # one connection, so one at a time

    async def resolve(
        self, account: int, key_id: int, action: str, message_ids: Sequence[int]
    ) -> list[Resolution]:
        """Do `action` to each that is in doubt. Returns what became of each. Raises StorageDown."""
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                await connection.execute(_SQL["resolution_lock"])
                found, rows = await self._judge(connection, account, action, message_ids)
                await self._apply(connection, action, rows)
                await self._tell(connection, account, key_id, action, rows)
        if action == "resend":
            for connector, category in {(connector, row["category"]) for row, connector, _ in rows}:
                self._backlog(connector, category)
        return found

    async def _judge(
        self, connection: Connection, account: int, action: str, message_ids: Sequence[int]
    ) -> tuple[list[Resolution], list[_Doubt]]:
        """What becomes of each, and the rows of those to which it is done."""
        doubtful = await in_doubt.lock_in_doubt(connection, account, message_ids)
        known = {
            row["id"]: row
            for row in await connection.fetch(_SQL["resolvable"], message_ids, account)
        }
        standing = await standings(connection, list(doubtful))
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        found: list[Resolution] = []
        rows: list[_Doubt] = []
        for message_id in dict.fromkeys(message_ids):
            row = known.get(message_id)
            stands = standing.get(message_id)
            if row is None:
                found.append(Resolution(message_id, "not_found"))
            elif stands is None or stands.status is not Status.UNCONFIRMED:
                found.append(Resolution(message_id, "not_unconfirmed"))
            elif action == "resend" and _expired(row, now):
                found.append(Resolution(message_id, "expired"))
            else:
                found.append(Resolution(message_id, RESOLVED[action]))
                rows.append((row, *doubtful[message_id]))
        return found, rows

    async def _apply(self, connection: Connection, action: str, rows: Sequence[_Doubt]) -> None:
        ids = [row["id"] for row, _, _ in rows]
        if action == "drop":
            await in_doubt.drop(connection, ids)
            dropped = [(row["id"], row["account"]) for row, _, _ in rows]
            await messages_changed(connection, dropped, self._ids)
            return
        await in_doubt.mark_resent(connection, ids)
        await name_changed(connection, ids)
        await connection.executemany(
            _SQL["outbox_again"],
            [
                (
                    row["id"], connector, row["category"], row["account"], row["parts"],
                    row["expires_at"], row["batch_id"], row["priority"], way,
                )
                for row, connector, way in rows
            ],
        )  # fmt: skip

    async def _tell(
        self,
        connection: Connection,
        account: int,
        key_id: int,
        action: str,
        rows: Sequence[_Doubt],
    ) -> None:
        if not rows:
            return
        await events.append(
            connection,
            [
                Event(self._ids.next(), row["id"], "resolved", {"action": action})
                for row, _, _ in rows
            ],
        )
        ids = [row["id"] for row, _, _ in rows]
        entry = AuditEntry(
            self._ids.next(), account, f"key {key_id}", f"message.{action}", None,
            {"messages": len(ids), "first": ids[0], "last": ids[-1]},
        )  # fmt: skip
        await audit.append(connection, [entry])


def _expired(row: asyncpg.Record, now: datetime) -> bool:
    return row["expires_at"] is not None and row["expires_at"] <= now
