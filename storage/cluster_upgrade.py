"""The cluster of an earlier PostgreSQL, made one of ours: `pg_upgrade` with the wheel's two trees.

Owns the steps and their order, each of which may be the last before a power cut. Must not start a
server for others, and must not delete what the old one had before it is told to.

`cluster` is the one in use, `cluster.upgraded` the new one in the making, `cluster.16` the old one
that is kept. The file `upgrade.done` says that the new one is whole.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from storage.cluster import SETTINGS, UPGRADE_DONE, USER, Cluster
from storage.data_dir import Account, EmbeddedError, Home, find_home, socket_folder, write_private
from storage.file_lock import FileLock
from storage.postgres_binaries import MAJOR_VERSION, Binaries, find_binaries

UPGRADE_SECONDS_MAX = 86_400.0
JOBS = 2
_NEW, _WORK = "cluster.upgraded", "upgrade.work"

Progress = Callable[[str], None]


class ClusterUpgrade:
    """The way of one data folder's cluster to MAJOR_VERSION. Blocking."""

    def __init__(self, data_dir: Path, on_progress: Progress) -> None:
        """Raises EmbeddedError when there is no folder for a cluster."""
        self._account = Account.choose()
        self._home = find_home(data_dir, self._account, on_progress)
        self._on_progress = on_progress

    @property
    def version(self) -> int:
        """Of the cluster in use. Raises EmbeddedError without one."""
        folder = self._home.cluster if self._home.cluster.exists() else self._new
        try:
            return int((folder / "PG_VERSION").read_text("ascii"))
        except (OSError, ValueError) as error:
            raise EmbeddedError(f"{self._home.folder} holds no PostgreSQL database") from error

    @property
    def kept(self) -> list[Path]:
        """Clusters of earlier versions that were kept."""
        return sorted(self._home.folder.glob("cluster.[0-9]*"))

    @property
    def unfinished(self) -> bool:
        """Whether the new cluster is whole and has not taken the old one's place."""
        return (self._home.folder / UPGRADE_DONE).exists()

    def upgrade(self, *, link: bool, check: bool) -> None:
        """Bring the cluster to MAJOR_VERSION, or only see whether that can be done.

        `link`: in seconds, and the old cluster can no more be used once the new one has run.
        Raises EmbeddedError; then the old cluster is as it was.
        """
        with self._alone() as lock:
            if not self.unfinished:
                self._make(lock, link=link, check=check)
                if check:
                    return
            self._take_place()

    def finish(self) -> list[Path]:
        """Delete what was kept. Returns it."""
        kept = self.kept
        for folder in kept:
            shutil.rmtree(folder)
        return kept

    @property
    def _new(self) -> Path:
        return self._home.folder / _NEW

    @contextlib.contextmanager
    def _alone(self) -> Iterator[FileLock]:
        """Nobody uses the cluster, and no process of its server is left."""
        with contextlib.ExitStack() as stack:
            locks = []
            for name in ("start.lock", "holders.lock", "running.lock"):
                lock = FileLock.try_exclusive(self._home.folder / name)
                if lock is None:
                    raise EmbeddedError("the database is in use: stop every gateway on it first")
                stack.callback(lock.release)
                locks.append(lock)
            yield locks[-1]

    def _make(self, lock: FileLock, *, link: bool, check: bool) -> None:
        old = find_binaries(self._account, self._on_progress, self.version)
        new = find_binaries(self._account, self._on_progress)
        self._bring_back()
        shutil.rmtree(self._new, ignore_errors=True)
        work = self._home.folder / _WORK
        shutil.rmtree(work, ignore_errors=True)
        self._account.make_folder(work)
        try:
            self._on_progress(f"making an empty PostgreSQL {MAJOR_VERSION} cluster")
            Cluster(self._home, new, lz4=False).initialise(
                self._new, self._home.password.read_text("ascii"), lock, self._checksums(new)
            )
            self._on_progress("checking" if check else "upgrading, which takes as long as a copy")
            self._pg_upgrade(old, new, lock, ["--check"] if check else ["--link"] if link else [])
            if not check:
                write_private(self._home.folder / UPGRADE_DONE, f"{MAJOR_VERSION}\n")
        finally:
            shutil.rmtree(work, ignore_errors=True)
            if not self.unfinished:
                shutil.rmtree(self._new, ignore_errors=True)
                self._bring_back()

    def _checksums(self, new: Binaries) -> str:
        """The option that makes the new cluster as the old one: pg_upgrade refuses others."""
        told = self._account.run(
            [new.program("pg_controldata"), str(self._home.cluster)], cwd=self._home.folder
        ).stdout
        lines = [
            each for each in told.splitlines() if each.startswith("Data page checksum version")
        ]
        return "--no-data-checksums" if lines and lines[0].endswith(" 0") else "--data-checksums"

    def _pg_upgrade(
        self, old: Binaries, new: Binaries, lock: FileLock, options: Sequence[str]
    ) -> None:
        locks = f"-c max_locks_per_transaction={SETTINGS['max_locks_per_transaction']}"
        done = self._account.run(
            [
                new.program("pg_upgrade"), *options, f"--jobs={JOBS}", f"--username={USER}",
                f"--old-bindir={old.folder}", f"--new-bindir={new.folder}",
                f"--old-datadir={self._home.cluster}", f"--new-datadir={self._new}",
                f"--socketdir={socket_folder(self._home)}",
                f"--old-options={locks}", f"--new-options={locks}",
            ],
            pass_fds=(lock.descriptor,),
            cwd=self._home.folder / _WORK,
            more={"PGPASSWORD": self._home.password.read_text("ascii")},
            seconds_max=UPGRADE_SECONDS_MAX,
        )  # fmt: skip
        if done.returncode != 0:
            said = [each.strip() for each in done.stdout.splitlines() if each.strip()]
            raise EmbeddedError(f"pg_upgrade refuses: {' '.join(said[-4:])}")

    def _bring_back(self) -> None:
        """An upgrade with links that was cut short has set the old cluster aside by this name."""
        aside = self._home.cluster / "global" / "pg_control.old"
        if aside.exists() and not aside.with_name("pg_control").exists():
            aside.rename(aside.with_name("pg_control"))

    def _take_place(self) -> None:
        home: Home = self._home
        if self._new.exists():
            if home.cluster.exists():
                home.cluster.rename(home.folder / f"cluster.{self.version}")
            self._new.rename(home.cluster)
        (home.folder / UPGRADE_DONE).unlink()
