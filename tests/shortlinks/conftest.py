"""Short links of a test: a database, stored ranges, and a redirect server on a free port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import RawTestServer, TestClient
from aiohttp.web import BaseRequest

from shortlinks.code import CodePermutation, link_value
from shortlinks.journal import ClickJournal
from shortlinks.miss_limit import MissLimit
from shortlinks.ranges import LinkSequence, TargetCache, insert_range, plan_range
from shortlinks.redirect import Redirector
from storage.ids import IdSource
from storage.pool import Connection, Database, Dedicated

Client = TestClient[BaseRequest, None]


def serving(redirector: Redirector) -> Client:
    """A client of this redirector over loopback; enter it."""
    return TestClient(RawTestServer(redirector.handle))


class Clock:
    """Unix time in seconds that a test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Links(msgspec.Struct):
    """Stores ranges and knows their codes."""

    connection: Connection
    codes: CodePermutation
    sequence: LinkSequence
    clock: Clock

    async def store(
        self, messages: Sequence[tuple[int, Sequence[str]]], *, expires_in: float = 3600.0
    ) -> tuple[int, list[str]]:
        """One range; its first number and the code of each message's slot 0."""
        first_seq = await self.sequence.reserve(self.connection, len(messages))
        expires_at = datetime.fromtimestamp(self.clock(), UTC) + timedelta(seconds=expires_in)
        await insert_range(self.connection, plan_range(first_seq, messages, expires_at))
        values = [link_value(first_seq + number, 0) for number in range(len(messages))]
        return first_seq, self.codes.encode_many(values)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes() -> CodePermutation:
    return CodePermutation(b"a key of the test suite, 32 byte")


@pytest.fixture
def links(connection: Connection, codes: CodePermutation, clock: Clock) -> Links:
    return Links(connection, codes, LinkSequence(), clock)


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, tmp_path, application_name="shortlinks tests", read_connections=1
    )
    yield database
    await database.close()


@pytest.fixture
def lookups(database: Database) -> Dedicated:
    return database.dedicated("links")


@pytest.fixture
def loads(database: Database) -> Dedicated:
    return database.dedicated("clicks")


@pytest.fixture
async def targets(lookups: Dedicated, clock: Clock) -> AsyncIterator[TargetCache]:
    cache = TargetCache(lookups, clock)
    yield cache
    await cache.close()


@pytest.fixture
def journal(tmp_path: Path) -> ClickJournal:
    return ClickJournal(tmp_path / "clicks", node=7)


@pytest.fixture
def ids() -> IdSource:
    return IdSource(7, lambda: time.time_ns() // 1_000_000)


@pytest.fixture
def redirector(
    codes: CodePermutation,
    targets: TargetCache,
    journal: ClickJournal,
    ids: IdSource,
    clock: Clock,
) -> Redirector:
    return Redirector(codes, targets, journal, ids, clock, misses=MissLimit(burst=5))


@pytest.fixture
async def client(redirector: Redirector) -> AsyncIterator[Client]:
    async with serving(redirector) as client:
        yield client
