"""Keys in the database: made once, found by their hash, gone when revoked."""

from __future__ import annotations

import socket

import asyncpg
import pytest

from storage.faults import StorageDown
from storage.pool import Connection
from web.edge.key_store import DatabaseKeys
from web.edge.keys import KeyRefused, create_key, hash_of


async def test_a_created_key_is_found_with_its_account_and_scopes(
    connection: Connection, database_url: str
) -> None:
    key = await create_key(connection, "shop", "site", ["messages:send", "messages:send"])
    account = await connection.fetchval("SELECT id FROM account WHERE name = 'shop'")
    key_hash = hash_of(key)
    assert key_hash is not None
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        keys = DatabaseKeys(pool, lambda: 0)
        found = await keys.find(key_hash)
        assert found is not None
        assert (found.account, found.scopes) == (account, frozenset({"messages:send"}))
        assert await keys.find(b"x" * 32) is None
        await connection.execute("UPDATE api_key SET revoked_at = now()")
        found = await keys.find(key_hash)
        assert found is not None
        assert found.ended == "revoked"


async def test_the_key_itself_is_stored_nowhere(connection: Connection) -> None:
    key = await create_key(connection, "default", "site", ["admin"])
    row = await connection.fetchrow("SELECT * FROM api_key")
    assert row is not None
    assert key not in str(dict(row))
    assert row["key_hash"] == hash_of(key)


async def test_a_name_is_used_once_in_an_account(connection: Connection) -> None:
    await create_key(connection, "default", "site", ["admin"])
    await create_key(connection, "shop", "site", ["admin"])
    with pytest.raises(KeyRefused, match="'site' already"):
        await create_key(connection, "default", "site", ["admin"])
    assert await connection.fetchval("SELECT count(*) FROM api_key") == 2


@pytest.mark.parametrize(
    ("name", "scopes", "message"),
    [
        ("site", ["message:send"], "unknown scope message:send"),
        ("site", [], "no scope"),
        ("", ["admin"], "1 to 100"),
        ("a\nb", ["admin"], "printable"),
    ],
)
async def test_what_cannot_be_a_key_is_refused_in_one_line(
    connection: Connection, name: str, scopes: list[str], message: str
) -> None:
    with pytest.raises(KeyRefused, match=message):
        await create_key(connection, "default", name, scopes)


async def test_a_missing_database_is_storage_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"postgresql://nobody@127.0.0.1:{port}/nothing"
    async with asyncpg.create_pool(url, min_size=0, max_size=1) as pool:
        with pytest.raises(StorageDown):
            await DatabaseKeys(pool, lambda: 0).find(b"x" * 32)
