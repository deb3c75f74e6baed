"""A PostgreSQL of the operator's own, over TCP with a password: the wheel's 18, and Debian's where
it is installed. What smsgate needs of a server, and the whole road.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from storage.faults import Fenced
from storage.ids import id_at
from storage.migrate import migrate
from storage.partitions import PARTITIONED, drop_partitions, ensure_partitions
from storage.pool import Connection, Database, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm, dead_terms, fence
from tests.conftest import LoopThread
from tests.external_servers import DEBIAN, NOT_INSTALLED, debian_server, wheel_server
from tests.integration.running import gateway, message, simulator, write_config

WHEEL = Path("wheel/18/bin")


@pytest.fixture(scope="module", params=[WHEEL, *DEBIAN], ids=lambda path: "-".join(path.parts[-3:]))
def server_url(request: pytest.FixtureRequest, private_folder: Path) -> Iterator[str]:
    if request.param == NOT_INSTALLED:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql: install Debian's postgresql package")
    if request.param == WHEEL:
        loop = LoopThread()
        server = wheel_server(private_folder / "external")
        yield loop.run(server.__aenter__())
        loop.run(server.__aexit__(None, None, None))
        loop.close()
    else:
        with debian_server(request.param) as url:
            yield url


@pytest.fixture
async def url(server_url: str) -> str:
    """A database of the test's own."""
    name = f"own_{secrets.token_hex(4)}"
    connection = await connect(server_url, application_name="tests")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    await close_connection(connection)
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


async def test_a_server_does_what_the_storage_needs(url: str) -> None:
    """From the schema to the fence."""
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
        assert notices_silence(await writer.connection())  # O7
        async with database.read.acquire() as reader:
            assert notices_silence(reader._con)  # type: ignore[attr-defined]
        assert await dead_terms(connection, host) == [term.term]
        await fence(connection, term.term)
        with pytest.raises(Fenced):
            await database.open_connection("accept")

        for table in PARTITIONED:
            assert len(await drop_partitions(connection, table, day)) == 1
        assert connection.get_server_version().major >= 15
    finally:
        await database.close()


def notices_silence(connection: Connection) -> bool:
    """Whether the kernel ends it when the other host is silent."""
    end = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    return bool(
        end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        and end.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 6_000
    )


async def test_the_whole_road_in_two_lives_the_first_one_killed(url: str, folder: Path) -> None:
    async with simulator(folder) as sim:
        config = write_config(folder, url, sim.port)
        async with gateway(config) as running:
            await running.send([message(n) for n in range(100)])
            await running.until(sent=1)
            running.kill()
            await running.exit()
        async with gateway(config) as running:
            await running.send([message(n) for n in range(100, 200)])
            counts = await running.until(delivered=200)
    assert counts["accepted"] == counts["delivered"] == 200
    assert len({line.destination for line in sim.accepted()}) == 200
