"""One PostgreSQL cluster on disk: its settings, its programs, and what its files say.

Owns the blocking steps: making the cluster, starting and stopping its server, reading its state and
log. Must not decide when: `storage/embedded.py` does, and holds the locks meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from storage.data_dir import EmbeddedError, Home, socket_folder, write_private
from storage.postgres_binaries import MAJOR_VERSION, Binaries, brings

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from storage.file_lock import FileLock

PORT = 5432  # a part of the socket's file name; nothing listens on TCP
USER = "smsgate"
UPGRADE_DONE = "upgrade.done"  # a new cluster is whole, and has not taken the old one's place
LOG_BYTES_MAX = 4 << 20

# A connection that idles in a transaction pins dead rows, which every claim then passes over. jit
# and parallel workers cost the hot path its cores. Outbox rows die so fast that autovacuum has to
# look often.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_permissions": "0700",
        "cluster_name": "smsgate",
        "max_connections": "300",  # a gateway holds about 30, and several share it
        "shared_buffers": "256MB",
        "synchronous_commit": "on",
        "max_wal_size": "8GB",
        "min_wal_size": "512MB",
        "checkpoint_timeout": "15min",
        "idle_in_transaction_session_timeout": "30s",
        "max_locks_per_transaction": "256",  # a report over 400 days locks every partition
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "autovacuum_naptime": "10s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # No refused statement of a client, whose text may hold a message
        "log_min_messages": "log",
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


@dataclass(frozen=True, slots=True)
class PostmasterFile:
    """`postmaster.pid`, by line: process, folder, start time, port, socket folder, listen address,
    memory key, state.
    """

    pid: int
    port: int
    socket_folder: str
    state: str

    @classmethod
    def read(cls, cluster: Path) -> PostmasterFile | None:
        try:
            lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return cls(int(lines[0]), int(lines[3]), lines[4], lines[7].strip())
        except (OSError, IndexError, ValueError):
            return None  # absent, or half written by a server that has just begun


def target_of(cluster: Path) -> ConnectionTarget | None:
    """Where the server of this cluster listens, once it says that it is ready. It may have died
    since.
    """
    server = PostmasterFile.read(cluster)
    if server is None or server.state != "ready":
        return None
    password = (cluster.parent / "password").read_text("ascii")
    return ConnectionTarget(server.socket_folder, server.port, USER, password)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's folder with the programs for it: blocking steps on files, and short commands."""

    home: Home
    binaries: Binaries
    lz4: bool

    @property
    def running_lock(self) -> Path:
        return self.home.folder / "running.lock"

    def target(self) -> ConnectionTarget | None:
        """Where the server listens, once it says that it is ready."""
        return target_of(self.home.cluster)

    def what_it_does(self) -> str:
        server = PostmasterFile.read(self.home.cluster)
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
        if (home.folder / UPGRADE_DONE).exists():
            raise EmbeddedError(
                f"an upgrade of {home.folder} was cut short: run `smsgate database upgrade`"
            )
        shutil.rmtree(unfinished, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        write_private(home.password, password)
        self.initialise(unfinished, password, lock)
        unfinished.rename(home.cluster)

    def initialise(self, folder: Path, password: str, lock: FileLock, *options: str) -> None:
        """Make an empty cluster in a new folder, with `options` of initdb. Raises EmbeddedError."""
        home = self.home
        password_for_initdb = home.folder / "initdb.password"
        password_for_initdb.unlink(missing_ok=True)
        write_private(password_for_initdb, password)
        try:
            home.account.make_folder(folder)
            if home.account.uid is not None and home.account.gid is not None:
                os.chown(password_for_initdb, home.account.uid, home.account.gid)
            finished = home.account.run(
                [
                    self.binaries.program("initdb"),
                    f"--pgdata={folder}",
                    f"--username={USER}",
                    f"--pwfile={password_for_initdb}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    *options,
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

    def check_version(self) -> None:
        try:
            version = (self.home.cluster / "PG_VERSION").read_text("ascii").strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.home.cluster} is not a PostgreSQL database: {error.strerror}"
            ) from error
        if version != str(MAJOR_VERSION):
            known = version.isdigit() and brings(int(version))
            raise EmbeddedError(
                f"{self.home.cluster} was made by PostgreSQL {version} and this smsgate brings"
                f" {MAJOR_VERSION}: "
                + (
                    "run `smsgate database upgrade`"
                    if known
                    else "back it up with the old smsgate and restore it into a new data_dir"
                )
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
        # Relative paths: pg_ctl hands them to a shell in double quotes, where a $ would be
        # expanded.
        finished = self._pg_ctl(
            "start", "--no-wait", "--log=log/server.log", f"--options={options}", lock=lock
        )
        if finished.returncode != 0:
            raise EmbeddedError(f"PostgreSQL did not start: {finished.stdout.strip()}")

    def ask_to_stop(self) -> subprocess.CompletedProcess[str]:
        """Ask the server to stop; it disconnects every client. Fails while it has not started far
        enough.
        """
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
        """Bound the log: the last server's lines are kept, older ones are dropped. Returns its size
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
        """Why the last server gave up, by its log."""
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
        """Delete what a dead server left. Hold the running lock: then no process of this cluster is
        left.

        PostgreSQL refuses to start if the dead one's process id belongs to another process now, or
        to a zombie.
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


def _last_line_with(lines: list[str], words: tuple[str, ...]) -> str:
    """The last line with the first of these words that is found. It is the cause, not what followed
    from it.
    """
    for word in words:
        for line in reversed(lines):
            _before, found, after = line.partition(word)
            if found:
                return (found + after if word == "could not" else after).strip()
    return lines[-1].strip() if lines else "no reason given"
