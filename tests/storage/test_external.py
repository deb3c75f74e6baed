"""A PostgreSQL of the operator's, over TCP with a password: the wheel's 18, and Debian's where it
is installed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.data_dir import Account
from storage.embedded import EmbeddedServer
from storage.ids import id_at
from storage.leases import HostIdentity, OwnerTerm, dead_terms, fence
from storage.migrate import migrate
from storage.partitions import PARTITIONED, drop_partitions, ensure_partitions
from storage.pool import Database, Fenced
from tests.storage.test_embedded import SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

NOT_INSTALLED = Path("/usr/lib/postgresql/none/bin")
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [NOT_INSTALLED]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def wheel_url(private_folder: Path) -> AsyncIterator[str]:
    port = free_port()
    settings = {**SETTINGS, "listen_addresses": "127.0.0.1", "port": str(port)}
    server = EmbeddedServer(private_folder / "external" / "data", settings=settings)
    target = await server.start()
    yield f"postgresql://{target.user}:{target.password}@127.0.0.1:{port}/postgres"
    await server.stop()


@pytest.fixture(params=DEBIAN, ids=lambda path: path.parent.name)
def debian_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A cluster made with Debian's own programs."""
    programs: Path = request.param
    if programs == NOT_INSTALLED:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql: install Debian's postgresql package")
    account, port, password = Account.choose(), free_port(), secrets.token_hex(8)
    folder = Path(tempfile.mkdtemp(prefix="smsgate-debian-"))
    folder.chmod(0o711)
    password_file = folder / "password"
    password_file.write_text(password)
    cluster = folder / "cluster"
    account.make_folder(cluster)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), f"--pgdata={cluster}", *arguments]
        finished = account.run(command, cwd=folder)
        assert finished.returncode == 0, finished.stdout

    initdb = ("--username=operator", f"--pwfile={password_file}", "--auth=scram-sha-256")
    run("initdb", *initdb, "--no-sync", "--encoding=UTF8", "--locale=C")
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c unix_socket_directories="
    )
    run("pg_ctl", "start", "--wait", f"--log={cluster}/log.txt", f"--options={options}")
    try:
        yield f"postgresql://operator:{password}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(folder)


async def whole_life(url: str) -> int:
    """What smsgate needs of a server, from the schema to the fence; returns its version."""
    database = await Database.open(url, Path("/nowhere"), application_name="smsgate")
    try:
        connection = await database.dedicated("maintenance").connection()
        assert await migrate(connection)
        day = datetime.now(UTC).date()
        await ensure_partitions(connection, day)
        identifier = id_at(datetime.now(UTC))
        event = (identifier, identifier, "probe", {"why": "external"})
        await connection.copy_records_to_table("event", records=[event])
        assert await database.read.fetchval("SELECT detail ->> 'why' FROM event") == "external"

        host = HostIdentity("another machine", os.getpid(), "1")
        term = await OwnerTerm.acquire(connection, host)
        database.use_term(term.term)
        writer = database.dedicated("accept")
        assert await (await writer.connection()).fetchval("SELECT 1") == 1
        assert await dead_terms(connection, host) == [term.term]
        await fence(connection, term.term)
        with pytest.raises(Fenced):
            await database.open_connection("accept")

        for table in PARTITIONED:
            assert len(await drop_partitions(connection, table, day)) == 1
        version: int = connection.get_server_version().major
        return version
    finally:
        await database.close()


async def test_over_tcp_with_a_password(wheel_url: str) -> None:
    assert await whole_life(wheel_url) == 18


async def test_debians_postgresql(debian_url: str) -> None:
    assert await whole_life(debian_url) >= 15
