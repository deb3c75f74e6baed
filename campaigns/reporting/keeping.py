"""The sums of campaigns, kept up to date: a batch is counted anew, the less often the older it is.

Owns `campaign_stat` and `campaign_stat_batch`. Must not decide what is counted (counting.py), nor
answer anybody.

A count replaces the sums of one batch in one transaction. So it may be repeated, and a process that
dies has done nothing. A batch is closed once nothing changes it in the usual way, and before its
messages are deleted: what is stored then stays.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from campaigns.reporting import compliance
from campaigns.reporting.cells import Cells, Sums, lasting, total_of
from campaigns.reporting.counting import Batch, batches_of, count, links_of, stored
from storage import sql
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated
from storage.reading import by_sets

_SQL = sql.load("campaigns")
TURN_SECONDS = 30.0
BATCHES_PER_TURN_MAX = 20
LEAST_SECONDS = 60  # between two counts of a batch, and
AGE_SHARE = 0.05  # this share of its age
CLOSES_AFTER = timedelta(days=45)  # 30 days of retention, 7 until somebody is back, receipts
COUNT_SECONDS_MAX = 120.0


class BatchCounter:
    """Counts one batch. `zones`: the names of accounts' zones."""

    def __init__(
        self, vault: NumberVault, *, zones: Callable[[int], str], rules: compliance.Rules
    ) -> None:
        self._vault = vault
        self._zones = zones
        self._rules = rules

    async def recount(
        self,
        connection: Connection,
        campaign: int,
        account: int,
        batch: int,
        *,
        now: datetime,
        close: bool = False,
    ) -> None:
        """Count it, in the caller's transaction, which holds its row.

        What its messages, its plan or its chunks no longer tell is not counted: it is closed.
        """
        await by_sets(connection)
        [found] = [each for each in await batches_of(connection, campaign) if each.batch == batch]
        before = await stored(connection, campaign, [batch])
        counted: Cells = {}
        if await connection.fetchval(_SQL["stat_sources"], campaign):
            counted = await count(
                connection, campaign, account, [found], zone=self._zones(account),
                seconds_max=COUNT_SECONDS_MAX,
            )  # fmt: skip
        gone = not counted and bool(before)
        if not gone:
            await _replace(connection, campaign, batch, lasting(counted, before))
            await self._comply(connection, campaign, account, found, total_of(counted))
        linked = found.linked or bool(await links_of(connection, [found]))
        await connection.execute(_SQL["stat_counted"], campaign, batch, now, close or gone, linked)

    async def last_counts(
        self, connection: Connection, since: datetime, until: datetime, now: datetime
    ) -> None:
        """Count and close the batches with messages in [since, until), which are deleted next."""
        rows = await connection.fetch(_SQL["stat_of_days"], id_at(since), id_at(until))
        for row in rows:
            async with connection.transaction():
                if await connection.fetchval(_SQL["stat_hold"], row["campaign"], row["batch"]):
                    await self.recount(
                        connection, row["campaign"], row["account"], row["batch"],
                        now=now, close=True,
                    )  # fmt: skip

    async def _comply(
        self, connection: Connection, campaign: int, account: int, batch: Batch, sums: Sums
    ) -> None:
        """Look at all that it sent, once that is known; then at opt-outs alone.

        While the number key changes nobody looks: what a person said may stand under another index.
        """
        if self._vault.moving:
            return
        kept = compliance.stored_of(batch.compliance)
        if kept is not None and kept.messages >= sums.counts["sent"]:
            found = await compliance.refreshed(connection, account, batch, kept)
        elif sums.counts["pending"]:
            return
        else:
            found = await compliance.look(
                connection, self._vault, self._rules, account, [batch],
                seconds_max=COUNT_SECONDS_MAX,
            )  # fmt: skip
        told = msgspec.to_builtins(found, str_keys=True)
        await connection.execute(_SQL["compliance_keep"], campaign, batch.batch, told)


class SumsKeeper:
    """One process's turns at it. `counted` batches since start."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        counter: BatchCounter,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._counter = counter
        self._wall_ms = wall_ms
        self.counted = 0
        self._task = PeriodicTask("campaign sums", self.turn, lambda: TURN_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End; any process goes on."""
        await self._task.stop()

    async def turn(self) -> None:
        """Count what is due, a bounded number of batches."""
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        for _ in range(BATCHES_PER_TURN_MAX):
            async with self._dedicated.transaction() as connection:
                row = await connection.fetchrow(
                    _SQL["stat_due"], now, LEAST_SECONDS, AGE_SHARE, id_at(now)
                )
                if row is None:
                    return
                await self._counter.recount(
                    connection, row["campaign"], row["account"], row["batch"], now=now,
                    close=row["batch"] < id_at(now - CLOSES_AFTER),
                )  # fmt: skip
            self.counted += 1


async def _replace(connection: Connection, campaign: int, batch: int, cells: Cells) -> None:
    await connection.execute(_SQL["stat_forget"], campaign, batch)
    rows = [
        {
            **key._asdict(),
            "counts": {name: count for name, count in sums.counts.items() if count},
            "clicks": {str(hour): clicks for hour, clicks in sums.clicks.items()},
        }
        for key, sums in cells.items()
    ]
    await connection.execute(_SQL["stat_add"], campaign, rows)
