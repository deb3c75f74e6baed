"""The one ordered writer for everything that comes back from the wire.

Owns the transaction that stores results (submission rows, deletes of outbox and intent) and
receipts. Must not decide what a result means: records arrive decided.

There is one writer, so a receipt is never committed before the result it belongs to. The answer to
the carrier leaves only after the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import structlog

from dispatch.answers.counters import RecorderCounters, add, add_all
from dispatch.answers.delivery_time import DeliveryTime
from dispatch.answers.parked_raw import kept_of_parked
from dispatch.answers.pruning import Pruning
from dispatch.answers.records import (
    LateResult,
    MessageDone,
    PartResult,
    ReceiptArrived,
    Record,
    StateLearned,
)
from dispatch.answers.unknown_states import tell_unknown_states
from dispatch.journey import Intent
from dispatch.raw import rows as raw
from dispatch.raw.kept import Kept
from dlr.changed import messages_of
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
from dlr.receipt_rows import ReceiptRow
from dlr.receipt_targets import is_open
from dlr.receipt_times import plausible
from dlr.rollups.naming import late, name_changed
from dlr.status import Status, outranks
from dlr.webhooks.changes import ChangeLog, tell_messages
from dlr.whole_message import spread
from smpp.client import Bind
from smpp.events import Delivery
from smpp.vocabulary import ESME_RX_R_APPN
from storage import events, sql
from storage.codecs import array_text
from storage.crypto import NumberVault
from storage.events import Event
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


class _Gathered(msgspec.Struct):
    """The records of one flush, sorted by what has to be written."""

    rows: list[SubmissionRow] = msgspec.field(default_factory=list)
    late: list[SubmissionRow] = msgspec.field(default_factory=list)
    receipts: list[ReceiptRow] = msgspec.field(default_factory=list)
    done_ids: list[int] = msgspec.field(default_factory=list)
    retries: list[MessageDone] = msgspec.field(default_factory=list)
    intents: dict[int, tuple[Intent, int]] = msgspec.field(default_factory=dict)
    events: list[Event] = msgspec.field(default_factory=list)
    answers: dict[Bind, list[Delivery]] = msgspec.field(default_factory=dict)
    joined: int = 0  # parked receipts that these results brought back
    spread: Counter[tuple[int, int, int]] = msgspec.field(default_factory=Counter)
    disbelieved: list[int] = msgspec.field(default_factory=list)  # connectors of such dates
    kept: list[Kept] = msgspec.field(default_factory=list)
    folded: list[tuple[int, int]] = msgspec.field(default_factory=list)  # written with their row


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
    ) -> None:
        """`committed` is told after each flush, so that reading and planning go on.

        `alone`: whether no other gateway on this database may have parked receipts for what is sent
        here.
        """
        self._alone = alone
        self._vault = vault
        self._changes = changes
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
        gathered = _gather(records)
        _fold_receipts(gathered)
        async with self._dedicated.transaction() as connection:
            new = await self._write_results(connection, gathered, again=again)
            applied = await self._write_receipts(connection, gathered)
            told = False
            if self._changes is not None:
                told = await self._changes.put(connection, new, applied)
            suppressed = await self.follow_up(connection, applied, new)
            await name_changed(connection, late(_changed(gathered, applied), self._ids.next()))
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

    async def follow_up(
        self,
        connection: Connection,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow] = (),
    ) -> int:
        """What follows from receipts and new results, in the transaction that stores them; how many
        numbers are suppressed now.
        """
        suppressed = await self.pruning.learn(connection, applied, rows)
        await tell_unknown_states(connection, applied, self._ids)
        return suppressed

    def _answer(self, gathered: _Gathered) -> None:
        """After the commit: send deliver_sm_resp, with one write per bind."""
        stored = 0
        for bind, deliveries in gathered.answers.items():
            bind.acknowledge(deliveries)
            stored += len(deliveries)
        self.receipts_waiting -= stored

    async def _write_results(
        self, connection: Connection, gathered: _Gathered, *, again: bool
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
            done_ids = array_text(gathered.done_ids)
            await connection.execute(_SQL["results_close"], done_ids, closed)
        return new

    async def _write_receipts(
        self, connection: Connection, gathered: _Gathered
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
        self, gathered: _Gathered, applied: Sequence[AppliedReceipt], suppressed: int
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


def _changed(gathered: _Gathered, applied: Sequence[AppliedReceipt]) -> set[int]:
    changed = {row.message_id for row in (*gathered.rows, *gathered.late)}
    changed.update(gathered.done_ids, messages_of(applied))
    return changed.union(message for message, _, _ in gathered.spread)


def _retry_delay(error: BaseException, attempt: int) -> float | None:
    """Results wait for PostgreSQL as long as it takes: nothing else knows what they say."""
    if isinstance(error, Fenced):
        return None  # another process has taken our work over, and with it the doubt
    if not is_transient(error):
        _log.error("results_wait", error=without_values(error), attempt=attempt)
    return RETRY_SECONDS


def _gather(records: Sequence[Record]) -> _Gathered:
    gathered = _Gathered()
    for record in records:
        if isinstance(record, ReceiptArrived):
            gathered.receipts.append(record.row)
            gathered.answers.setdefault(record.bind, []).append(record.delivery)
            if record.kept is not None:
                gathered.kept.append(record.kept)
        elif isinstance(record, StateLearned):
            gathered.receipts.append(record.row)
        elif isinstance(record, PartResult):
            gathered.rows.append(record.row)
        elif isinstance(record, LateResult):
            gathered.late.append(record.row)
        else:
            _gather_done(gathered, record)
    return gathered


def _gather_done(gathered: _Gathered, done: MessageDone) -> None:
    gathered.rows += done.rows
    if done.event is not None:
        gathered.events.append(done.event)
    if done.rerouted is not None:
        gathered.events.append(done.rerouted)
    if done.retry_at is not None:
        gathered.retries.append(done)
    elif not done.requeued:
        gathered.done_ids.append(done.message_id)
    if done.intent is not None:
        intent, finished = gathered.intents.get(done.intent.id, (done.intent, 0))
        gathered.intents[intent.id] = (intent, finished + 1)


def _fold_receipts(gathered: _Gathered) -> None:
    """Merge a receipt into the row of its result, if both are in this flush: one write, not two."""
    if not gathered.receipts or not gathered.rows:
        return
    rows: dict[int | None, SubmissionRow] = {row.id: row for row in gathered.rows}
    left: list[ReceiptRow] = []
    for receipt in gathered.receipts:
        row = rows.get(receipt.submission_id)
        if (
            row is None
            or not (receipt.certain or is_open(row.status))
            or receipt.unknown_state is not None
        ):
            left.append(receipt)
            continue
        receipt.certain = True  # also when the transaction runs once more
        gathered.folded.append((receipt.connector, receipt.status))
        if outranks(receipt.status, row.status):
            row.status = receipt.status
            row.reason = receipt.reason
            row.error = receipt.error
            row.done_at = plausible(receipt.done_at, row.submitted_at, receipt.received_at)
            if row.done_at is not receipt.done_at:
                gathered.disbelieved.append(receipt.connector)
            row.receipt_at = receipt.received_at
    gathered.receipts = left
