"""The accepter over a real database, and in place of the dispatch side a room of known size."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from dispatch.clock import Clock
from dispatch.message import ReadyMessage
from messages.accept.accepter import MessageAccepter
from messages.accept.pacing import Pacing, PacingRates
from messages.accepting import FlushCheck
from messages.models import Prepared
from messages.rules.suppression import SuppressionCheck
from ratelimit.spec import RateSpec
from shortlinks.code import CodePermutation
from shortlinks.ranges import LinkSequence
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys
from storage.pool import Connection, Database, Dedicated, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm

CONNECTOR = 7
ACCOUNT = 1
BASE_URL = "https://s.example"
VAULT = NumberVault(NumberKeys(bytes(range(64))))
CODES = CodePermutation(b"0123456789abcdef")


@dataclass
class Room:
    """A ReadyRoom that keeps count."""

    parts_max: int = 1_000_000
    reserved: int = 0
    pushed: list[ReadyMessage] = field(default_factory=list)
    backlogs: list[tuple[int, int]] = field(default_factory=list)

    def reserve(self, connector: int, category: int, parts: int) -> bool:
        if self.reserved + sum(message.cost for message in self.pushed) + parts > self.parts_max:
            return False
        self.reserved += parts
        return True

    def release(self, connector: int, category: int, parts: int) -> None:
        self.reserved -= parts
        assert self.reserved >= 0

    def push(self, connector: int, messages: Sequence[ReadyMessage]) -> None:
        assert connector == CONNECTOR
        self.pushed += messages
        self.reserved -= sum(message.cost for message in messages)
        assert self.reserved >= 0

    def backlog(self, connector: int, category: int) -> None:
        self.backlogs.append((connector, category))


@dataclass
class World:
    database: Database
    connection: Connection
    accepter: MessageAccepter
    room: Room
    lanes: list[Dedicated]
    term: int

    async def outbox(self) -> dict[int, dict[str, Any]]:
        rows = await self.connection.fetch("SELECT * FROM outbox ORDER BY id")
        return {row["id"]: dict(row) for row in rows}

    async def messages(self) -> dict[int, dict[str, Any]]:
        rows = await self.connection.fetch("SELECT * FROM message ORDER BY id")
        return {row["id"]: dict(row) for row in rows}

    async def count(self, table: str) -> int:
        found: int = await self.connection.fetchval(f"SELECT count(*) FROM {table}")
        return found


def prepared(number: int, category: Category = Category.TRANSACTIONAL, **fields: Any) -> Prepared:
    """A checked message to a number of its own."""
    return Prepared(
        **{
            "account": ACCOUNT,
            "category": category,
            "connector": CONNECTOR,
            "to": f"+86138{number:08d}",
            "sender": "SHOP",
            "text": f"m{number}",
            "links": (),
            "link_slots": (),
            "data_coding": 0,
            "parts": 1,
            **fields,
        }
    )


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def accepting(
    database_url: str,
    *,
    rates: Mapping[int, RateSpec] | None = None,
    waiting_max: int = 20_000,
    through: str | None = None,
    checks: Sequence[FlushCheck] = (SuppressionCheck(),),
    database_ms: Callable[[], int] = wall_ms,
) -> AsyncIterator[World]:
    """`through` is the address its lanes connect by. `database_ms`: the database's clock."""
    connection = await connect(database_url, application_name="test")
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    database = await Database.open(
        through or database_url, Path("unused"), application_name="test", read_connections=1
    )
    database.use_term(term.term)
    room = Room()
    lanes = [database.dedicated("accept-otp"), database.dedicated("accept")]
    accepter = MessageAccepter(
        lanes,
        vault=VAULT,
        ids=IdSource(term.node, wall_ms),
        term=term.term,
        ready=room,
        pace=Pacing(PacingRates(accounts=rates or {})),
        clock=Clock(wall_ms, time.monotonic_ns, database_ms),
        links=LinkSequence(),
        codes=CODES,
        link_base_url=BASE_URL,
        link_lifetime=timedelta(days=90),
        waiting_max=waiting_max,
        checks=checks,
    )
    try:
        yield World(database, connection, accepter, room, lanes, term.term)
        await accepter.close()
    finally:
        await database.close()
        await close_connection(connection)
