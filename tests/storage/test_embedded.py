"""The embedded server: made, joined, left, killed, recovered. Every test has its own real one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import asyncpg
import pytest

from storage import cluster, embedded
from storage.data_dir import Account
from storage.embedded import ConnectionTarget, EmbeddedError, EmbeddedServer
from storage.faults import DatabaseDown
from storage.file_lock import FileLock
from storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from storage.pool import Connection, Dedicated

PROJECT = Path(__file__).parents[2]
SETTINGS = {"fsync": "off", "shared_buffers": "32MB", "min_wal_size": "32MB"}


class Held(TypedDict):
    """What a holder process says."""

    pid: int
    url: str
    uid: int
    progress: list[str]


class Holder:
    """Another process that holds the server of a folder."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.embedded_process", *arguments],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def held(self) -> Held:
        assert self.process.stdout is not None
        held: Held = json.loads(self.process.stdout.readline())
        return held

    def stop(self) -> None:
        assert json.loads(self.process.communicate(timeout=30)[0]) == {"stopped": True}

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def data_dir(private_folder: Path, request: pytest.FixtureRequest) -> Path:
    test: str = request.node.name
    return private_folder / test[:60] / "data"


@pytest.fixture
async def make_server(data_dir: Path) -> AsyncIterator[Callable[[], EmbeddedServer]]:
    """Makes servers over one data folder, all stopped afterwards."""
    servers: list[EmbeddedServer] = []

    def make() -> EmbeddedServer:
        servers.append(EmbeddedServer(data_dir, settings=SETTINGS))
        return servers[-1]

    yield make
    for server in servers:
        await server.stop()


@pytest.fixture
def hold(data_dir: Path) -> Iterator[Callable[[], Holder]]:
    """Makes holder processes over the same data folder, all killed afterwards."""
    with contextlib.ExitStack() as stack:

        def make() -> Holder:
            holder = Holder(str(data_dir))
            stack.callback(holder.kill)
            return holder

        yield make


async def run(target: ConnectionTarget, sql: str) -> object:
    connection: Connection = await asyncpg.connect(target.url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def pid_of(server: EmbeddedServer) -> int:
    assert server.pid is not None
    return server.pid


def is_gone(pid: int) -> bool:
    """No process, or a dead one that nobody has buried (a container without an init)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def mode_of(path: str | Path) -> int:
    return os.stat(path).st_mode & 0o777


def exists(path: str | Path) -> bool:
    return Path(path).exists()


def modes_above(path: Path) -> list[tuple[Path, int]]:
    return [(parent, mode_of(parent)) for parent in path.parents]


async def test_a_new_one_is_private_and_keeps_its_data(
    data_dir: Path, make_server: Callable[[], EmbeddedServer]
) -> None:
    data_dir.parent.mkdir(mode=0o755)
    before = modes_above(data_dir)
    server = make_server()
    target = await server.start()
    pid = pid_of(server)
    await run(target, "CREATE TABLE kept AS SELECT 42 AS answer")
    home = data_dir / "postgres"
    assert mode_of(target.host) == 0o700
    assert mode_of(home / "cluster") == 0o700
    assert mode_of(home / "password") == 0o600
    assert target.password not in repr(target)
    assert modes_above(data_dir)[: len(data_dir.parents)] == before
    assert await run(target, "SHOW listen_addresses") == ""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(target.url.replace(target.password, "guess"))
    await server.stop()
    assert is_gone(pid)
    assert not exists(target.host)
    assert await run(await make_server().start(), "SELECT answer FROM kept") == 42


async def test_it_is_set_up_for_us(make_server: Callable[[], EmbeddedServer]) -> None:
    target = await make_server().start()
    connection = await asyncpg.connect(target.url)
    names = ["synchronous_commit", "jit", "max_connections", "checkpoint_timeout", "TimeZone"]
    values = [await connection.fetchval(f"SHOW {name}") for name in names]
    assert values == ["on", "off", "300", "15min", "UTC"]
    assert await connection.fetchval("SHOW password_encryption") == "scram-sha-256"
    locale = "SELECT datcollate || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1"
    assert await connection.fetchval(locale) == "CUTF8"
    await connection.close()


async def test_a_path_of_150_characters_with_shell_characters(private_folder: Path) -> None:
    data_dir = private_folder / 'it\'s a $HOME "数据" `id`'
    data_dir = data_dir / ("x" * (150 - len(str(data_dir)) - 1))
    assert len(str(data_dir)) == 150
    server = EmbeddedServer(data_dir, settings=SETTINGS)
    try:
        assert await run(await server.start(), "SELECT 1") == 1
    finally:
        await server.stop()


async def test_a_relative_data_dir(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (private_folder / "relative").mkdir()
    monkeypatch.chdir(private_folder / "relative")
    server = EmbeddedServer(Path("./data"), settings=SETTINGS)
    try:
        await server.start()
        assert (private_folder / "relative" / "data" / "postgres" / "cluster").is_dir()
    finally:
        await server.stop()


async def test_starting_again_joins_what_runs(make_server: Callable[[], EmbeddedServer]) -> None:
    one, other = make_server(), make_server()
    target = await one.start()
    assert await one.start() == target == await other.start()
    assert pid_of(one) == pid_of(other)
    await one.stop()
    assert await run(target, "SELECT 1") == 1
    await one.stop()  # again, without holding it: must not take it from the other
    assert await run(target, "SELECT 1") == 1
    pid = pid_of(other)
    await other.stop()
    assert is_gone(pid)


async def test_two_processes_at_once_share_one_server(
    hold: Callable[[], Holder], make_server: Callable[[], EmbeddedServer]
) -> None:
    holders = [hold(), hold()]
    first, second = [await asyncio.to_thread(holder.held) for holder in holders]
    assert (first["pid"], first["url"]) == (second["pid"], second["url"])
    await asyncio.to_thread(holders[0].stop)
    assert not is_gone(first["pid"])
    server = make_server()
    assert (await server.start()).url == second["url"]
    await server.stop()
    assert not is_gone(first["pid"])
    await asyncio.to_thread(holders[1].stop)
    assert is_gone(first["pid"])


async def test_after_kill_9_of_a_holder_the_next_one_stops_the_server(
    hold: Callable[[], Holder], make_server: Callable[[], EmbeddedServer]
) -> None:
    holder = hold()
    held = await asyncio.to_thread(holder.held)
    holder.kill()
    assert not is_gone(held["pid"])
    server = make_server()
    assert (await server.start()).url == held["url"]
    assert pid_of(server) == held["pid"]
    await server.stop()
    assert is_gone(held["pid"])


async def test_after_kill_9_of_postgres_it_recovers(
    make_server: Callable[[], EmbeddedServer],
) -> None:
    server = make_server()
    target = await server.start()
    await run(target, "CREATE TABLE kept AS SELECT 42 AS answer")
    killed = pid_of(server)
    os.kill(killed, signal.SIGKILL)
    assert await run(await server.start(), "SELECT answer FROM kept") == 42
    assert pid_of(server) != killed
    assert (await server.start()).host == target.host  # where its clients look for it


async def test_a_dead_servers_pid_file_with_a_living_pid_is_stale(
    data_dir: Path, make_server: Callable[[], EmbeddedServer]
) -> None:
    """PostgreSQL alone refuses to start when the old process id now belongs to its own account."""
    server = make_server()
    await server.start()
    os.kill(pid_of(server), signal.SIGKILL)
    account = Account.choose()
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=account.uid) as stranger:  # noqa: ASYNC220 - it does nothing
        pid_file = data_dir / "postgres" / "cluster" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        assert await run(await server.start(), "SELECT 1") == 1
        assert stranger.poll() is None


async def test_the_database_starts_a_killed_server_again(data_dir: Path) -> None:
    database = await Database.open("embedded", data_dir, application_name="smsgate")
    dedicated = database.dedicated("accept")
    try:
        connection = await dedicated.connection()
        noticed = asyncio.Event()
        connection.add_termination_listener(lambda _connection: noticed.set())
        pid = await connection.fetchval(POSTMASTER_PID)
        os.kill(pid, signal.SIGKILL)
        await noticed.wait()
        again = await postmaster_once_back(dedicated)
        assert again != pid
        assert await database.read.fetchval("SELECT 1") == 1
    finally:
        await database.close()
    assert is_gone(again)


async def postmaster_once_back(dedicated: Dedicated) -> int:
    while True:
        try:
            pid: int = await (await dedicated.connection()).fetchval(POSTMASTER_PID)
        except DatabaseDown:
            await asyncio.sleep(0)  # its own backoff decides when it tries
        else:
            return pid


POSTMASTER_PID = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer"


async def test_a_long_recovery_is_waited_for_and_told(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is stopped while it replays, until several lines were told."""
    monkeypatch.setattr(embedded, "PROGRESS_SECONDS", 0.1)
    progress: asyncio.Queue[str] = asyncio.Queue()
    server = EmbeddedServer(data_dir, settings=SETTINGS, on_progress=progress.put_nowait)
    target = await server.start()
    rows = 400_000
    while True:  # a machine that is quick, or looks late, gets more to replay
        await run(target, "DROP TABLE IF EXISTS kept")
        await run(target, f"CREATE TABLE kept AS SELECT x FROM generate_series(1, {rows}) x")
        os.kill(pid_of(server), signal.SIGKILL)
        while not progress.empty():
            progress.get_nowait()
        starting = asyncio.create_task(server.start())
        postmaster = await recovering(
            data_dir / "postgres" / "cluster" / "postmaster.pid", starting
        )
        if postmaster is not None:
            break
        target, rows = await starting, rows * 2
    while not progress.empty():  # from before it said that it recovers
        progress.get_nowait()
    try:
        for _line in range(4):
            told = await asyncio.wait_for(progress.get(), 20)
            assert "starting or recovering from a crash" in told
        assert not starting.done()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    try:
        assert await run(await starting, "SELECT count(*) FROM kept") == rows
    finally:
        await server.stop()


async def recovering(pid_file: Path, starting: asyncio.Task[ConnectionTarget]) -> int | None:
    """Stops the postmaster as soon as it says that it is starting; its process id. None: it has
    recovered already.
    """
    while not starting.done():
        pid = starting_postmaster(pid_file)
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            return pid
        await asyncio.sleep(0)
    return None


def starting_postmaster(pid_file: Path) -> int | None:
    try:
        lines = pid_file.read_text().splitlines()
        return int(lines[0]) if lines[7].strip() == "starting" else None
    except (OSError, IndexError):
        return None


async def test_a_start_that_is_given_up_does_not_hold_the_server(
    data_dir: Path, make_server: Callable[[], EmbeddedServer]
) -> None:
    launched = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(_line: str) -> None:
        loop.call_soon_threadsafe(launched.set)

    impatient = EmbeddedServer(
        data_dir,
        settings=SETTINGS,
        on_progress=tell,
    )
    starting = asyncio.create_task(impatient.start())
    await launched.wait()  # "creating …": from here initdb or the server is running
    starting.cancel()
    await asyncio.wait({starting})
    server = make_server()
    await server.start()
    pid = pid_of(server)
    await server.stop()
    assert is_gone(pid)


async def test_a_start_that_is_given_up_before_its_turn_locks_nobody_out(
    make_server: Callable[[], EmbeddedServer],
) -> None:
    server = make_server()
    await server.start()
    await server.stop()
    busy = threading.Event()
    one_thread = ThreadPoolExecutor(1)  # the loop closes it
    asyncio.get_running_loop().set_default_executor(one_thread)
    one_thread.submit(busy.wait)
    starting = asyncio.create_task(server.start())
    await asyncio.wait({starting}, timeout=0.1)  # nothing to wait for: it queues for the thread
    starting.cancel()
    await asyncio.wait({starting})
    busy.set()
    await server.start()


async def test_after_kill_9_while_the_database_is_made_it_is_made_by_the_next(
    data_dir: Path, hold: Callable[[], Holder], make_server: Callable[[], EmbeddedServer]
) -> None:
    holder = hold()
    home = data_dir / "postgres"
    while not exists(home / "cluster.unfinished" / "PG_VERSION"):
        await asyncio.sleep(0)
    holder.kill()
    assert FileLock.try_exclusive(home / "running.lock") is None  # initdb is still at work
    assert await run(await make_server().start(), "SELECT 1") == 1


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("PG_VERSION", "17\n", "made by PostgreSQL 17 and this smsgate brings 18"),
        (
            "postgresql.conf",
            "port = nonsense\n",
            "did not start: configuration file .* contains errors",
        ),
    ],
)
async def test_what_cannot_be_started_is_told_in_one_line(
    data_dir: Path,
    make_server: Callable[[], EmbeddedServer],
    name: str,
    content: str,
    complaint: str,
) -> None:
    server = make_server()
    await server.start()
    await server.stop()
    file = data_dir / "postgres" / "cluster" / name
    good = file.read_text()
    file.write_text(content)
    with pytest.raises(EmbeddedError, match=complaint) as raised:
        await server.start()
    assert "\n" not in str(raised.value)
    file.write_text(good)
    await server.start()


async def test_the_log_is_bounded(
    data_dir: Path, make_server: Callable[[], EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LOG_BYTES_MAX", 10)
    server = make_server()
    for _life in range(3):
        await server.start()
        await server.stop()
    folder = data_dir / "postgres" / "log"
    assert sorted(path.name for path in folder.iterdir()) == ["server.log", "server.log.1"]
    assert (folder / "server.log").read_text().count("starting PostgreSQL") == 1
