"""What tests of hypothesis need, which cannot await: a loop, and a connection of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from storage.pool import Connection, close_connection, connect


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def database(runner: asyncio.Runner, database_url: str) -> Iterator[Connection]:
    connection = runner.run(connect(database_url, application_name="test"))
    yield connection
    runner.run(close_connection(connection))
