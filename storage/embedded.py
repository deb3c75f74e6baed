"""The embedded PostgreSQL: one cluster in a data folder, shared by every smsgate process that uses
the folder.

Owns starting, joining, waiting for and stopping the server. Must not know the schema, and must not
touch any folder but the cluster's own.

Who is alive is told by file locks, never guessed from process ids: `holders.lock` is held, shared,
by each process that uses the server; who can take it alone is the last one. `running.lock` is
inherited by PostgreSQL itself, every process of it; who can take it knows that none is left, also
after a kill -9 and across containers that share a volume. `start.lock` lets one process at a time
start or stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

import asyncpg

from storage.data_dir import (
    Account,
    EmbeddedError,
    Home,
    find_home,
    make_data_dir,
    socket_folder,
    write_private,
)
from storage.file_lock import FileLock
from storage.postgres_binaries import MAJOR_VERSION, Binaries, find_binaries, has_lz4

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["ConnectionTarget", "EmbeddedError", "EmbeddedServer"]

PORT = 5432  # only a name here: part of the socket's file name, nothing listens on TCP
USER = "smsgate"
LOG_BYTES_MAX = 4 << 20
POLL_SECONDS = 0.03
PROGRESS_SECONDS = 2.0

# What a connection held idle in a transaction pins costs every claim (0.9 ms became 34 ms), jit and
# parallel workers cost the hot path its cores, and outbox rows die so fast that autovacuum has to
# look often.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_permissions": "0700",
        "cluster_name": "smsgate",
        "max_connections": "100",
        "shared_buffers": "256MB",
        "synchronous_commit": "on",
        "max_wal_size": "8GB",
        "min_wal_size": "512MB",
        "checkpoint_timeout": "15min",
        "idle_in_transaction_session_timeout": "30s",
        "max_locks_per_transaction": "256",  # a report over 400 days locks every leaf
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "autovacuum_naptime": "10s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "log",  # no refused statement of a client: its text may hold a message
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
        "log_startup_progress_interval": "2s",
    }
)


@dataclass(frozen=True, slots=True)
class ConnectionTarget:
    """How to reach a server: `host` is a folder for a Unix socket."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "postgres"

    @property
    def url(self) -> str:
        """As `postgresql://…`; holds the password, so never log it."""
        return (
            f"postgresql://{quote(self.user, safe='')}:{quote(self.password, safe='')}@/"
            f"{quote(self.database, safe='')}?host={quote(self.host, safe='')}&port={self.port}"
        )


class EmbeddedServer:
    """One cluster in `data_dir`; several processes may share it.

    `settings` go over SETTINGS and count only for the process that happens to start the server.
    `on_progress` is given one line whenever something takes long or an operator should know of it;
    it may come from another thread.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        settings: Mapping[str, str] = MappingProxyType({}),
        on_progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.data_dir = data_dir
        self._settings = settings
        self._on_progress = on_progress
        self._place: _Place | None = None
        self._holder: FileLock | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, if its file says that one runs."""
        state = None if self._place is None else _PostmasterFile.read(self._place.home.cluster)
        return None if state is None else state.pid

    async def start(self) -> ConnectionTarget:
        """Make the cluster if it is new, start or join its server, and wait until it answers.

        Waits for crash recovery as long as it takes. Calling it again makes sure that the server
        still runs. Raises EmbeddedError.
        """
        if self._place is None:
            self._place = await asyncio.to_thread(_find_place, self.data_dir, self._on_progress)
        place = self._place
        async with self._alone(place):
            joining = self._holder is None
            if self._holder is None:
                self._holder = FileLock.try_shared(place.home.folder / "holders.lock")
            try:
                return await self._bring_up(place)
            except BaseException:
                if joining:
                    self._release_holder()
                raise

    async def stop(self) -> None:
        """Let go of the server, and stop it when no other live process holds it. Returns once it is
        gone.
        """
        if self._place is None or self._holder is None:
            return
        place = self._place
        async with self._alone(place):
            self._release_holder()
            alone = FileLock.try_exclusive(place.home.folder / "holders.lock")
            if alone is None:
                return
            try:
                await self._shut_down(place)
            finally:
                alone.release()

    def _release_holder(self) -> None:
        if self._holder is not None:
            self._holder.release()
            self._holder = None

    @contextlib.asynccontextmanager
    async def _alone(self, place: _Place) -> AsyncIterator[None]:
        progress = _Progress(self._on_progress)
        path = place.home.folder / "start.lock"
        while (lock := FileLock.try_exclusive(path)) is None:
            progress.tell("waiting for another smsgate process to start or stop PostgreSQL")
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    async def _bring_up(self, place: _Place) -> ConnectionTarget:
        progress = _Progress(self._on_progress)
        launched_log_offset: int | None = None
        while True:
            lock = FileLock.try_exclusive(place.running_lock)
            if lock is not None and launched_log_offset is not None:
                lock.release()
                raise EmbeddedError(
                    f"PostgreSQL did not start: {place.complaint(launched_log_offset)}"
                )
            if lock is not None:
                # Shielded: a start that is given up must not let go of the lock while initdb is at
                # work.
                launching = asyncio.to_thread(self._launch, place, lock)
                launched_log_offset = await asyncio.shield(asyncio.ensure_future(launching))
            target = place.target()
            if target is not None and await _answers(target):
                return target
            progress.tell(place.what_it_does())
            await asyncio.sleep(POLL_SECONDS)

    def _launch(self, place: _Place, lock: FileLock) -> int:
        """Start a server in the background; returns the size of its log before. Blocking.

        The server takes the running lock over from us; ours is released here, whatever happens.
        """
        try:
            if not place.home.cluster.exists():
                self._on_progress(
                    f"creating a PostgreSQL {MAJOR_VERSION} database in {place.home.folder}"
                )
                place.create_cluster(lock)
            place.check_version()
            place.make_log_folder()
            place.remove_remains()
            offset = place.trim_log()
            place.start_server(lock, self._settings)
            return offset
        finally:
            lock.release()

    async def _shut_down(self, place: _Place) -> None:
        progress = _Progress(self._on_progress)
        asked = False
        while (lock := FileLock.try_exclusive(place.running_lock)) is None:
            if not asked:
                asked = (await asyncio.to_thread(place.ask_to_stop)).returncode == 0
            progress.tell("waiting for PostgreSQL to write its last checkpoint and stop")
            await asyncio.sleep(POLL_SECONDS)
        try:
            place.remove_socket_folder()
        finally:
            lock.release()


class _Progress:
    """Tells at once when waiting begins to be noticeable, then every PROGRESS_SECONDS."""

    def __init__(self, on_progress: Callable[[str], None]) -> None:
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._next = self._began + 10 * POLL_SECONDS

    def tell(self, what: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._on_progress(f"{what} ({now - self._began:.0f} s so far)")


async def _answers(target: ConnectionTarget) -> bool:
    try:
        connection = await asyncpg.connect(target.url, timeout=10)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
        return (
            False  # starting, recovering, stopping, or a dead server's file: the lock tells which
        )
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses the password in its own data folder: {error}"
        ) from error
    await connection.close()
    return True


@dataclass(frozen=True, slots=True)
class _PostmasterFile:
    """`postmaster.pid`: process, folder, start time, port, socket folder, listen address, memory
    key, state.
    """

    pid: int
    port: int
    socket_folder: str
    state: str

    @classmethod
    def read(cls, cluster: Path) -> _PostmasterFile | None:
        try:
            lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return cls(int(lines[0]), int(lines[3]), lines[4], lines[7].strip())
        except (OSError, IndexError, ValueError):
            return None  # absent, or half written by a server that has just begun


@dataclass(frozen=True, slots=True)
class _Place:
    """A home with the programs for it: the blocking steps on files and short commands."""

    home: Home
    binaries: Binaries
    lz4: bool

    @property
    def running_lock(self) -> Path:
        return self.home.folder / "running.lock"

    def target(self) -> ConnectionTarget | None:
        """Where the server says it listens, once it says that it is ready."""
        server = _PostmasterFile.read(self.home.cluster)
        if server is None or server.state != "ready":
            return None
        return ConnectionTarget(
            server.socket_folder, server.port, USER, self.home.password.read_text("ascii")
        )

    def what_it_does(self) -> str:
        server = _PostmasterFile.read(self.home.cluster)
        if server is None or server.state == "ready":
            return "waiting for PostgreSQL to start"
        if server.state == "stopping":
            return "waiting for PostgreSQL to stop before starting it again"
        last = self._log_lines(0)[-1:]
        detail = f": {last[0]}" if last and "redo in progress" in last[0] else ""
        return (
            f"PostgreSQL is starting or recovering from a crash: waiting until it is done{detail}"
        )

    def create_cluster(self, lock: FileLock) -> None:
        home, unfinished = self.home, self.home.folder / "cluster.unfinished"
        password_for_initdb = home.folder / "initdb.password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_for_initdb.unlink(missing_ok=True)
        password = secrets.token_urlsafe(24)
        write_private(home.password, password)
        write_private(password_for_initdb, password)
        try:
            home.account.make_folder(unfinished)
            if home.account.uid is not None and home.account.gid is not None:
                os.chown(password_for_initdb, home.account.uid, home.account.gid)
            finished = home.account.run(
                [
                    self.binaries.program("initdb"),
                    f"--pgdata={unfinished}",
                    f"--username={USER}",
                    f"--pwfile={password_for_initdb}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                ],
                pass_fds=(lock.descriptor,),
            )
        finally:
            password_for_initdb.unlink(missing_ok=True)
        if finished.returncode != 0:
            reason = _last_line_with(
                finished.stdout.splitlines(), ("error:", "FATAL:", "could not")
            )
            raise EmbeddedError(f"cannot create a database in {home.folder}: {reason}")
        unfinished.rename(home.cluster)

    def check_version(self) -> None:
        try:
            version = (self.home.cluster / "PG_VERSION").read_text("ascii").strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.home.cluster} is not a PostgreSQL database: {error.strerror}"
            ) from error
        if version != str(MAJOR_VERSION):
            raise EmbeddedError(
                f"{self.home.cluster} was made by PostgreSQL {version} and this smsgate brings"
                f" {MAJOR_VERSION}: dump it with the old smsgate and restore it into a new data_dir"
            )

    def start_server(self, lock: FileLock, settings: Mapping[str, str]) -> None:
        values = {
            **SETTINGS,
            "wal_compression": "lz4"
            if self.lz4
            else "off",  # pglz would take more CPU than it saves writing
            "unix_socket_directories": str(self.empty_socket_folder()),
            **settings,
        }
        options = shlex.join(
            part for name, value in values.items() for part in ("-c", f"{name}={value}")
        )
        # Relative paths: pg_ctl hands them to a shell in double quotes, where a $ in ours would be
        # expanded.
        finished = self._pg_ctl(
            "start", "--no-wait", "--log=log/server.log", f"--options={options}", lock=lock
        )
        if finished.returncode != 0:
            raise EmbeddedError(f"PostgreSQL did not start: {finished.stdout.strip()}")

    def ask_to_stop(self) -> subprocess.CompletedProcess[str]:
        """Disconnects every client. Fails while the server is not yet far enough to be told."""
        return self._pg_ctl("stop", "--no-wait", "--mode=fast")

    def _pg_ctl(
        self, *arguments: str, lock: FileLock | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.home.account.run(
            [self.binaries.program("pg_ctl"), "--silent", "--pgdata=cluster", *arguments],
            pass_fds=() if lock is None else (lock.descriptor,),
            cwd=self.home.folder,
        )

    def make_log_folder(self) -> None:
        folder = self.home.log.parent
        if not self.home.account.owns_folder(folder):
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()  # its maker died before he gave it away
            self.home.account.make_folder(folder)

    def trim_log(self) -> int:
        """Bound the log: what one server wrote is kept, older is dropped. Returns its present size
        in bytes.
        """
        try:
            size = self.home.log.lstat().st_size
            if size <= LOG_BYTES_MAX:
                return size
            self.home.log.replace(self.home.log.with_suffix(".log.1"))
        except FileNotFoundError:
            pass
        return 0

    def complaint(self, log_offset: int) -> str:
        """Why the last server gave up, from its log."""
        return _last_line_with(
            self._log_lines(log_offset), ("FATAL:", "PANIC:", "could not", "ERROR:")
        )

    def _log_lines(self, offset: int) -> list[str]:
        try:
            with self.home.log.open("rb") as log:
                log.seek(max(offset, log.seek(0, os.SEEK_END) - 65_536))
                return log.read().decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def remove_remains(self) -> None:
        """Forget a dead server. To be called with the running lock only: no process of this cluster
        is left then.

        PostgreSQL would refuse to start when the dead one's process id now belongs to somebody
        else, or to a zombie.
        """
        (self.home.cluster / "postmaster.pid").unlink(missing_ok=True)

    def empty_socket_folder(self) -> Path:
        folder = socket_folder(self.home)
        for left_behind in folder.glob(".s.PGSQL.*"):
            left_behind.unlink()
        return folder

    def remove_socket_folder(self) -> None:
        with contextlib.suppress(OSError):
            self.empty_socket_folder().rmdir()


def _find_place(data_dir: Path, on_progress: Callable[[str], None]) -> _Place:
    account = Account.choose()
    home = find_home(make_data_dir(data_dir), account, on_progress)
    binaries = find_binaries(account, on_progress)
    return _Place(home, binaries, has_lz4(binaries, account))


def _last_line_with(lines: list[str], words: tuple[str, ...]) -> str:
    """The last line that has the first word found in any: the cause, not what followed from it."""
    for word in words:
        for line in reversed(lines):
            _before, found, after = line.partition(word)
            if found:
                return (found + after if word == "could not" else after).strip()
    return lines[-1].strip() if lines else "no reason given"
