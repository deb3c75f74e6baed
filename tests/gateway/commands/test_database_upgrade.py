"""An embedded cluster of PostgreSQL 16 becomes one of 18, with everything that is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from storage.cluster import UPGRADE_DONE, Cluster
from storage.data_dir import Account, EmbeddedError, find_home, make_data_dir
from storage.embedded import EmbeddedServer
from storage.file_lock import FileLock
from storage.key_rotation import open_vault
from storage.keys import FILE_NAME, load_keys
from storage.pool import Connection, close_connection, connect
from storage.postgres_binaries import brings, find_binaries
from tests.gateway.commands.test_database import Place, old

__all__ = ["old"]

OLD = 16
SETTINGS = {"shared_buffers": "32MB", "fsync": "off"}

pytestmark = pytest.mark.skipif(not brings(OLD), reason="this wheel brings one release alone")


@pytest.fixture
def data_dir(private_folder: Path, request: pytest.FixtureRequest) -> Path:
    return make_data_dir(private_folder / f"upgrade-{request.node.name[:40]}")


@pytest.fixture
def upgrade(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    file = data_dir / "smsgate.toml"
    file.write_text(f"[database]\ndata_dir = {json.dumps(str(data_dir))}\n", encoding="utf-8")

    def call(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        typed = ["database", "upgrade", *arguments, "--json", "--config", str(file)]
        assert main(typed) == code
        captured = capsys.readouterr()
        return json.loads(captured.out) if code == 0 else captured.err

    return call


def old_cluster(data_dir: Path) -> Cluster:
    """As the release before would have made it."""
    account = Account.choose()
    home = find_home(data_dir, account, print)
    cluster = Cluster(home, find_binaries(account, print, OLD), lz4=False)
    with_lock(cluster, lambda lock: cluster.create_cluster(lock))
    cluster.make_log_folder()
    return cluster


def with_lock(cluster: Cluster, do: Callable[[FileLock], None]) -> None:
    lock = FileLock.try_exclusive(cluster.running_lock)
    assert lock is not None
    try:
        do(lock)
    finally:
        lock.release()


async def started(cluster: Cluster) -> Connection:
    with_lock(cluster, lambda lock: cluster.start_server(lock, SETTINGS))
    while (target := cluster.target()) is None:
        await asyncio.sleep(0.02)
    return await connect(target.url, application_name="test")


async def stopped(cluster: Cluster, connection: Connection) -> None:
    await close_connection(connection)
    cluster.ask_to_stop()
    while (lock := FileLock.try_exclusive(cluster.running_lock)) is None:
        await asyncio.sleep(0.02)
    lock.release()


async def filled(cluster: Cluster, old: Place, folder: Path) -> None:
    """From a backup of a later server, with what that sets and this one does not know."""
    connection = await started(cluster)
    assert connection.get_server_version().major == OLD
    target = cluster.target()
    assert target is not None
    place = Place(old.capture, folder / "new", target.url)
    backup = await old("backup", "--to", str(folder / "backups"))
    await place("restore", backup["folder"], "--key", str(old.folder / FILE_NAME))
    await stopped(cluster, connection)


async def accounts(data_dir: Path) -> tuple[int, list[str]]:
    server = EmbeddedServer(data_dir, settings=SETTINGS)
    connection = await connect((await server.start()).url, application_name="test")
    try:
        rows = await connection.fetch("SELECT name FROM account ORDER BY id")
        return connection.get_server_version().major, [row["name"] for row in rows]
    finally:
        await close_connection(connection)
        await server.stop()


@pytest.mark.timeout(300)  # five servers, one after the other
async def test_a_backup_goes_to_an_older_server_which_is_upgraded(
    data_dir: Path,
    upgrade: Callable[..., Any],
    old: Place,
    connection: Connection,
    tmp_path: Path,
) -> None:
    """Checked first, then copied, and the old cluster is kept until it may go."""
    await open_vault(connection, load_keys(old.folder, {}), None)
    await connection.execute("INSERT INTO account (name) VALUES ('shop'), ('site')")
    cluster = await asyncio.to_thread(old_cluster, data_dir)
    await filled(cluster, old, tmp_path)
    with pytest.raises(EmbeddedError, match="smsgate database upgrade"):
        await EmbeddedServer(data_dir).start()
    with_lock(cluster, lambda _: assert_refused(upgrade))

    assert "nothing is changed" in (await asyncio.to_thread(upgrade, "--check"))["told"]
    assert (cluster.home.cluster / "PG_VERSION").read_text().strip() == "16"
    told = await asyncio.to_thread(upgrade)
    assert (told["from"], told["to"]) == (16, 18)
    assert await accounts(data_dir) == (18, ["shop", "site"])
    assert "already" in upgrade()["told"]
    [kept] = told["kept"]
    assert (Path(kept) / "PG_VERSION").read_text().strip() == "16"
    assert upgrade("--finish")["removed"] == [kept]
    assert upgrade("--finish")["removed"] == []


@pytest.mark.timeout(300)
def test_an_upgrade_that_was_cut_short_goes_on_and_no_empty_database_is_made(
    data_dir: Path, upgrade: Callable[..., Any]
) -> None:
    """With links, which leave nothing of the old cluster to go back to."""
    home = old_cluster(data_dir).home
    assert upgrade("--link")["to"] == 18
    # As after a power cut between the two renames.
    home.cluster.rename(home.folder / "cluster.upgraded")
    (home.folder / UPGRADE_DONE).write_text("18\n")
    with pytest.raises(EmbeddedError, match="cut short"):
        asyncio.run(EmbeddedServer(data_dir).start())
    assert upgrade()["to"] == 18
    assert (home.cluster / "PG_VERSION").read_text().strip() == "18"


def assert_refused(upgrade: Callable[..., Any]) -> None:
    assert "in use" in upgrade(code=1)
