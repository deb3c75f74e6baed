"""Endpoints, messages and the fan-out over a real database, for the tests of this folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from dlr.ledger import SubmissionRow
from dlr.status import Status
from dlr.webhooks import endpoints
from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.changes import ChangeLog, tell_rows
from dlr.webhooks.client import WebhookClient
from dlr.webhooks.deliveries import LogState
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox
from dlr.webhooks.fan_out import FanOut
from dlr.webhooks.service import Webhooks
from dlr.webhooks.subscriptions import Subscriptions
from dlr.webhooks.worker import Clocks
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys
from storage.pool import Connection, Database, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm
from tests.smpp.recording import WAIT_SECONDS

POLL_SECONDS = 0.005
KEYS = NumberKeys(bytes(range(64)))
VAULT = NumberVault(KEYS)
BOX = SecretBox(KEYS)
NUMBER = "+8613812345678"
MASKED = "+86138****5678"
KEY = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def now() -> datetime:
    return datetime.now(UTC)


def nobody(_: object) -> None:
    """Of a task that ended."""


@dataclass
class Hooks:
    """`waits`: events by endpoint, as the fan-out is told."""

    database: Database
    connection: Connection
    term: int
    ids: IdSource
    subscriptions: Subscriptions
    waits: dict[int, int] = field(default_factory=dict)
    later: timedelta = timedelta()
    defects: list[BaseException | None] = field(default_factory=list)
    fan_out: FanOut = field(init=False)
    log: ChangeLog = field(init=False)

    async def endpoint(self, *events: str, account: int = 1, **given: Any) -> Endpoint:
        endpoint = Endpoint(
            id=self.ids.next(), account=account, events=events or ("message.*",),
            secrets=(Secret(KEY),), since=now(), created_at=now(),
            **{"url": "https://shop.example/hooks", **given},
        )  # fmt: skip
        async with self.connection.transaction():
            await endpoints.create(self.connection, BOX, endpoint)
        await self.subscriptions.learn(self.connection)
        return endpoint

    async def enter(self, endpoint: Endpoint, state: State, reason: str = "by hand") -> None:
        """As its owner puts it in a state."""
        async with self.connection.transaction():
            await endpoints.set_state(self.connection, endpoint.id, state, reason, now())

    async def message(self, *, parts: int = 1, account: int = 1, **given: Any) -> int:
        """One accepted message; its id."""
        message_id = self.ids.next()
        await self.connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text, client_ref, tags, callback)"
            " VALUES ($1, $2, 1, 7, 0, $3, 'SHOP', $4, $5, 'hello', $6, $7, $8)",
            message_id, account, parts, given.get("to_enc", VAULT.seal(NUMBER)),
            VAULT.index(NUMBER), given.get("client_ref"), given.get("tags"), given.get("callback"),
        )  # fmt: skip
        return message_id

    def part(
        self, message_id: int, status: Status = Status.SENT, *, part: int = 1, parts: int = 1,
        account: int = 1, **given: Any,
    ) -> SubmissionRow:  # fmt: skip
        return SubmissionRow(
            id=self.ids.next(), message_id=message_id, part=part, parts=parts, account=account,
            category=1, connector=7, status=status, submitted_at=now(), responded_at=now(), **given,
        )  # fmt: skip

    async def fanned(self) -> None:
        """Everything that was written down is events now."""
        while await self.fan_out.turn():
            pass

    async def events(self) -> list[dict[str, Any]]:
        """Every event so far, as its body says it."""
        rows = await self.connection.fetch("SELECT body FROM webhook_event ORDER BY id")
        return [msgspec.json.decode(row["body"]) for row in rows]

    async def statuses(self) -> list[tuple[str, str | None, int]]:
        """(status, previous, sequence) of each."""
        return [
            (data["status"], data["previous"], data["sequence"])
            for data in (event["data"] for event in await self.events())
        ]

    async def waiting(self, endpoint: Endpoint | None = None) -> list[Mapping[str, Any]]:
        """The rows of deliveries, of this endpoint or of all."""
        rows = await self.connection.fetch("SELECT * FROM webhook_delivery ORDER BY id")
        return [dict(row) for row in rows if endpoint is None or row["endpoint"] == endpoint.id]

    async def tell(self, count: int = 1, status: Status = Status.DELIVERED) -> list[int]:
        """So many messages are told to whoever wants to hear; their ids."""
        messages = [await self.message() for _ in range(count)]
        rows = [self.part(message, status) for message in messages]
        await tell_rows(self.connection, rows, self.ids)
        return messages

    async def until(self, query: str, wanted: object) -> None:
        """Poll the database, which calls nobody, until the query answers this."""
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.connection.fetchval(query) != wanted:
                await asyncio.sleep(POLL_SECONDS)

    async def logged(self) -> list[tuple[int, LogState, int | None]]:
        """(attempt, state, status) of each row of the log, oldest first."""
        rows = await self.connection.fetch("SELECT * FROM webhook_attempt ORDER BY id")
        return [(row["attempt"], LogState(row["state"]), row["status"]) for row in rows]

    @asynccontextmanager
    async def serving(self, term: int | None = None) -> AsyncIterator[Webhooks]:
        """Webhooks of one process; its clock stands at `later` beyond the time it is."""
        client = WebhookClient(
            AddressPolicy.of(["127.0.0.0/8"], allow_http=True),
            user_agent="smsgate/test",
            monotonic=time.monotonic,
        )
        clocks = Clocks(
            now=lambda: now() + self.later, monotonic=time.monotonic, chance=lambda: 0.5
        )
        webhooks = Webhooks(
            self.database, client, box=BOX, vault=VAULT, ids=self.ids, term=term or self.term,
            clocks=clocks, ended=self.failed,
        )  # fmt: skip
        await webhooks.start(self.connection)
        try:
            yield webhooks
        finally:
            await webhooks.stop(WAIT_SECONDS)

    def failed(self, task: asyncio.Task[None]) -> None:
        """Of a task that ended: none may by a defect."""
        if not task.cancelled() and task.exception() is not None:
            self.defects.append(task.exception())

    async def count(self, table: str) -> int:
        found: int = await self.connection.fetchval(f"SELECT count(*) FROM {table}")
        return found


@asynccontextmanager
async def hooks_on(database_url: str) -> AsyncIterator[Hooks]:
    connection = await connect(database_url, application_name="test")
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    database.use_term(term.term)
    ids = IdSource(term.node, wall_ms)
    subscriptions = Subscriptions(
        database.dedicated("webhooks-look"), BOX, time.monotonic, ended=nobody
    )
    await subscriptions.learn(connection)
    hooks = Hooks(database, connection, term.term, ids, subscriptions)
    hooks.log = ChangeLog(ids, subscriptions.wanted, lambda: None)
    hooks.fan_out = FanOut(
        database.dedicated("webhooks-fan-out"),
        subscriptions,
        box=BOX,
        vault=VAULT,
        ids=ids,
        now=now,
        made=hooks.waits.update,
        waiting=lambda endpoint: hooks.waits.get(endpoint, 0),
    )
    try:
        yield hooks
        assert hooks.defects == []
    finally:
        await database.close()
        await close_connection(connection)
