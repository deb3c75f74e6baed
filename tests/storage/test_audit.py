"""Writers of the audit: whatever they do side by side, one chain without a gap comes out."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from storage import audit
from storage.audit import ADOPT, AuditEntry
from storage.audit_check import verify
from storage.audit_detail import DetailRefused
from storage.ids import IdSource
from storage.pool import Connection, close_connection, connect
from tests.storage.audited import START_MS, SUBJECT, chain, entries

WRITERS = 20
BATCHES = 5


async def test_g31_twenty_writers_make_one_chain_without_a_fork(
    connection: Connection, database_url: str
) -> None:
    async def write(node: int) -> None:
        own = await connect(database_url, application_name=f"writer {node}")
        ids = IdSource(node, lambda: START_MS)
        try:
            for batch in range(BATCHES):
                async with own.transaction():
                    await audit.append(own, entries(1 + (node + batch) % 3, ids))
        finally:
            await close_connection(own)

    await asyncio.gather(*(write(node) for node in range(WRITERS)))
    verdict = await verify(connection)
    rows = sum(1 + (node + batch) % 3 for node in range(WRITERS) for batch in range(BATCHES))
    assert (verdict.whole, verdict.rows, verdict.last) == (True, rows, rows)
    assert await connection.fetchval("SELECT count(*) FROM audit_batch") == 0


async def test_the_head_is_locked_at_the_commit_and_not_before(
    connection: Connection, database_url: str
) -> None:
    """So whoever goes on to lock rows after its append cannot wait for another in a circle."""
    other = await connect(database_url, application_name="other")
    ids = IdSource(1, lambda: START_MS)
    await connection.execute("CREATE TABLE thing AS SELECT 1 AS id")
    async with connection.transaction():
        await connection.execute("SELECT FROM thing FOR UPDATE")
        async with other.transaction():
            await audit.append(other, entries(1, ids))
            await audit.append(connection, entries(1, ids))
        await connection.execute("UPDATE thing SET id = 2")
    assert (await verify(connection)).rows == 2
    await close_connection(other)


async def test_what_is_rolled_back_leaves_no_place_free(connection: Connection) -> None:
    ids = IdSource(1, lambda: START_MS)
    await audit.append(connection, entries(1, ids))
    with pytest.raises(ZeroDivisionError):
        async with connection.transaction():
            await audit.append(connection, entries(3, ids))
            raise ZeroDivisionError
    async with connection.transaction():
        with pytest.raises(asyncpg.UndefinedTableError):
            async with connection.transaction():
                await audit.append(connection, entries(1, ids))
                await connection.execute("SELECT FROM nothing_of_this_name")
        await audit.append(connection, entries(1, ids))
    verdict = await verify(connection)
    assert (verdict.whole, verdict.rows) == (True, 2)


async def test_a_batch_repeated_after_a_commit_in_doubt_stands_once(connection: Connection) -> None:
    made = await chain(connection, 3)
    hashes = await connection.fetch("SELECT hash FROM audit ORDER BY seq")
    more = entries(1, IdSource(2, lambda: START_MS))
    await audit.append(connection, [*made, *more])
    rows = await connection.fetch("SELECT id, hash FROM audit ORDER BY seq")
    assert [row["id"] for row in rows] == [*(entry.id for entry in made), more[0].id]
    assert [row["hash"] for row in rows[:3]] == [row["hash"] for row in hashes]
    assert (await verify(connection)).whole


async def test_g32_ids_of_one_millisecond_and_of_a_clock_set_back_make_one_chain(
    connection: Connection,
) -> None:
    now = START_MS + 1
    for node, step in ((1, 0), (2, -1), (3, -3_600_000)):
        ids = IdSource(node, lambda at=now + step: at)  # type: ignore[misc]
        await audit.append(connection, entries(2, ids))
    verdict = await verify(connection)
    assert (verdict.whole, verdict.rows) == (True, 6)


async def test_g35_a_detail_with_a_number_is_refused_and_nothing_is_stored(
    connection: Connection,
) -> None:
    entry = AuditEntry(1, 1, "key 7", "numbers.reveal", SUBJECT, {"message": "+8613812345678"})
    with pytest.raises(DetailRefused):
        await audit.append(connection, [*entries(1, IdSource(1, lambda: START_MS)), entry])
    assert await connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_salts_differ_and_stand_only_where_something_is_committed_to(
    connection: Connection,
) -> None:
    ids = IdSource(1, lambda: START_MS)
    await audit.append(connection, [*entries(2, ids), *entries(1, ids, subject=None)])
    salts = [row["salt"] for row in await connection.fetch("SELECT salt FROM audit ORDER BY seq")]
    assert len(salts[0]) == len(salts[1]) == 16
    assert salts[0] != salts[1]
    assert salts[2] is None


async def test_rows_of_the_release_before_are_put_into_the_chain(connection: Connection) -> None:
    await chain(connection, 2)
    for identifier, detail in ((90, {"list": "raw_deliveries carrier-a"}), (80, None)):
        await connection.execute(
            "INSERT INTO audit (id, account, actor, action, subject, detail)"
            " VALUES ($1, 1, 'key 7', 'numbers.reveal', $2, $3)",
            identifier, SUBJECT, detail,
        )  # fmt: skip
    before = await verify(connection)
    assert (before.whole, before.rows, before.unlinked) == (True, 2, 2)
    ids = IdSource(1, lambda: START_MS + 5)
    assert await audit.adopt(connection, ids) == 2
    assert await audit.adopt(connection, ids) == 0
    rows = await connection.fetch("SELECT id, action, detail FROM audit ORDER BY seq")
    assert [row["id"] for row in rows[2:4]] == [80, 90]
    assert (rows[4]["action"], rows[4]["detail"]) == (ADOPT, {"rows": 2})
    after = await verify(connection)
    assert (after.whole, after.rows, after.unlinked) == (True, 5, 0)
