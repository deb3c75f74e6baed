"""The PostgreSQL that every test uses: one server per session, one fresh database per test.

`TEST_DATABASE_URL=postgresql://…` runs the same tests against that server instead of an
embedded one.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import secrets
import shutil
import signal
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import settings

from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from storage.partitions import ensure_partitions
from storage.pool import Connection, close_connection, connect
from tests.fork_server import fork_server
from tests.shared_memory import parent_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterator

T = TypeVar("T")

# No deadline per example: a machine that is busy with something else would fail a test that is
# right.
settings.register_profile("smsgate", deadline=None)
settings.load_profile("smsgate")

URL_VARIABLE = "TEST_DATABASE_URL"
FOLDER_PREFIX = "smsgate-tests-"
RUN_SECONDS_MAX = 50

# The server dies with the session, never with the machine: what reached the kernel is enough.
SERVER_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
    "min_wal_size": "64MB",
    "shared_buffers": "128MB",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on-database", action="store_true", help="only the tests that have a database"
    )


def pytest_configure() -> None:
    """What a script starts behind its back ignores Ctrl-C, and so would all that we start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: nobody looks through it for cycles, now or while tests run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that may take long go first, so that no worker is left alone with one at the end.

    With --on-database: another server can change the outcome of no others.
    """
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    if config.getoption("--on-database"):
        others = [item for item in items if not has_a_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = filter(has_a_database, items)


def has_a_database(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "postgres_target" in item.fixturenames


class LoopThread:
    """An event loop of its own, so that a fixture can await whether or not a test's loop is
    running.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, coroutine: Coroutine[object, object, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        return self.begin(coroutine).result(timeout=RUN_SECONDS_MAX)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(slots=True)
class PostgresTarget:
    """A running server and its migrated template database.

    While a test runs, the database of the one before is dropped and that of the next is made. Each
    takes longer than many a test.
    """

    url: str
    template: str
    administrator: Connection
    loop: LoopThread = field(repr=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _next: Future[str] | None = field(default=None, repr=False)
    _dropped: Future[None] | None = field(default=None, repr=False)

    def database_url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def create_database(self, *, migrated: bool = True) -> str:
        """A fresh database; returns its URL. `drop_database` removes it."""
        if not migrated:
            return self.loop.run(self._create("template0"))
        made = self._next or self.loop.begin(self._create(self.template))
        self._next = self.loop.begin(self._create(self.template))
        return made.result(timeout=RUN_SECONDS_MAX)

    def drop_database(self, url: str) -> None:
        """Begin to remove it, once the one before is gone."""
        if self._dropped is not None:
            self._dropped.result(timeout=RUN_SECONDS_MAX)
        self._dropped = self.loop.begin(self._drop(urlsplit(url).path.removeprefix("/")))

    def execute(self, statement: str) -> None:
        """As its administrator."""
        self.loop.run(self._execute(statement))

    def end(self) -> None:
        """Leave nothing of ours on the server."""
        if self._next is not None:
            self.drop_database(self._next.result(timeout=RUN_SECONDS_MAX))
        self.loop.run(self._drop(self.template))  # behind all others

    async def _create(self, template: str) -> str:
        database = f"smsgate_test_{secrets.token_hex(6)}"
        # Copying the files takes half as long as writing every page to the log first.
        await self._execute(f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy")
        return self.database_url(database)

    async def _drop(self, database: str) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        async with self._one_at_a_time:  # in the order of the calls
            await self.administrator.execute(statement)


@pytest.fixture(scope="session")
def private_folder() -> Iterator[Path]:
    """A folder of this session that PostgreSQL's account can pass when we are root."""
    parent = parent_folder()
    _remove_folders_of_dead_sessions(parent)
    making = Path(tempfile.mkdtemp(prefix="smsgate-making-", dir=parent))
    making.chmod(0o711)
    with (making / "session.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Named only now: a session that begins beside this one takes what has no lock for dead.
        folder = making.rename(parent / making.name.replace("smsgate-making-", FOLDER_PREFIX))
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def forks(private_folder: Path) -> Iterator[None]:
    """The one server of the session that `forked` finds."""
    with fork_server(private_folder / "forks"):
        yield


@pytest.fixture(scope="session")
def postgres_target(private_folder: Path) -> Iterator[PostgresTarget]:
    """The server of the session, with a migrated template that holds today's partitions."""
    loop = LoopThread()
    server = None
    url = os.environ.get(URL_VARIABLE)
    if url is None:
        server = EmbeddedServer(private_folder / "data", settings=SERVER_SETTINGS)
        url = loop.run(server.start()).url
    template = f"smsgate_template_{secrets.token_hex(6)}"
    administrator = loop.run(connect(url, application_name="tests"))
    target = PostgresTarget(url, template, administrator, loop)
    try:
        target.execute(f"CREATE DATABASE {template} TEMPLATE template0")
        loop.run(_fill_template(target.database_url(template)))
        yield target
    finally:
        target.end()
        loop.run(close_connection(administrator))
        if server is not None:
            loop.run(server.stop())
        loop.close()


@pytest.fixture
def database_url(postgres_target: PostgresTarget) -> Iterator[str]:
    """A fresh migrated database, as postgresql://…; also right for `Database.open`."""
    url = postgres_target.create_database()
    yield url
    postgres_target.drop_database(url)


@pytest.fixture
def empty_database_url(postgres_target: PostgresTarget) -> Iterator[str]:
    """A fresh database without any table."""
    url = postgres_target.create_database(migrated=False)
    yield url
    postgres_target.drop_database(url)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection, with smsgate's codecs, to the test's own database."""
    connection = await connect(database_url, application_name="test")
    yield connection
    await close_connection(connection)


async def _fill_template(url: str) -> None:
    connection = await connect(url, application_name="tests")
    await migrate(connection)
    await ensure_partitions(connection, datetime.now(UTC).date())
    await close_connection(connection)


def _remove_folders_of_dead_sessions(parent: Path) -> None:
    """A session that was killed leaves its server: without its folder that ends by itself within a
    minute.
    """
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        try:
            with (folder / "session.lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody else's, still alive, or only just being made
