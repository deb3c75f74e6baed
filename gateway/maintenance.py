"""What a running gateway does on the side, now and then: the list of its steps, and their loop.

Owns how often each step is taken, the one connection that they share, and the renewal of the owner
term. Must not do a step itself: each stands in the package that writes its table, and is bounded. A
step that fails because the database is away is taken again at its next turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import structlog

from campaigns.events import desk as contact_events
from dispatch.outbox.expiry import Expiry
from dispatch.outbox.withdrawal import Withdrawal
from dlr.hygiene.lifting import Lifting
from dlr.hygiene.prune import PruneJob
from dlr.parked import ParkedReceipts
from dlr.silence import Silence
from gateway.vitals import Lease
from messages.accept import client_refs, idempotency
from recipients import frequency
from recipients.erasing import Erasing
from recipients.index_rewrite import IndexRewrite
from shortlinks import ranges
from shortlinks.reclassify import Reviewer
from storage import audit
from storage.audit_anchor import Anchors
from storage.backup import BackupAge
from storage.crypto import NumberVault
from storage.database_clock import DatabaseClock
from storage.faults import UNAVAILABLE, Fenced
from storage.ids import IdSource
from storage.key_rotation import KeyRotation
from storage.partitions import ensure_partitions, missing_partitions
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated
from storage.retention import Retention
from storage.terms import OwnerTerm, TermLost
from storage.text_ends import TextEnds
from web.edge.key_store import DatabaseKeys

_log = structlog.get_logger(__name__)

RENEW_SECONDS = 3.0
RECOVER_SECONDS = 5.0
SWEEP_SECONDS = 5.0
EXPIRE_SECONDS = 2.0
WITHDRAW_SECONDS = 2.0
PARTITION_SECONDS = 10.0  # one look at the catalogue; also what ends a clock's jump over days
GIVE_UP_SECONDS = 60.0
LINKS_SECONDS = 3600.0
SETTLE_SECONDS = 5.0  # one look at an index of what waits
AGENTS_SECONDS = 60.0
RETENTION_SECONDS = 600.0  # one look at the catalogue
ROTATION_SECONDS = 1.0  # one look while no change runs
REWRITE_SECONDS = 1.0  # nothing at all once it is done
TEXTS_SECONDS = 2.0  # between passes it is nothing
COUNTS_SECONDS = 3600.0  # one look through the whole table
REQUESTS_SECONDS = 60.0
KEY_USES_SECONDS = 60.0
LIFT_SECONDS = 5.0
PRUNE_SECONDS = 60.0
ERASE_SECONDS = 1.0  # one look at an index that is empty but for an erasure
BACKUP_SECONDS = 30.0  # one look at an index of a thousand rows
AUDIT_SECONDS = 60.0  # one row of the head; an anchor once an hour

Timeless = Callable[[Connection], Awaitable[object]]


class Step(NamedTuple):
    """One kind of work. `take` is told the time, and must not run for long."""

    name: str
    seconds: float
    take: Callable[[Connection, datetime], Awaitable[object]]


class PartitionsAhead:
    """The days of the big tables that are made ahead of time."""

    def __init__(self) -> None:
        self.missing = 0  # leaves, when last looked; 0 once they are made

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Make what is missing. Until that succeeds, `missing` tells."""
        self.missing = await missing_partitions(connection, now.date())
        if self.missing:
            await ensure_partitions(connection, now.date())
            self.missing = 0


def steps(
    *,
    partitions: PartitionsAhead,
    parked: ParkedReceipts,
    expiry: Expiry,
    withdrawal: Withdrawal,
    silence: Silence,
    lifting: Lifting,
    prune: PruneJob,
    retention: Retention,
    keys: DatabaseKeys,
    vault: NumberVault,
    rotation: KeyRotation,
    ids: IdSource,
    anchors: Anchors,
    backups: BackupAge,
    message_texts: TextEnds,
    inbound_texts: TextEnds,
    erasing: Erasing,
    reviewer: Reviewer,
    take_over: Timeless,
) -> list[Step]:
    """Everything but the renewal. `take_over` recovers what dead processes left."""
    return [
        Step("partitions", PARTITION_SECONDS, partitions.turn),
        Step("parked receipts", SWEEP_SECONDS, parked.turn),
        Step("expiry", EXPIRE_SECONDS, expiry.turn),
        Step("withdrawal", WITHDRAW_SECONDS, withdrawal.turn),
        Step("silence", GIVE_UP_SECONDS, silence.turn),
        Step("lifting", LIFT_SECONDS, lifting.turn),
        Step("prune", PRUNE_SECONDS, prune.turn),
        Step("take-over", RECOVER_SECONDS, _timeless(take_over)),
        Step("links", LINKS_SECONDS, ranges.forget_expired),
        Step("clicks", SETTLE_SECONDS, reviewer.turn),
        Step("user agents", AGENTS_SECONDS, reviewer.end_agents),
        Step("frequency", COUNTS_SECONDS, frequency.forget),
        Step("event refs", REQUESTS_SECONDS, contact_events.forget),
        Step("client refs", REQUESTS_SECONDS, client_refs.forget),
        Step("idempotency keys", REQUESTS_SECONDS, idempotency.forget),
        Step("retention", RETENTION_SECONDS, _timeless(retention.turn)),
        Step("key uses", KEY_USES_SECONDS, _timeless(keys.store_uses)),
        Step("audit chain", AUDIT_SECONDS, _timeless(partial(audit.adopt, ids=ids))),
        Step("audit anchors", AUDIT_SECONDS, anchors.turn),
        Step("backups", BACKUP_SECONDS, backups.turn),
        Step("message texts", TEXTS_SECONDS, message_texts.turn),
        Step("inbound texts", TEXTS_SECONDS, inbound_texts.turn),
        Step("number key", ROTATION_SECONDS, rotation.turn),
        Step("erasures", ERASE_SECONDS, _timeless(erasing.turn)),
        Step("index rewrite", REWRITE_SECONDS, IndexRewrite(vault).turn),
    ]


class Maintenance:
    """One task for each step, one connection for all of them."""

    def __init__(
        self,
        renewing: Dedicated,
        working: Dedicated,
        *,
        term: OwnerTerm,
        lease: Lease,
        clock: DatabaseClock,
        steps: Sequence[Step],
        lost: Callable[[str], None],
        ended: Ended,
    ) -> None:
        """`lease` and `clock` are told of each renewal.

        `lost` is told when this process may no longer write: its term was taken over. `ended` is
        told when a task has ended by itself.
        """
        self._renewing = renewing
        self._working = working
        self._term = term
        self.lease = lease
        self._clock = clock
        self._lost = lost
        self._turn = asyncio.Lock()
        self.gateways: int | None = None  # on this database, as of the last renewal
        renewal = PeriodicTask(
            "renew", self._renew, lambda: RENEW_SECONDS, ended=ended, pause_first=True
        )
        self._tasks = [renewal, *(self._periodic(step, ended) for step in steps)]

    def start(self) -> None:
        """Start all tasks."""
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """End; the term is released by the application."""
        await asyncio.gather(*(task.stop() for task in self._tasks))

    async def _renew(self) -> None:
        try:
            connection = await self._renewing.connection()
            began_ns, began = time.monotonic_ns(), datetime.now(UTC)
            renewal = await self._term.renew(connection)
        except (TermLost, Fenced) as error:
            self._lost(str(error))
            raise Fenced(str(error)) from error
        except UNAVAILABLE as error:
            self.lease.failed()
            _log.warning("renew_failed", error=repr(error))
            return
        self.gateways = renewal.held
        middle = began + (datetime.now(UTC) - began) / 2
        self.lease.renewed(began_ns / 1e9, (middle - renewal.now).total_seconds())
        self._clock.answered(renewal.now, began_ns, time.monotonic_ns())

    def _periodic(self, step: Step, ended: Ended) -> PeriodicTask:
        async def turn() -> None:
            try:
                async with self._turn:
                    await step.take(await self._working.connection(), datetime.now(UTC))
            except Fenced as error:
                self._lost(str(error))
                raise

        return PeriodicTask(step.name, turn, lambda: step.seconds, ended=ended, pause_first=True)


def _timeless(take: Timeless) -> Callable[[Connection, datetime], Awaitable[object]]:
    """A step that needs no time, or has a clock of its own."""
    return lambda connection, _now: take(connection)
