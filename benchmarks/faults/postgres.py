"""A PostgreSQL over TCP that is a process of ours: it can be killed, stopped and started again.

Owns its cluster and its process. Must not know the schema. The embedded server would start itself
again; here the gateway has to live with a server that somebody else minds.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from pathlib import Path

import asyncpg
import psutil

from benchmarks.faults.interposed import Control, Wanted
from gateway.rehearsal.processes import RehearsalError, free_port
from storage.cluster import SETTINGS
from storage.data_dir import Account
from storage.postgres_binaries import find_binaries

USER = "faults"
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
# Small enough that a short run meets checkpoints and new files of the log.
SMALL = {
    "shared_buffers": "64MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "checkpoint_timeout": "30s",
}


class Postgres:
    """One cluster in `folder`, which may be a file system of its own. `control`: for the library
    between it and libc, if there is one.
    """

    def __init__(self, folder: Path, control: Control | None) -> None:
        self.port = free_port()
        self.control = control
        self.folder = folder
        self._cluster = folder / "cluster"
        self._log = folder / "postgresql.log"
        self._account = Account.choose()
        self._binaries = find_binaries(self._account, lambda _line: None)
        self._password = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, port: int) -> str:
        """Of its database, by this port of the machine."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{port}/postgres"

    def make(self) -> None:
        """An empty cluster in the folder, which is there. Blocking. Raises RehearsalError."""
        self._account.make_folder(self._cluster)
        password_file = self.folder / "password"
        password_file.write_text(self._password)
        password_file.chmod(0o644)
        made = self._account.run(
            [
                self._binaries.program("initdb"), f"--pgdata={self._cluster}",
                f"--username={USER}", f"--pwfile={password_file}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--no-sync",
            ]
        )  # fmt: skip
        if made.returncode:
            raise RehearsalError(f"no cluster for PostgreSQL: {made.stdout[-300:]}")

    async def start(self) -> None:
        """Until it answers; again and again while a dead server's processes are still there."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                if self._process is None or self._process.poll() is not None:
                    self._process = await asyncio.to_thread(self._launch)
                try:
                    first = await asyncpg.connect(self.url(self.port), timeout=5)
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    await first.close()
                    return

    async def kill(self) -> None:
        """SIGKILL to its first process, as a machine that is short of memory does it."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def stop(self) -> None:
        """A fast stop; a kill of all its processes when that takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self._process.wait, START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            for each in self._processes():
                each.kill()
            await asyncio.to_thread(self._process.wait)

    def pause(self) -> None:
        """SIGSTOP to all its processes."""
        for each in self._processes():
            each.suspend()

    def resume(self) -> None:
        """SIGCONT."""
        for each in self._processes():
            each.resume()

    def want(self, wanted: Wanted) -> None:
        """What its disk does from now on."""
        assert self.control is not None
        self.control.want(wanted)

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _launch(self) -> subprocess.Popen[bytes]:
        values = {
            **SETTINGS,
            **SMALL,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._binaries.program("postgres"), "-D", str(self._cluster), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, user=self._account.uid, group=self._account.gid,
                extra_groups=None if self._account.uid is None else (),
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
                | ({} if self.control is None else dict(self.control.environment)),
            )  # fmt: skip
