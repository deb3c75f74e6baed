"""The look at experiments under way: counted, written down, and decided by if it can be.

Owns these looks, which have a task of their own: what counts for a while holds up no guard. Must
not say when one is due (looks.py), nor what is decided (campaigns/experiments).

It counts before it locks, so that a pause never waits for a count. Then, under the lock, it asks
whether another process has looked meanwhile. The look and what it decides are one commit: a process
that dies leaves both or none, and the next look begins anew.

Where looks are planned it counts as often, and looks when a count reaches the next one. No count
between is stored, and none decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import msgspec
import structlog

from campaigns.decisions import deciding, looks
from campaigns.decisions.counting import ArmCounts, counted, planned_in_test
from campaigns.decisions.decided import Decided
from campaigns.decisions.looks import StoredLook
from campaigns.decisions.planned import LookPlan
from campaigns.decisions.sizes import rules_of
from campaigns.decisions.verdicts import verdict_of
from campaigns.experiments.winner import Decision, Rules
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
        self._counted: dict[int, datetime] = {}  # those with planned looks, of what is open
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
        self._forget({row["id"] for row in rows})
        for row in rows:
            if await self.look(row, now):
                self._changed()

    async def look(self, row: asyncpg.Record, now: datetime) -> bool:
        """Look at a campaign if that is due. Returns whether it was decided."""
        if not _open(row):
            return False
        async with self._dedicated.transaction() as connection:
            found = await store.spec_of(connection, row["id"], row["version"])
            before = await _before(connection, row["id"], now)
        asked = None if found is None else found[1].experiment
        if found is None or asked is None:
            return False
        trial = _Trial.of(row, found[1], asked, now)
        last = before.at if trial.plan is None else self._last_counted(row["id"], now)
        if not looks.due(asked, row["started_at"], last, now):
            return False
        async with self._dedicated.transaction() as connection:
            counts = await counted(
                connection, row["id"], asked, test_end=row["test_end"], test=trial.test, now=now
            )
        if trial.plan is not None:
            self._counted[row["id"]] = now
        number = trial.number(counts)
        if number is not None and number <= before.number:
            return False  # the next one is not reached
        async with self._dedicated.transaction() as connection:
            locked = await connection.fetchrow(_SQL["campaign_lock"], row["id"])
            if locked is None or not _open(locked) or _moved(row, locked):
                return False
            if await _before(connection, row["id"], now) != before:
                return False  # another process was first
            seen, made = trial.judged(await looks.stored(connection, row["id"]), number, counts)
            await looks.store(connection, row["id"], seen)
            decided = await self._follow(connection, locked, trial.rules, made, now)
        self.looks += 1
        self.decided += decided
        return decided

    async def _follow(
        self,
        connection: Connection,
        row: asyncpg.Record,
        rules: Rules,
        found: Decision,
        now: datetime,
    ) -> bool:
        """Write down what a look decides, if it does."""
        what = deciding.follows(found, rules.fallback)
        if what is None:
            return False
        how, arm = what
        made = Decided(at=now, how=how, arm=arm, by=JOB)
        done = await deciding.write(connection, row["id"], row["account"], made, self._ids)
        if done:
            _log.info("campaign_decided", campaign=row["id"], how=how, arm=arm)
        return done

    def _last_counted(self, campaign: int, now: datetime) -> datetime | None:
        """By this process, up to now, whatever the clock did since."""
        found = self._counted.get(campaign)
        return found if found is None or found <= now else None

    def _forget(self, still_open: set[int]) -> None:
        self._counted = {
            campaign: at for campaign, at in self._counted.items() if campaign in still_open
        }


class _Trial(msgspec.Struct, frozen=True):
    """An experiment at one moment. `over`: that is the time to decide."""

    plan: LookPlan | None
    rules: Rules
    test: dict[str, int]
    now: datetime
    over: bool

    @classmethod
    def of(cls, row: asyncpg.Record, spec: Spec, asked: Experiment, now: datetime) -> _Trial:
        test = planned_in_test(row["counts"])
        plan = LookPlan.of(asked, [test[str(arm)] for arm in range(len(test))])
        over = now >= row["started_at"] + asked.decide_span
        return cls(plan, rules_of(spec, asked), test, now, over)

    def number(self, counts: list[ArmCounts]) -> int | None:
        """The planned look that is reached; None: it may be looked at all the time."""
        if self.plan is None:
            return None
        return self.plan.looks if self.over else self.plan.reached(counts)

    def judged(
        self, before: list[StoredLook], number: int | None, counts: list[ArmCounts]
    ) -> tuple[StoredLook, Decision]:
        """The look as it is stored, and what it decides."""
        rules, now = self.rules, self.now
        if self.plan is not None and number is not None:
            return self.plan.judge(rules, before, number, counts, now)
        seen = [*(each.counts for each in before), counts]
        evidence = looks.evidence_of(seen, len(counts), rules)
        found = deciding.judged(rules, counts, evidence, due=self.over)
        ratio, verdict = looks.ratio_of(counts, rules), verdict_of(found)
        return StoredLook(at=now, counts=counts, ratio=ratio, verdict=verdict), found


class _Before(msgspec.Struct, frozen=True):
    """When the last look was, and the number of the last planned one, or 0."""

    at: datetime | None
    number: int


async def _before(connection: Connection, campaign: int, now: datetime) -> _Before:
    return _Before(
        await looks.last_at(connection, campaign, now),
        await looks.last_number(connection, campaign),
    )


def _moved(row: asyncpg.Record, locked: asyncpg.Record) -> bool:
    """Whether it was edited meanwhile, or begins later than it was counted for."""
    return any(row[name] != locked[name] for name in ("version", "started_at"))


def _open(row: asyncpg.Record) -> bool:
    return (
        row["state"] == CampaignState.RUNNING
        and row["test_end"] is not None
        and row["decided_at"] is None
    )
