"""What a running gateway does on the side, now and then.

Owns the periodic work. It renews the owner term, makes day partitions ahead, joins parked receipts,
and ends what has expired. It gives up on receipts that never came, recovers what other processes
left, and drops days that were kept long enough.

Must not decide how a step is done. Each step is bounded. One that fails because the database is
away is tried again at its next turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import structlog

from dispatch.answers.pruning import suppress_proven
from dispatch.answers.unknown_states import tell_unknown_states
from dispatch.outbox.expiry import expire_waiting
from dlr.codes import NONE_NAMED, CodesOfConnectors
from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.ledger import (
    SWEEP_ROWS_MAX,
    AppliedReceipt,
    GivenUp,
    give_up,
    purge_unmatched,
    sweep_unmatched,
)
from dlr.recipient_match import match_recipients
from dlr.status import Status
from messages.accept import client_refs, idempotency
from recipients import frequency
from recipients.index_rewrite import IndexRewrite
from shortlinks.ranges import delete_expired
from storage.crypto import NumberVault
from storage.faults import UNAVAILABLE, Fenced
from storage.ids import IdSource, id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection, Dedicated
from storage.terms import OwnerTerm, TermLost

_log = structlog.get_logger(__name__)

RENEW_SECONDS = 3.0
RECOVER_SECONDS = 5.0
SWEEP_SECONDS = 5.0
EXPIRE_SECONDS = 2.0
SWEEP_MINIMUM_AGE = timedelta(seconds=5)
MATCH_AGE = timedelta(seconds=60)  # a receipt may outrun its own submit's result
SWEEP_STEPS = 40  # a turn, of 500: two gateways on one carrier may park most of what comes
PARTITION_SECONDS = 10.0  # one look at the catalogue; also what ends a clock's jump over days
GIVE_UP_SECONDS = 60.0
GIVE_UP_STRETCHES = 10  # a turn, so that a take-over does not wait behind days of submissions
LINKS_SECONDS = 3600.0
RETENTION_SECONDS = 600.0  # one look at the catalogue
REWRITE_SECONDS = 1.0  # nothing at all once it is done
COUNTS_SECONDS = 3600.0  # one look through the whole table
REQUESTS_SECONDS = 60.0
KEY_USES_SECONDS = 60.0
PURGE_STEPS = 20  # a turn, of 10 000 references each (1 000 keys): keeps up with 3 300 a second
LINKS_GONE = timedelta(days=30)  # how long an expired link says so before it is unknown
GIVE_UP_WINDOW = timedelta(days=35)  # as long as submissions are kept

Step = Callable[[Connection], Awaitable[object]]


class Maintenance:
    """One task per kind of work, one connection for all of them."""

    def __init__(
        self,
        renewing: Dedicated,
        working: Dedicated,
        *,
        term: OwnerTerm,
        ids: IdSource,
        unknown_after_hours: int,
        recover: Step,
        retain: Step,
        key_uses: Step,
        lost: Callable[[str], None],
        ended: Callable[[asyncio.Task[None]], object],
        groups: ConnectorGroups = ALONE,
        codes: CodesOfConnectors = NONE_NAMED,
        vault: NumberVault | None = None,
    ) -> None:
        """`lost` is told when this process may no longer write: its term was taken over. `ended`
        is told when a task has ended by itself.
        """
        self._renewing = renewing
        self._working = working
        self._term = term
        self._ids = ids
        self.unknown_after_hours = unknown_after_hours
        self._recover = recover
        self._retain = retain
        self._key_uses = key_uses
        self._vault = vault
        self._rewrite = None if vault is None else IndexRewrite(vault)
        self._lost = lost
        self.groups = groups
        self.codes = codes
        self._ended = ended
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()
        self._give_up_cursor: int | None = None
        self._match_cursor = 0
        self.gateways: int | None = None  # on this database, as of the last renewal
        self.unknown = 0
        self.joined = 0
        self.final: dict[tuple[int, int], int] = {}  # (connector, status) of what was joined
        self.disbelieved: Counter[int] = Counter()  # dates of joined receipts, by connector
        self.purged = 0
        self.expired = 0

    def start(self) -> None:
        """Start all tasks."""
        self._tasks = [
            asyncio.create_task(self._renew(), name="renew"),
            *(
                asyncio.create_task(self._every(seconds, step), name=step.__name__)
                for seconds, step in (
                    (PARTITION_SECONDS, self._partitions),
                    (SWEEP_SECONDS, self._sweep),
                    (EXPIRE_SECONDS, self._expire),
                    (GIVE_UP_SECONDS, self._silence),
                    (RECOVER_SECONDS, self._take_over),
                    (LINKS_SECONDS, self._forget_links),
                    (COUNTS_SECONDS, self._forget_counts),
                    (REQUESTS_SECONDS, self._forget_requests),
                    (RETENTION_SECONDS, self._forget_days),
                    (KEY_USES_SECONDS, self._note_key_uses),
                    (REWRITE_SECONDS, self._rewrite_indexes),
                )
            ),
        ]

        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End; the term is released by the application."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                self.gateways = await self._term.renew(await self._renewing.connection())
            except (TermLost, Fenced) as error:
                self._lost(str(error))
                return
            except UNAVAILABLE as error:
                _log.warning("renew_failed", error=repr(error))

    async def _every(self, seconds: float, step: Step) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                async with self._turn:
                    await step(await self._working.connection())
            except Fenced as error:
                self._lost(str(error))
                return
            except UNAVAILABLE as error:
                _log.warning("maintenance_failed", step=step.__name__, error=repr(error))

    async def _partitions(self, connection: Connection) -> None:
        await ensure_partitions(connection, today())

    async def _sweep(self, connection: Connection) -> None:
        """Receipts that one session parked while another committed what they belong to, and those
        of submits in doubt.
        """
        now = datetime.now(UTC)
        for _ in range(SWEEP_STEPS):
            if await self._join(connection, now - SWEEP_MINIMUM_AGE) < SWEEP_ROWS_MAX:
                break
        async with connection.transaction():
            matched = await match_recipients(
                connection, self._match_cursor, now - MATCH_AGE, self._ids, groups=self.groups
            )
            await suppress_proven(connection, matched.applied, self.codes, self._vault)
            await tell_unknown_states(connection, matched.applied, self._ids)
        self._match_cursor = matched.cursor or 0
        self._count_joined(matched.applied)
        self.purged += await purge_unmatched(connection, now)

    async def _join(self, connection: Connection, older_than: datetime) -> int:
        """One transaction of them; how many."""
        async with connection.transaction():
            joined = await sweep_unmatched(connection, older_than, self._ids, groups=self.groups)
            await suppress_proven(connection, joined, self.codes, self._vault)
            await tell_unknown_states(connection, joined, self._ids)
        self._count_joined(joined)
        return len(joined)

    def _count_joined(self, joined: Sequence[AppliedReceipt]) -> None:
        self.joined += len(joined)
        self.disbelieved.update(each.row.connector for each in joined if not each.date_believed)
        for receipt in joined:
            if receipt.changed and receipt.status > Status.SENT:
                key = (receipt.row.connector, receipt.row.status)
                self.final[key] = self.final.get(key, 0) + 1 + receipt.others

    async def _expire(self, connection: Connection) -> None:
        """What waited longer than it is of use."""
        self.expired += await expire_waiting(connection, datetime.now(UTC), self._ids)

    async def _silence(self, connection: Connection) -> None:
        """No final receipt for days: the message becomes unknown; a late receipt still
        upgrades it.
        """
        now = datetime.now(UTC)
        cursor = self._give_up_cursor or id_at(now - GIVE_UP_WINDOW)
        for _ in range(GIVE_UP_STRETCHES):
            given_up: GivenUp = await give_up(
                connection, cursor, now, after_hours=self.unknown_after_hours
            )
            self.unknown += given_up.changed
            if given_up.cursor is None:
                return
            cursor = self._give_up_cursor = given_up.cursor

    async def _forget_links(self, connection: Connection) -> None:
        """Ranges whose links expired some time ago; until then they answer 410."""
        after_seq: int | None = 0
        before = datetime.now(UTC) - LINKS_GONE
        while after_seq is not None:
            _, after_seq = await delete_expired(connection, before, after_seq=after_seq)

    async def _forget_requests(self, connection: Connection) -> None:
        """References and keys that may be used again; in steps, each its own transaction."""
        now = datetime.now(UTC)
        for module in (client_refs, idempotency):
            for _ in range(PURGE_STEPS):
                if await module.purge(connection, now) < module.PURGE_ROWS_MAX:
                    break

    async def _forget_counts(self, connection: Connection) -> None:
        """What was sent so long ago that no cap asks for it."""
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        while await frequency.purge(connection, now_ms) >= frequency.PURGE_ROWS_MAX:
            continue

    async def _forget_days(self, connection: Connection) -> None:
        """Whole days that were kept long enough."""
        await self._retain(connection)

    async def _note_key_uses(self, connection: Connection) -> None:
        """When each key was last used."""
        await self._key_uses(connection)

    async def _rewrite_indexes(self, connection: Connection) -> None:
        """What the release before indexed otherwise."""
        if self._rewrite is not None:
            await self._rewrite.turn(connection, datetime.now(UTC))

    async def _take_over(self, connection: Connection) -> None:
        await self._recover(connection)


def today() -> date:
    """The UTC day, as partitions are cut."""
    return datetime.now(UTC).date()
