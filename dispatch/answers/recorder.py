"""The one ordered writer for everything that comes back from the wire.

Owns the transaction that stores results (submission rows, deletes of outbox and intent) and
receipts. Must not decide what a result means: records arrive decided.

There is one writer, so a receipt is never committed before the result it belongs to. The answer to
the carrier leaves only after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import structlog

from dispatch.answers.another_way import AnotherWay
from dispatch.answers.counters import RecorderCounters, add, add_all
from dispatch.answers.delivery_time import DeliveryTime
from dispatch.answers.gathering import Gathered, changed_messages, fold_receipts, gather
from dispatch.answers.parked_raw import kept_of_parked
from dispatch.answers.pruning import Pruning
from dispatch.answers.records import (
    MessageDone,
    ReceiptArrived,
    Record,
)
from dispatch.answers.unknown_states import tell_unknown_states
from dispatch.raw import rows as raw
from dlr.codes import NONE_NAMED, CodesOfConnectors
from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.in_doubt import answered_late
from dlr.ledger import (
    AppliedReceipt,
    SubmissionRow,
    apply_receipts,
    insert_submissions,
    join_unmatched,
)
from dlr.rollups.naming import late, name_changed
from dlr.status import Status
from dlr.ways import settle_ways
from dlr.webhooks.changes import ChangeLog, tell_messages
from dlr.whole_message import spread
from smpp.vocabulary import ESME_RX_R_APPN
from storage import events, sql
from storage.codecs import array_text
from storage.crypto import NumberVault
from storage.faults import POISON, Fenced, is_transient, without_values
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.pool import Connection, Dedicated

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.5
# A result and a receipt for each of 1 000 messages. Each round trip waits for a turn of a busy
# event loop, so larger flushes carry more.
RECORDS_PER_FLUSH_MAX = 2_000
REST_SECONDS_MAX = 0.004


class Recorder:
    """Stores results and receipts in group commits, and answers the carrier afterwards."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        ids: IdSource,
        term: int,
        waiting_max: int,
        receipts_waiting_max: int,
        committed: Callable[[], None],
        groups: ConnectorGroups = ALONE,
        codes: CodesOfConnectors = NONE_NAMED,
        alone: Callable[[], bool] = lambda: True,
        vault: NumberVault | None = None,
        changes: ChangeLog | None = None,
        another_way: AnotherWay | None = None,
    ) -> None:
        """`committed` is told after each flush, so that reading and planning go on.

        `alone`: whether no other gateway on this database may have parked receipts for what is sent
        here.
        """
        self._alone = alone
        self._vault = vault
        self._changes = changes
        self._another_way = another_way
        self.groups = groups
        self.pruning = Pruning(codes, vault=vault, ids=ids)
        self._dedicated = dedicated
        self._ids = ids
        self._term = term
        self._settled: set[int] = set()  # records of the running flush that were stored alone
        self._receipts_waiting_max = receipts_waiting_max
        self._committed = committed
        self._parked = 0  # receipts of this process that wait for their submit_sm_resp
        self.receipts_waiting = 0
        self.counters = RecorderCounters()
        self.delivery_time = DeliveryTime()
        self.commits: GroupCommit[Record, None] = GroupCommit(
            self._flush,
            name="record",
            items_per_flush_max=RECORDS_PER_FLUSH_MAX,
            items_waiting_max=waiting_max,
            retry=_retry_delay,
            rest_seconds_max=REST_SECONDS_MAX,
        )
        self.hurry = self.commits.hurry
        self.new_id = ids.next

    def record(self, records: Sequence[Record]) -> None:
        """Take results of the wire. The windows bound their number, so there is always room."""
        self.commits.offer(records)

    def room_for_receipts(self) -> int:
        """How many more receipts may be offered before the carrier has to wait."""
        return self._receipts_waiting_max - self.receipts_waiting

    def has_room_again(self) -> bool:
        """Whether reading may go on after it was paused: half of the room is free."""
        return self.receipts_waiting * 2 <= self._receipts_waiting_max

    def record_receipts(self, arrived: Sequence[ReceiptArrived]) -> None:
        """Take receipts; the caller asked room_for_receipts() first."""
        self.receipts_waiting += len(arrived)
        self.commits.offer(arrived)

    async def close(self) -> None:
        """Store everything that was offered, then stop."""
        await self.commits.close()

    async def _flush(self, records: list[Record], attempt: int) -> list[None]:
        """Store these in one transaction; where PostgreSQL refuses a value, in one for each record.

        So an unforeseen value costs its own record, and not all the others of its flush.
        """
        if attempt == 0:
            self._settled.clear()
        waiting = [record for record in records if id(record) not in self._settled]
        try:
            await self._store(waiting, again=attempt > 0)
        except POISON:
            for record in waiting:
                await self._store_alone(record, again=attempt > 0)
                self._settled.add(id(record))
        return [None] * len(records)

    async def _store_alone(self, record: Record, *, again: bool) -> None:
        try:
            await self._store([record], again=again)
        except POISON as error:
            self.counters.unstorable += 1
            _log.error("record_unstorable", kind=type(record).__name__, error=without_values(error))
            if isinstance(record, ReceiptArrived):
                self.receipts_waiting -= 1
                record.bind.acknowledge([record.delivery], ESME_RX_R_APPN)
            elif isinstance(record, MessageDone) and record.intent is not None:
                # Its intent stays open, so the next start finds it in doubt; but it must not take
                # room in this connector's doubt for ever.
                record.intent.in_doubt.messages -= 1

    async def _store(self, records: list[Record], *, again: bool) -> None:
        gathered = gather(records)
        fold_receipts(gathered)
        async with self._dedicated.transaction() as connection:
            new = await self._write_results(connection, gathered, again=again)
            applied = await self._write_receipts(connection, gathered)
            withheld = await self._go_another_way(connection, applied, new, gathered.spread)
            told = False
            if self._changes is not None:
                tell = [row for row in new if row.message_id not in withheld] if withheld else new
                told = await self._changes.put(connection, tell, applied)
            suppressed = await self._learn(connection, applied, new)
            await name_changed(
                connection, late(changed_messages(gathered, applied), self._ids.next())
            )
            await events.append(connection, gathered.events)
            if self._vault is not None:
                await raw.keep(
                    connection, self._vault, gathered.kept + kept_of_parked(records, applied)
                )
        self._count(gathered, applied, suppressed)
        for intent, finished in gathered.intents.values():
            intent.open -= finished
            intent.in_doubt.messages -= finished
        self._answer(gathered)
        self._committed()
        if told and self._changes is not None:
            self._changes.noted()

    async def follow_up(self, connection: Connection, applied: Sequence[AppliedReceipt]) -> None:
        """What follows from receipts, in the transaction that stores them, before they are told."""
        await self._go_another_way(connection, applied)
        await self._learn(connection, applied, ())

    async def _go_another_way(
        self,
        connection: Connection,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow] = (),
        spread: Collection[tuple[int, int, int]] = (),
    ) -> Collection[int]:
        if self._another_way is None:
            return ()
        return await self._another_way.follow(connection, applied, rows, spread)

    async def _learn(
        self,
        connection: Connection,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow],
    ) -> int:
        """How many numbers are suppressed now."""
        suppressed = await self.pruning.learn(connection, applied, rows)
        await tell_unknown_states(connection, applied, self._ids)
        return suppressed

    def _answer(self, gathered: Gathered) -> None:
        """After the commit: send deliver_sm_resp, with one write per bind."""
        stored = 0
        for bind, deliveries in gathered.answers.items():
            bind.acknowledge(deliveries)
            stored += len(deliveries)
        self.receipts_waiting -= stored

    async def _write_results(
        self, connection: Connection, gathered: Gathered, *, again: bool
    ) -> Sequence[SubmissionRow]:
        """The rows of results that did not stand before."""
        new = await insert_submissions(connection, gathered.rows, again=again)
        if gathered.retries:
            await connection.execute(
                _SQL["outbox_retry"],
                [done.message_id for done in gathered.retries],
                [done.retry_at for done in gathered.retries],
                [done.attempt for done in gathered.retries],
                [done.hold for done in gathered.retries],
                self._term,
                [done.connector for done in gathered.retries],
                [done.in_doubt for done in gathered.retries],
            )
        if gathered.late:
            await answered_late(connection, gathered.late)
            late = [(row.message_id, row.account) for row in gathered.late]
            await tell_messages(connection, late, self._ids)
            await connection.execute(
                _SQL["outbox_answered_late"],
                [row.message_id for row in gathered.late],
                [row.parts for row in gathered.late],
            )
        closed = [
            intent.id for intent, finished in gathered.intents.values() if intent.open == finished
        ]
        if gathered.done_ids or closed:
            done = array_text(gathered.done_ids), closed
            if again:
                ways = gathered.done_ways, self._term
                await connection.execute(_SQL["results_close_again"], *done, *ways)
            else:
                await connection.execute(_SQL["results_close"], *done)
        if gathered.ways_ended:
            await settle_ways(connection, {message for message, _ in gathered.ways_ended})
            await tell_messages(connection, gathered.ways_ended, self._ids)
        return new

    async def _write_receipts(
        self, connection: Connection, gathered: Gathered
    ) -> list[AppliedReceipt]:
        receipts = gathered.receipts
        applied: list[AppliedReceipt] = []
        if gathered.rows and (self._parked or not self._alone()):
            # E11: receipts that were here before the submit_sm_resp they belong to.
            joined = await join_unmatched(
                connection,
                [
                    (connector, row.carrier_id)
                    for row in gathered.rows
                    if row.carrier_id
                    for connector in self.groups.of(row.connector)
                ],
            )
            gathered.joined = len(joined)
            receipts = receipts + joined
        if receipts:
            applied = await apply_receipts(connection, receipts, self._ids, groups=self.groups)
        if self.groups.receipts_per_message:
            # A receipt of these may have come before some of the parts that it is about.
            several = [row.message_id for row in gathered.rows if row.parts > 1]
            gathered.spread = await spread(connection, several, self.groups)
        return applied

    def _count(
        self, gathered: Gathered, applied: Sequence[AppliedReceipt], suppressed: int
    ) -> None:
        counters = self.counters
        counters.submissions += len(gathered.rows)
        counters.numbers_suppressed += suppressed
        counters.receipts_joined += gathered.joined
        self._parked = max(0, self._parked - gathered.joined)
        add_all(
            counters.final,
            [(row.connector, row.status) for row in gathered.rows if row.status > Status.SENT],
        )
        add_all(counters.receipts, gathered.folded)
        self.delivery_time.observe(gathered.rows, applied)
        for (_, connector, status), count in gathered.spread.items():
            add(counters.final, connector, status, count)
        disbelieved = [each.row.connector for each in applied if not each.date_believed]
        counters.disbelieved.update(gathered.disbelieved)
        counters.disbelieved.update(disbelieved)
        for receipt in applied:
            add(counters.receipts, receipt.row.connector, receipt.row.status)
            if not receipt.matched:
                counters.receipts_parked += 1
                self._parked += 1
            elif not receipt.changed:
                counters.receipts_unchanged += 1
            elif receipt.row.status > Status.SENT:
                add(counters.final, receipt.row.connector, receipt.row.status, 1 + receipt.others)


def _retry_delay(error: BaseException, attempt: int) -> float | None:
    """Results wait for PostgreSQL as long as it takes: nothing else knows what they say."""
    if isinstance(error, Fenced):
        return None  # another process has taken our work over, and with it the doubt
    if not is_transient(error):
        _log.error("results_wait", error=without_values(error), attempt=attempt)
    return RETRY_SECONDS
