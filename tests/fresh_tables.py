"""Tables of which the planner knows nothing, as each day's partitions are at first."""

from __future__ import annotations

from storage.pool import Connection


async def without_statistics(connection: Connection, *tables: str) -> None:
    """No worker looks at these tables, nor at their partitions, while a test fills them."""
    for table in tables:
        leaves = await connection.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
            " WHERE inhparent = $1::regclass", table,
        )  # fmt: skip
        for name in [leaf["name"] for leaf in leaves] or [table]:
            await connection.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")
