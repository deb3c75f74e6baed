"""Who is in the segments that have caps, read again every minute or so.

Owns the writes of `group_cap_member`, and of `group_cap` what was found. Must not decide what a
segment means (campaigns/segments does).

A segment may take seconds over a million contacts, and a message must not wait for that. So its
contacts are kept. One reading is one transaction: cut short it has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from campaigns.segments.compiling import compiled
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.names import Moment
from campaigns.segments.reading import names_of
from storage import sql
from storage.faults import is_unavailable
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
_log = structlog.get_logger(__name__)
EVERY_SECONDS = 60.0
REST_PER_SECOND = 20.0  # after a reading of so many seconds: it has a twentieth of the time at most
READING_SECONDS_MAX = 30.0
TOO_SLOW = "too_slow"
REFUSED = "segment_invalid"


class CapMembers:
    """One process's readings. Counts since start: `readings`, and those that `failed`."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        zone_of: Callable[[int], str],
        wall_ms: Callable[[], int],
        monotonic: Callable[[], float],
        ended: Ended,
    ) -> None:
        """`zone_of`: the IANA name of an account's time zone."""
        self._dedicated = dedicated
        self._zone_of = zone_of
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._took = 0.0
        self.readings = self.failed = 0
        self._task = PeriodicTask("cap members", self.turn, self._pause, ended=ended)

    def start(self) -> None:
        """Read from now on."""
        self._task.start()

    async def stop(self) -> None:
        """Stop, in the middle of a reading if there is one."""
        await self._task.stop()

    def wake(self) -> None:
        """A cap may be new."""
        self._task.wake()

    async def turn(self) -> None:
        """Read what was not read for EVERY_SECONDS, one after the other."""
        began = self._monotonic()
        now = self._now()
        async with self._dedicated.guarded() as connection:
            due = await connection.fetch(
                _SQL["group_caps_due"], now - timedelta(seconds=EVERY_SECONDS)
            )
        for row in due:
            fault = await self._reading(row)
            self.readings += 1
            if fault is not None:
                self.failed += 1
                _log.warning("cap_members_unread", cap=row["id"], fault=fault)
                async with self._dedicated.guarded() as connection:
                    await connection.execute(_SQL["group_cap_unread"], row["id"], fault)
        self._took = self._monotonic() - began

    def _pause(self) -> float:
        return max(EVERY_SECONDS, self._took * REST_PER_SECOND)

    async def _reading(self, row: asyncpg.Record) -> str | None:
        """Why it could not be read; None: it was, or another process is at it."""
        try:
            async with self._dedicated.transaction() as connection:
                if await connection.fetchval(_SQL["group_cap_readers"]):
                    await self._read(connection, row)
        except SegmentRefused:
            return REFUSED
        except asyncpg.QueryCanceledError:
            return TOO_SLOW
        except asyncpg.PostgresError as error:
            if is_unavailable(error):
                raise
            return type(error).__name__
        return None

    async def _read(self, connection: Connection, row: asyncpg.Record) -> None:
        now, account = self._now(), row["account"]
        await connection.fetch(_SQL["segment_limit"], str(int(READING_SECONDS_MAX * 1000)))
        await connection.execute(_SQL["capped_audience_table"])
        if row["source"] is None:
            await connection.execute(_SQL["capped_audience_static"], row["segment"])
        else:
            names = await names_of(connection, account, row["source"])
            found = compiled(row["source"], names, Moment.at(now, self._zone_of(account)))
            audience = _SQL["capped_audience"].format(segment=found.sql)
            await connection.execute(audience, *found.parameters)
        await connection.execute("ANALYZE capped_audience")
        await connection.execute(_SQL["group_cap_members_gone"], row["id"])
        await connection.execute(_SQL["group_cap_members_new"], row["id"])
        await connection.execute(_SQL["group_cap_read"], row["id"], now)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
