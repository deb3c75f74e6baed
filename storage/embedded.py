"""The embedded PostgreSQL: one cluster in a data folder, shared by every smsgate process there.

Owns starting, joining, waiting for and stopping the server. Must not know the schema, and must not
touch any folder but the cluster's own.

File locks tell who is alive; process ids are never guessed from. They hold after a kill -9, and
across containers that share a volume.

- `holders.lock` is held, shared, by each process that uses the server. Who can take it alone is the
  last one.
- `running.lock` is inherited by every process of PostgreSQL. Who can take it knows that none is
  left.
- `start.lock` lets one process at a time start or stop the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import asyncpg

from storage.cluster import Cluster, ConnectionTarget, PostmasterFile
from storage.data_dir import Account, EmbeddedError, find_home, make_data_dir
from storage.file_lock import FileLock
from storage.postgres_binaries import MAJOR_VERSION, find_binaries, has_lz4

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

__all__ = ["ConnectionTarget", "EmbeddedError", "EmbeddedServer"]

POLL_SECONDS = 0.03
PROGRESS_SECONDS = 2.0


class EmbeddedServer:
    """One cluster in `data_dir`. Several processes may share it.

    `settings` go over those of `storage/cluster.py`, for the process that happens to start the
    server. `on_progress` is given one line when something takes long or an operator should know of
    it. It may be called in another thread.
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
        self._cluster: Cluster | None = None
        self._holder: FileLock | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, if its file says that one runs."""
        state = None if self._cluster is None else PostmasterFile.read(self._cluster.home.cluster)
        return None if state is None else state.pid

    async def start(self) -> ConnectionTarget:
        """Make the cluster if it is new, start or join its server, and wait until it answers.

        Waits for crash recovery as long as it takes. A repeated call makes sure that the server
        still runs. Raises EmbeddedError.
        """
        if self._cluster is None:
            self._cluster = await asyncio.to_thread(_find_cluster, self.data_dir, self._on_progress)
        cluster = self._cluster
        async with self._alone(cluster):
            joining = self._holder is None
            if self._holder is None:
                self._holder = FileLock.try_shared(cluster.home.folder / "holders.lock")
            try:
                return await self._bring_up(cluster)
            except BaseException:
                if joining:
                    self._release_holder()
                raise

    async def stop(self) -> None:
        """Let go of the server. Stop it when no other live process holds it; then returns when it
        is gone.
        """
        if self._cluster is None or self._holder is None:
            return
        cluster = self._cluster
        async with self._alone(cluster):
            self._release_holder()
            alone = FileLock.try_exclusive(cluster.home.folder / "holders.lock")
            if alone is None:
                return
            try:
                await self._shut_down(cluster)
            finally:
                alone.release()

    def _release_holder(self) -> None:
        if self._holder is not None:
            self._holder.release()
            self._holder = None

    @contextlib.asynccontextmanager
    async def _alone(self, cluster: Cluster) -> AsyncIterator[None]:
        progress = _Progress(self._on_progress)
        path = cluster.home.folder / "start.lock"
        while (lock := FileLock.try_exclusive(path)) is None:
            progress.tell("waiting for another smsgate process to start or stop PostgreSQL")
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    async def _bring_up(self, cluster: Cluster) -> ConnectionTarget:
        progress = _Progress(self._on_progress)
        launched_log_offset: int | None = None
        while True:
            lock = FileLock.try_exclusive(cluster.running_lock)
            if lock is not None and launched_log_offset is not None:
                lock.release()
                raise EmbeddedError(
                    f"PostgreSQL did not start: {cluster.complaint(launched_log_offset)}"
                )
            if lock is not None:
                # Shielded: a start that is given up must not release the lock while initdb is at
                # work.
                launching = asyncio.to_thread(self._launch, cluster, lock)
                launched_log_offset = await asyncio.shield(asyncio.ensure_future(launching))
            target = cluster.target()
            if target is not None and await _answers(target):
                return target
            progress.tell(cluster.what_it_does())
            await asyncio.sleep(POLL_SECONDS)

    def _launch(self, cluster: Cluster, lock: FileLock) -> int:
        """Start a server in the background. Returns the size of its log before. Blocking.

        The server inherits the running lock from us. Ours is released here, whatever happens.
        """
        try:
            if not cluster.home.cluster.exists():
                self._on_progress(
                    f"creating a PostgreSQL {MAJOR_VERSION} database in {cluster.home.folder}"
                )
                cluster.create_cluster(lock)
            cluster.check_version()
            cluster.make_log_folder()
            cluster.remove_remains()
            offset = cluster.trim_log()
            cluster.start_server(lock, self._settings)
            return offset
        finally:
            lock.release()

    async def _shut_down(self, cluster: Cluster) -> None:
        progress = _Progress(self._on_progress)
        asked = False
        while (lock := FileLock.try_exclusive(cluster.running_lock)) is None:
            if not asked:
                asked = (await asyncio.to_thread(cluster.ask_to_stop)).returncode == 0
            progress.tell("waiting for PostgreSQL to write its last checkpoint and stop")
            await asyncio.sleep(POLL_SECONDS)
        try:
            cluster.remove_socket_folder()
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
        return False  # starting, recovering, stopping, or dead: the lock tells which
    except asyncpg.TooManyConnectionsError:
        return True
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise EmbeddedError(
            f"PostgreSQL refuses the password in its own data folder: {error}"
        ) from error
    connection.terminate()
    return True


def _find_cluster(data_dir: Path, on_progress: Callable[[str], None]) -> Cluster:
    account = Account.choose()
    home = find_home(make_data_dir(data_dir), account, on_progress)
    binaries = find_binaries(account, on_progress)
    return Cluster(home, binaries, has_lz4(binaries, account))
