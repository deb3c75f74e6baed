"""When what waits is expected to be submitted.

Owns the estimate: what waits for the same connectors goes first, each at the pace of this process.
Must not change anything. It knows nothing of what is still to come, nor of other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from messages.batch_states import BatchState
from messages.control.batches import BatchView
from ratelimit.spec import parse_rate
from storage import sql
from storage.pool import Connection
from storage.reading import ReportTooSlow, reading

_SQL = sql.load("messages")
FINISH_MAX = timedelta(days=400)  # beyond that nobody knows

Paces = Callable[[], Mapping[int, float | None]]
"""Parts a second by connector; None: nothing limits it."""


class Ahead(msgspec.Struct, frozen=True):
    """Parts for one connector: our own, and the others' that may go now. `last`: the latest moment
    that any of our own waits for.
    """

    own: int
    others: int
    last: datetime | None = None


def finish_at(
    now: datetime,
    ahead: Mapping[int, Ahead],
    paces: Mapping[int, float | None],
    rate: float | None = None,
) -> datetime | None:
    """When the last of our own parts goes. `rate`: parts a second that they may have together.

    None: nothing waits, a connector or the rate is stopped, or it is too far away.
    """
    if not ahead:
        return None
    seconds = [0.0]
    for connector, parts in ahead.items():
        pace = paces.get(connector, 0.0)
        if pace == 0:
            return None
        if pace is not None:
            seconds.append((parts.own + parts.others) / pace)
    if rate == 0:
        return None
    if rate is not None:
        seconds.append(sum(parts.own for parts in ahead.values()) / rate)
    if max(seconds) > FINISH_MAX.total_seconds():
        return None
    lasts = [each.last for each in ahead.values() if each.last is not None]
    return max([now + timedelta(seconds=max(seconds)), *lasts])


async def batch_finish(
    connection: Connection, batch: BatchView, paces: Mapping[int, float | None], now: datetime
) -> datetime | None:
    """Of a batch; None also while it is not active."""
    if batch.state != BatchState.ACTIVE.label:
        return None
    records = await connection.fetch(_SQL["batch_ahead"], batch.id, batch.until_id)
    ahead = {
        record["connector"]: Ahead(record["own"], record["others"], record["last"])
        for record in records
    }
    rate = None if batch.rate is None else parse_rate(batch.rate).per_second
    return finish_at(now, ahead, paces, rate)


class Finish:
    """Implements FinishReader."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        numbers: Mapping[str, int],
        paces: Paces,
        wall_ms: Callable[[], int],
    ) -> None:
        """`numbers`: of connectors, by their name."""
        self._pool = pool
        self._numbers = numbers
        self._paces = paces
        self._wall_ms = wall_ms

    async def of_parts(self, parts: Mapping[str, int]) -> datetime | None:
        """If so many parts were accepted now, by connector. Raises StorageDown, ReportTooSlow."""
        own = {self._numbers[name]: count for name, count in parts.items() if name in self._numbers}
        if not own:
            return None
        try:
            async with reading(self._pool) as connection:
                records = await connection.fetch(_SQL["parts_ahead"], list(own))
        except asyncpg.QueryCanceledError as error:
            raise ReportTooSlow(str(error)) from error
        others = {record["connector"]: record["parts"] for record in records}
        ahead = {each: Ahead(count, others.get(each, 0)) for each, count in own.items()}
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        return finish_at(now, ahead, self._paces())
