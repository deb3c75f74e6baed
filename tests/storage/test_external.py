"""A PostgreSQL of the operator's, over TCP with a password: the wheel's 18, and Debian's where it
is installed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from storage.faults import Fenced
from storage.ids import id_at
from storage.leases import HostIdentity, OwnerTerm, dead_terms, fence
from storage.migrate import migrate
from storage.partitions import PARTITIONED, drop_partitions, ensure_partitions
from storage.pool import Database
from tests.external_servers import DEBIAN, NOT_INSTALLED, debian_server, wheel_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
async def wheel_url(private_folder: Path) -> AsyncIterator[str]:
    async with wheel_server(private_folder / "external") as url:
        yield url


@pytest.fixture(params=DEBIAN, ids=lambda path: path.parent.name)
def debian_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == NOT_INSTALLED:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql: install Debian's postgresql package")
    with debian_server(request.param) as url:
        yield url


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
