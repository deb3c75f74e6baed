"""A gateway's sending side over a real database, for the tests of this folder.

It has one owner term, recorder and intent writer. Messages are committed as the accepter commits
them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dispatch.answers.another_way import AnotherWay, Untried
from dispatch.answers.recorder import Recorder
from dispatch.clock import Clock
from dispatch.journey import InDoubt, Intent
from dispatch.message import ReadyMessage
from dispatch.wire.intents import IntentWriter
from dlr.codes import NONE_NAMED
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from dlr.webhooks.changes import ChangeLog
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys
from storage.pool import Connection, Database, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm
from tests.conftest import LoopThread
from tests.smpp.recording import WAIT_SECONDS, Watched

CONNECTOR = 7
VAULT = NumberVault(NumberKeys(bytes(range(64))))
POLL_SECONDS = 0.005
STATUSES_TOLD = frozenset(map(int, Status))


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


CLOCK = Clock(wall_ms=wall_ms, monotonic_ns=time.monotonic_ns, database_ms=wall_ms)


class SecondLook:
    """Another session, asked from inside a callback: what it sees is committed."""

    def __init__(self, url: str) -> None:
        self._loop = LoopThread()
        self._connection = self._loop.run(connect(url, application_name="second look"))

    def value(self, query: str, *arguments: object) -> Any:
        return self._loop.run(self._connection.fetchval(query, *arguments))

    def close(self) -> None:
        self._loop.run(close_connection(self._connection))
        self._loop.close()


@dataclass
class World:
    """`connection` is the test's own look at the database; `commits` wakes after each flush of
    the recorder, which also calls `after_commit`.
    """

    database: Database
    connection: Connection
    term: OwnerTerm
    ids: IdSource
    commits: Watched = field(default_factory=Watched)
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    recorder: Recorder = field(init=False)
    intents: IntentWriter = field(init=False)
    another_way: AnotherWay | None = None

    def committed(self) -> None:
        for call in self.after_commit:
            call()
        self.commits.changed()

    def message(self, category: Category = Category.TRANSACTIONAL, **fields: Any) -> ReadyMessage:
        """One message of one part, unless told otherwise; not committed."""
        message_id = self.ids.next()
        to = fields.pop("to", f"+86138{message_id % 100_000_000:08d}")
        parts = fields.pop("parts", 1)
        return ReadyMessage(
            **{
                "id": message_id,
                "category": category,
                "account": 1,
                "parts": parts,
                "cost": parts,
                "to": to,
                "to_idx": VAULT.index(to),
                "sender": "SHOP",
                "text": "x" * 150 * parts if parts > 1 else "hello",
                **fields,
            }
        )

    def messages(
        self, count: int, category: Category = Category.TRANSACTIONAL
    ) -> list[ReadyMessage]:
        return [self.message(category) for _ in range(count)]

    def intent(self, messages: Sequence[ReadyMessage]) -> Intent:
        return Intent(
            self.ids.next(), CONNECTOR, list(messages), len(messages), InDoubt(len(messages))
        )

    async def store(
        self,
        messages: Sequence[ReadyMessage],
        *,
        owner: int | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Commit these to message and outbox; `owner` None means our term."""
        owner = self.term.term if owner is None else owner
        async with self.connection.transaction():
            for message in messages:
                expires_at = instant(message.expires_at)
                await self.connection.execute(
                    "INSERT INTO message (id, account, category, connector, data_coding, parts,"
                    " sender, to_enc, to_idx, text, expires_at)"
                    " VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10)",
                    message.id, message.account, message.category, CONNECTOR, message.parts,
                    message.sender, VAULT.seal(message.to), message.to_idx, message.text,
                    expires_at,
                )  # fmt: skip
                await self.connection.execute(
                    "INSERT INTO outbox (id, owner, connector, category, account, parts, attempt,"
                    " not_before, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    message.id, owner, CONNECTOR, message.category, message.account,
                    message.parts, message.attempt, not_before, expires_at,
                )  # fmt: skip

    async def open_intent(self, intent: Intent, *, owner: int | None = None) -> None:
        """As IntentWriter commits it."""
        await self.connection.execute(
            "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, $2, $3, $4)",
            intent.id,
            self.term.term if owner is None else owner,
            intent.connector,
            [message.id for message in intent.messages],
        )

    async def outbox(self) -> dict[int, dict[str, Any]]:
        rows = await self.connection.fetch("SELECT * FROM outbox ORDER BY id")
        return {row["id"]: dict(row) for row in rows}

    async def results(self) -> dict[tuple[int, int], Status]:
        """(message, part) -> status, of every submission; a part has one row at most."""
        rows = await self.connection.fetch("SELECT message_id, part, status FROM submission")
        found = {(row["message_id"], row["part"]): Status(row["status"]) for row in rows}
        assert len(found) == len(rows)
        return found

    async def intents_open(self) -> list[list[int]]:
        rows = await self.connection.fetch("SELECT message_ids FROM submit_intent ORDER BY id")
        return [row["message_ids"] for row in rows]

    async def events(self, message_id: int) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.connection.fetch(
            "SELECT kind, detail FROM event WHERE message_id = $1 ORDER BY id", message_id
        )
        return [(row["kind"], row["detail"]) for row in rows]

    async def count(self, table: str) -> int:
        found: int = await self.connection.fetchval(f"SELECT count(*) FROM {table}")
        return found

    async def until(self, query: str, wanted: object) -> None:
        """Poll the database, which calls nobody, until the query answers this."""
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.connection.fetchval(query) != wanted:
                await asyncio.sleep(POLL_SECONDS)

    def receipt(
        self, carrier_id: str, status: Status = Status.DELIVERED, **fields: Any
    ) -> ReceiptRow:
        now = datetime.now(UTC)
        return ReceiptRow(
            **{
                "connector": CONNECTOR,
                "carrier_id": carrier_id,
                "submission_id": None,
                "status": status,
                "reason": 0,
                "error": "000",
                "done_at": now,
                "received_at": now,
                **fields,
            }
        )


def instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


@asynccontextmanager
async def running(
    database_url: str,
    *,
    receipts_waiting_max: int = 1_000,
    through: str | None = None,
    alone: bool = True,
    untried: Untried | None = None,
) -> AsyncIterator[World]:
    """A world on this database; `through` is the address its recorder and intents connect by.

    With `untried` what failed goes another way, in all categories but one-time passwords.
    """
    connection = await connect(database_url, application_name="test")
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    database = await Database.open(
        through or database_url, Path("unused"), application_name="test", read_connections=1
    )
    database.use_term(term.term)
    world = World(database, connection, term, IdSource(term.node, wall_ms))
    if untried is not None:
        world.another_way = AnotherWay(
            set(Category) - {Category.OTP},
            codes=NONE_NAMED,
            untried=untried,
            vault=VAULT,
            ids=world.ids,
        )
    world.recorder = Recorder(
        database.dedicated("record"),
        ids=world.ids,
        term=term.term,
        vault=VAULT,
        waiting_max=10_000,
        receipts_waiting_max=receipts_waiting_max,
        committed=world.committed,
        alone=lambda: alone,
        another_way=world.another_way,
        changes=ChangeLog(world.ids, lambda: {1: STATUSES_TOLD} if untried else {}, lambda: None),
    )
    world.intents = IntentWriter(database.dedicated("intent"), term=term.term)
    try:
        yield world
        async with asyncio.timeout(WAIT_SECONDS):
            await world.intents.close()
            await world.recorder.close()
    finally:
        await database.close()
        await close_connection(connection)
