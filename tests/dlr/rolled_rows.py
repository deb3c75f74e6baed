"""Rollup rows for the tests of reports, written as the merger writes them."""

from __future__ import annotations

from dlr.rollups.columns import COUNTS, QUARTERS_PER_DAY
from storage.pool import Connection

KEY_COLUMNS = (
    "account", "category", "connector", "sender", "country", "operator", "campaign", "variant",
)  # fmt: skip
NAME_KINDS = {"sender": 0, "campaign": 1, "variant": 2}


class Rolled:
    """Writes cells and days together, reasons, tags, latencies, and the cursor."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def name(self, kind: int, text: str | None) -> int:
        """The number of a text; 0 of none."""
        if text is None:
            return 0
        number: int = await self.connection.fetchval(
            "INSERT INTO rollup_name (kind, name) VALUES ($1, $2)"
            " ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id",
            kind,
            text,
        )
        return number

    async def key(self, **parts: int | str | None) -> int:
        """The key with these parts; account 1, category 1, connector 7 and nothing else if not
        named.
        """
        values = {name: parts.get(name, 0) for name in KEY_COLUMNS}
        values |= {name: parts.get(name, each) for name, each in
                   (("account", 1), ("category", 1), ("connector", 7))}  # fmt: skip
        for name, kind in NAME_KINDS.items():
            if not isinstance(values[name], int):
                values[name] = await self.name(kind, values[name])  # type: ignore[arg-type]
        number: int = await self.connection.fetchval(
            f"INSERT INTO rollup_key ({', '.join(KEY_COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7,"
            f" $8) ON CONFLICT ({', '.join(KEY_COLUMNS)}) DO UPDATE SET account = excluded.account"
            " RETURNING id",
            *values.values(),
        )
        return number

    async def cell(self, quarter: int, key: int, **counts: int) -> None:
        """Add messages to a cell and to its day."""
        values = [counts.get(name, 0) for name in COUNTS]
        marks = ", ".join(f"${number}" for number in range(3, len(COUNTS) + 3))
        sums = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in COUNTS)
        for table, column, place in (
            ("rollup_cell", "quarter", quarter), ("rollup_day", "day", quarter // QUARTERS_PER_DAY),
        ):  # fmt: skip
            await self.connection.execute(
                f"INSERT INTO {table} AS t ({column}, key, {', '.join(COUNTS)})"
                f" VALUES ($1, $2, {marks}) ON CONFLICT ({column}, key) DO UPDATE SET {sums}",
                place, key, *values,
            )  # fmt: skip

    async def reason(
        self, quarter: int, key: int, status: int, reason: int, messages: int, code: str | None
    ) -> None:
        """Messages that ended so, all of them on the wire."""
        await self.connection.execute(
            "INSERT INTO rollup_reason (quarter, key, status, reason, code, messages, sent)"
            " VALUES ($1, $2, $3, $4, $5, $6, $6)",
            quarter, key, status, reason, await self.name(4, code), messages,
        )  # fmt: skip

    async def tag(self, quarter: int, tag: str, **counts: int) -> None:
        """Messages of account 1 and category 1 with a tag."""
        values = [counts.get(name, 0) for name in COUNTS]
        marks = ", ".join(f"${number}" for number in range(3, len(COUNTS) + 3))
        await self.connection.execute(
            f"INSERT INTO rollup_tag (quarter, account, category, tag, {', '.join(COUNTS)})"
            f" VALUES ($1, 1, 1, $2, {marks})",
            quarter, await self.name(3, tag), *values,
        )  # fmt: skip

    async def latency(
        self, quarter: int, kind: int, histogram: dict[int, int], category: int = 1
    ) -> None:
        """A histogram of account 1 and connector 7; one of a day and kind."""
        day = quarter // QUARTERS_PER_DAY
        for table, place in (("rollup_latency", quarter), ("rollup_latency_day", day)):
            await self.connection.execute(
                f"INSERT INTO {table} VALUES ($1, 1, $2, 7, $3, $4, $5)",
                place, category, kind, list(histogram), list(histogram.values()),
            )  # fmt: skip

    async def reach(self, cursor: int) -> None:
        """Every message below the cursor is counted."""
        await self.connection.execute(
            "INSERT INTO rollup_state (cursor) VALUES ($1)"
            " ON CONFLICT (singleton) DO UPDATE SET cursor = excluded.cursor",
            cursor,
        )

    async def final(self, day: int) -> None:
        """Nothing of this day can change any more."""
        await self.connection.execute(
            "INSERT INTO rollup_day_state (day, closed, final) VALUES ($1, true, true)", day
        )
