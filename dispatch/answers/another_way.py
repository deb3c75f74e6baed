"""Another way for a message that a carrier could not deliver, by a connector of its route.

Owns the decision, and the outbox row of the next way. It is made in the transaction that stores the
failing receipt. So either both are there, or the carrier tells the receipt again. Must not decide
which connector is next (`dispatch/routes` does), nor which way counts (`dlr/ways.py` does).

All of it has to be true. The category is configured to. The message may still be sent. All parts
have an end, and none was delivered. Each failed for a reason that another carrier may not have. No
attempt was in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum

import asyncpg
import msgspec

from dispatch.holds import Hold
from dlr.codes import CodesOfConnectors
from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from dlr.ways import settle_ways
from storage import events, sql
from storage.codecs import array_text
from storage.crypto import NumberVault
from storage.events import Event
from storage.ids import IdSource
from storage.names import NO_CONNECTOR, SANDBOX
from storage.pool import Connection

_SQL = sql.load("dispatch")
_FAILED = frozenset({Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED})
SLICE_ITEMS = 200
BATCH_CANCELED = 2

# (connectors tried, number, sender, category, account, tags) -> the next connector
Untried = Callable[[Collection[int], str, str, int, int, Collection[str]], int]


class Submit(msgspec.Struct, frozen=True, gc=False):
    """One row of `submission`. `told`: a receipt came."""

    part: int
    parts: int
    connector: int
    status: int
    reason: int
    error: str | None
    way: int
    replaced: bool
    told: bool


class Fit(Enum):
    """NOT_YET: some parts may still be told of."""

    NO = "no"
    NOT_YET = "not yet"
    YES = "yes"


class _Next(msgspec.Struct, frozen=True):
    """The next way of a message: `message` as another_way_messages has it."""

    message: asyncpg.Record
    failed: Submit
    connector: int
    tried: Sequence[int]


def fit(submits: Iterable[Submit], codes: CodesOfConnectors) -> Fit:
    """Whether the message of these may go another way."""
    best: dict[int, Submit] = {}
    told = False
    for each in submits:
        if each.status in (Status.UNCONFIRMED, Status.DROPPED, Status.DELIVERED) or not each.part:
            return Fit.NO
        if each.replaced:
            continue
        told = told or each.told
        if each.part not in best or each.status > best[each.part].status:
            best[each.part] = each
    verdicts = [each for each in best.values() if each.status > Status.SENT]
    if not verdicts or not told:
        return Fit.NO
    for each in verdicts:
        codes_here = codes.of(each.connector)
        if each.status not in _FAILED or not codes_here.another_way(each.status, each.error):
            return Fit.NO
    complete = len(verdicts) == max(each.parts for each in verdicts)
    return Fit.YES if complete else Fit.NOT_YET


class AnotherWay:
    """The step. `categories` and `codes` follow a reload. `begun` and `needless` count messages
    since start: `begun` by reason.
    """

    def __init__(
        self,
        categories: Collection[int],
        *,
        codes: CodesOfConnectors,
        untried: Untried,
        vault: NumberVault,
        ids: IdSource,
    ) -> None:
        """`categories`: those that are configured to."""
        self.categories = categories
        self.codes = codes
        self._untried = untried
        self._vault = vault
        self._ids = ids
        self.begun: Counter[int] = Counter()
        self.needless = 0

    async def follow(
        self,
        connection: Connection,
        applied: Sequence[AppliedReceipt],
        rows: Sequence[SubmissionRow] = (),
        spread: Collection[tuple[int, int, int]] = (),
    ) -> set[int]:
        """Put into the outbox what goes another way by these receipts and new results. `spread`: as
        dlr/whole_message.py raised these results.

        Answers with the messages whose failure is not to be told: they go another way, or may yet.
        Their receipts are marked as withheld.
        """
        await self._drop_needless(connection, applied)
        failed = self._failed(applied, rows, spread) if self.categories else {}
        if not failed:
            return set()
        withheld, ways = await self._decide(connection, failed)
        await self._begin(connection, ways)
        for each in applied:
            each.withheld = each.message_id in withheld
        return withheld

    def _failed(
        self,
        applied: Iterable[AppliedReceipt],
        rows: Iterable[SubmissionRow],
        spread: Collection[tuple[int, int, int]],
    ) -> dict[int, int]:
        """Message -> how many parts it has."""
        raised = {message for message, _, status in spread if status in _FAILED}
        found = {
            each.message_id: each.parts
            for each in applied
            if each.changed
            and each.row.status in _FAILED
            and (each.parts > 1 or each.previous not in _FAILED)  # else its failure was told
            and not each.replaced
            and each.category in self.categories
            and each.message_id is not None
            and each.row.connector != SANDBOX
        }
        # A receipt that was quicker than its answer stands in the row of the result.
        found.update(
            (row.message_id, row.parts)
            for row in rows
            if (row.status in _FAILED or row.message_id in raised)
            and (row.receipt_at is not None or row.parts > 1)
            and row.category in self.categories
            and row.connector != SANDBOX
        )
        return found

    async def _decide(
        self, connection: Connection, failed: Mapping[int, int]
    ) -> tuple[set[int], list[_Next]]:
        ids = sorted(failed)
        several = [message_id for message_id in ids if failed[message_id] > 1]
        if several:
            await connection.execute(_SQL["another_way_lock"], several, several[0], several[-1])
        messages = await connection.fetch(_SQL["another_way_messages"], ids, ids[0], ids[-1])
        if not messages:
            return set(), []
        canceled = await _canceled(connection, messages)
        submits: dict[int, list[Submit]] = {}
        for record in await connection.fetch(_SQL["another_way_submits"], ids, ids[0]):
            message_id, *columns = record.values()
            submits.setdefault(message_id, []).append(Submit(*columns))
        withheld: set[int] = set()
        ways: list[_Next] = []
        for position, message in enumerate(messages):
            if position % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
            if message["doubtful"] or message["batch_id"] in canceled:
                continue
            of_message = submits.get(message["id"], [])
            fits = fit(of_message, self.codes)
            if fits is Fit.NO:
                continue
            found = self._next(message, of_message)
            if found is None:
                continue
            withheld.add(message["id"])
            if fits is Fit.YES and not message["unfinished"]:
                ways.append(found)
        return withheld, ways

    def _next(self, message: asyncpg.Record, submits: Sequence[Submit]) -> _Next | None:
        number = self._vault.open_or_none(message["to_enc"])
        if number is None:
            return None
        tried = {each.connector for each in submits} | set(message["refused_by"] or ())
        connector = self._untried(
            tried, number, message["sender"], message["category"], message["account"],
            message["tags"] or (),
        )  # fmt: skip
        if connector == NO_CONNECTOR:
            return None
        counting = (each for each in submits if not each.replaced)
        failed = max(counting, key=lambda each: (each.status, each.reason))
        return _Next(message, failed, connector, sorted(tried))

    async def _begin(self, connection: Connection, ways: Sequence[_Next]) -> None:
        if not ways:
            return
        messages = [each.message for each in ways]
        ids = [message["id"] for message in messages]
        await connection.execute(
            _SQL["another_way_begin"],
            ids,
            [each.connector for each in ways],
            [message["category"] for message in messages],
            [message["account"] for message in messages],
            [message["parts"] for message in messages],
            [message["expires_at"] for message in messages],
            [message["batch_id"] for message in messages],
            [message["priority"] for message in messages],
            [each.failed.way + 1 for each in ways],
            [array_text(each.tried) for each in ways],
            Hold.RETRY,
        )
        await settle_ways(connection, ids)
        await events.append(connection, [self._event(each) for each in ways])
        self.begun.update(each.failed.reason for each in ways)

    def _event(self, way: _Next) -> Event:
        detail = {
            "from": way.failed.connector,
            "to": way.connector,
            "reason": Reason(way.failed.reason).label,
            "carrier_code": way.failed.error,
        }
        return Event(self._ids.next(), way.message["id"], "another_way", detail)

    async def _drop_needless(
        self, connection: Connection, applied: Iterable[AppliedReceipt]
    ) -> None:
        """What an earlier way has delivered after all needs the next one no more."""
        late = [
            each.message_id
            for each in applied
            if each.replaced and each.changed and each.row.status == Status.DELIVERED
        ]
        if not late:
            return
        gone = await connection.fetch(_SQL["another_way_needless"], late)
        self.needless += len(gone)
        await events.append(
            connection,
            [way_ended(row["id"], row["connector"], Status.DELIVERED.label, self._ids)
             for row in gone],
        )  # fmt: skip


def way_ended(message_id: int, connector: int, why: str, ids: IdSource) -> Event:
    """What the timeline says of a way that ended before the wire. `why`: a reason or a status."""
    detail = {"connector": connector, "reason": why}
    return Event(ids.next(), message_id, "another_way_ended", detail)


async def _canceled(connection: Connection, messages: Iterable[asyncpg.Record]) -> set[int]:
    batches = {message["batch_id"] for message in messages} - {None}
    if not batches:
        return set()
    rows = await connection.fetch(_SQL["another_way_batches"], sorted(batches))
    return {row["id"] for row in rows if row["state"] == BATCH_CANCELED}
