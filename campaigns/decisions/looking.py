"""The look at experiments under way: counted, written down, and decided by if it can be.

Owns these looks, which have a task of their own: what counts for a while holds up no guard. Must
not say when one is due (looks.py), nor what is decided (campaigns/experiments).

It counts before it locks, so that a pause never waits for a count. Then, under the lock, it asks
whether another process has looked meanwhile. The look and what it decides are one commit: a process
that dies leaves both or none, and the next look begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import structlog

from campaigns.decisions import deciding, looks
from campaigns.decisions.counting import ArmCounts, counted, planned_in_test
from campaigns.decisions.decided import Decided
from campaigns.decisions.looks import StoredLook
from campaigns.decisions.sizes import rules_of
from campaigns.decisions.verdicts import verdict_of
from campaigns.running import store
from campaigns.running.experiment_spec import Experiment
from campaigns.running.spec import Spec
from campaigns.running.states import CampaignState
from storage import sql
from storage.audit import JOB
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
_log = structlog.get_logger(__name__)
LOOK_SECONDS = 10.0


class ExperimentWatch:
    """One process's looks. Counts since start: `looks`, `decided`."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        ids: IdSource,
        wall_ms: Callable[[], int],
        changed: Callable[[], None],
        ended: Ended,
    ) -> None:
        """`changed` is told when one is decided, once it is committed."""
        self._dedicated = dedicated
        self._ids = ids
        self._wall_ms = wall_ms
        self._changed = changed
        self.looks = self.decided = 0
        self._task = PeriodicTask("experiment watch", self.turn, lambda: LOOK_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def turn(self) -> None:
        """Look once at every experiment under way for which that is due."""
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        async with self._dedicated.guarded() as connection:
            rows = await connection.fetch(_SQL["experiments_open"], CampaignState.RUNNING)
        for row in rows:
            if await self.look(row, now):
                self._changed()

    async def look(self, row: asyncpg.Record, now: datetime) -> bool:
        """Look at a campaign if that is due. Returns whether it was decided."""
        if not _open(row):
            return False
        async with self._dedicated.transaction() as connection:
            found = await store.spec_of(connection, row["id"], row["version"])
            last = await looks.last_at(connection, row["id"], now)
        asked = None if found is None else found[1].experiment
        if found is None or asked is None or not looks.due(asked, row["started_at"], last, now):
            return False
        async with self._dedicated.transaction() as connection:
            counts = await counted(
                connection,
                row["id"],
                asked,
                test_end=row["test_end"],
                test=planned_in_test(row["counts"]),
                now=now,
            )
        async with self._dedicated.transaction() as connection:
            locked = await connection.fetchrow(_SQL["campaign_lock"], row["id"])
            if locked is None or not _open(locked) or locked["version"] != row["version"]:
                return False
            if await looks.last_at(connection, row["id"], now) != last:
                return False  # another process was first
            decided = await self._looked(connection, locked, found[1], asked, counts, now)
        self.looks += 1
        self.decided += decided
        return decided

    async def _looked(
        self,
        connection: Connection,
        row: asyncpg.Record,
        spec: Spec,
        asked: Experiment,
        counts: list[ArmCounts],
        now: datetime,
    ) -> bool:
        rules = rules_of(spec, asked)
        before = [each.counts for each in await looks.stored(connection, row["id"])]
        evidence = looks.evidence_of([*before, counts], len(counts), rules)
        due = now >= row["started_at"] + asked.decide_span
        found = deciding.judged(rules, counts, evidence, due=due)
        seen = StoredLook(
            at=now, counts=counts, ratio=looks.ratio_of(counts, rules), verdict=verdict_of(found)
        )
        await looks.store(connection, row["id"], seen)
        what = deciding.follows(found, rules.fallback)
        if what is None:
            return False
        how, arm = what
        made = Decided(at=now, how=how, arm=arm, by=JOB)
        done = await deciding.write(connection, row["id"], row["account"], made, self._ids)
        if done:
            _log.info("campaign_decided", campaign=row["id"], how=how, arm=arm)
        return done


def _open(row: asyncpg.Record) -> bool:
    return (
        row["state"] == CampaignState.RUNNING
        and row["test_end"] is not None
        and row["decided_at"] is None
    )
