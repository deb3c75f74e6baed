"""The one ordered writer for what handsets send.

Owns the transaction that stores messages, and the parts of those that are not whole. Must not join
parts. The answer to the carrier leaves only after the commit.

It is apart from dispatch/answers/recorder.py, so that the look-ups a message needs do not hold up
results and receipts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from dispatch.inbound import messages, parts, told
from dispatch.inbound.messages import InboundRow
from dispatch.inbound.opt_outs import Confirmation, OptOuts
from dispatch.inbound.owners import SenderOwners
from dispatch.inbound.records import Arrival, PartRow, Received
from dispatch.raw import rows as raw
from dlr.webhooks.changes import tell
from smpp.client import Bind
from smpp.events import Delivery
from smpp.vocabulary import ESME_RX_R_APPN
from storage.crypto import NumberVault
from storage.faults import POISON, Fenced, is_transient, without_values
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.pool import Connection, Dedicated
from storage.suppression import EVERY_ACCOUNT

_log = structlog.get_logger(__name__)
RETRY_SECONDS = 0.5
ARRIVALS_PER_FLUSH_MAX = 200  # each may bring a text to decode and rows to look for

# Hears of messages that are new, by their ids, and of their accounts, in the transaction.
Named = Callable[[Connection, Sequence[int], Collection[int]], Awaitable[None]]


class InboundCounters(msgspec.Struct):
    """Counts since start, for /metrics."""

    messages: int = 0
    incomplete: int = 0  # of them with gaps
    repeated: int = 0  # that a carrier sent again
    unstorable: int = 0


class InboundRecorder:
    """Stores what handsets send in group commits, and answers the carrier afterwards."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        owners: SenderOwners,
        opt_outs: OptOuts,
        waiting_max: int,
        late_max: int,
        wall_ms: Callable[[], int],
    ) -> None:
        """`waiting_max` bounds the unanswered deliveries, `late_max` the messages that timed
        out.
        """
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._term = term
        self.owners = owners
        self.opt_outs = opt_outs
        self._waiting_max = waiting_max
        self._wall_ms = wall_ms
        self.waiting = 0  # deliveries without an answer
        self._settled: set[int] = set()  # arrivals of the running flush that were stored alone
        self.answered: Callable[[Bind, Delivery, Received], None] = _nobody_asks
        self.owe: Callable[[Sequence[Confirmation]], None] = _owes_nothing
        self.committed: Callable[[], None] = _nothing
        self.named: Named | None = None
        self.counters = InboundCounters()
        self.commits: GroupCommit[Arrival, None] = GroupCommit(
            self._flush,
            name="inbound",
            items_per_flush_max=ARRIVALS_PER_FLUSH_MAX,
            items_waiting_max=waiting_max + late_max,
            retry=_retry_delay,
        )

    def room(self) -> int:
        """How many more may be offered before the carrier has to wait."""
        return self._waiting_max - self.waiting

    def has_room_again(self) -> bool:
        """Whether reading may go on after it was paused: half of the room is free."""
        return self.waiting * 2 <= self._waiting_max

    def record(self, arrivals: Sequence[Arrival]) -> None:
        """Take what came; the caller asked room() first."""
        self.commits.offer(arrivals)
        self.waiting += sum(arrival.delivery is not None for arrival in arrivals)

    async def close(self) -> None:
        """Store everything that was offered, then stop."""
        await self.commits.close()

    async def _flush(self, arrivals: list[Arrival], attempt: int) -> list[None]:
        """Store these in one transaction; where PostgreSQL refuses a value, in one for each
        arrival.
        """
        if attempt == 0:
            self._settled.clear()
        waiting = [arrival for arrival in arrivals if id(arrival) not in self._settled]
        try:
            await self._store(waiting)
        except POISON:
            for arrival in waiting:
                await self._store_alone(arrival)
                self._settled.add(id(arrival))
        return [None] * len(arrivals)

    async def _store_alone(self, arrival: Arrival) -> None:
        try:
            await self._store([arrival])
        except POISON as error:
            self.counters.unstorable += 1
            _log.error("inbound_unstorable", error=without_values(error))
            if arrival.bind is not None and arrival.delivery is not None:
                self.waiting -= 1
                arrival.bind.acknowledge([arrival.delivery], ESME_RX_R_APPN)

    async def _store(self, arrivals: Sequence[Arrival]) -> None:
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        received = [message for arrival in arrivals for message in arrival.messages]
        held: list[PartRow] = [arrival.part for arrival in arrivals if arrival.part is not None]
        async with self._dedicated.transaction() as connection:
            await parts.hold(connection, held, self._term)
            new = await messages.without_repeats(connection, received, now) if received else []
            rows = await self._rows(connection, new, now) if new else []
            stored = await messages.insert(connection, rows)
            await tell(connection, told.received(stored), self._ids)
            owned = [row for row in stored if row.account != EVERY_ACCOUNT]
            if self.named is not None and owned:
                accounts = {row.account for row in owned}
                await self.named(connection, [row.id for row in owned], accounts)
            applied = await self.opt_outs.apply(
                connection,
                rows,
                {
                    row.from_idx: other
                    for row, message in zip(rows, new, strict=True)
                    if (other := self._vault.other_indexes(message.source))
                },
            )
            await parts.settle(
                connection, {part: message.id for message in received for part in message.held}
            )
            kept = [arrival.kept for arrival in arrivals if arrival.kept is not None]
            await raw.keep(connection, self._vault, kept)
            await parts.drop(connection, [part for each in arrivals for part in each.repeated])
        counters = self.counters
        counters.messages += len(new)
        counters.incomplete += sum(message.parts_missing > 0 for message in new)
        counters.repeated += len(received) - len(new)
        self._answer(arrivals)
        owed = self.opt_outs.committed(new, rows, applied)
        if owed:
            self.owe(owed)
        self.committed()

    async def _rows(
        self, connection: Connection, new: Sequence[Received], now: datetime
    ) -> list[InboundRow]:
        sealed = self._vault.seal_many([message.source for message in new])
        indexes = self._vault.index_many([message.source for message in new])
        asked = [
            (message.id, index, message.destination)
            for message, own in zip(new, indexes, strict=True)
            for index in (own, *self._vault.other_indexes(message.source))
        ]
        answered = await messages.answered(connection, asked, now)
        rows: list[InboundRow] = []
        for message, from_enc, from_idx in zip(new, sealed, indexes, strict=True):
            answer = answered.get(message.id)
            account = self.owners.owner(message.destination) if answer is None else answer.account
            rows.append(
                InboundRow(
                    id=message.id,
                    connector=message.connector,
                    account=account,
                    from_enc=from_enc,
                    from_idx=from_idx,
                    destination=message.destination,
                    text=message.text,
                    parts=message.parts,
                    parts_missing=message.parts_missing,
                    answers=None if answer is None else answer.message_id,
                    fingerprint=message.fingerprint,
                    unclear=message.unclear,
                    read_as=message.read_as,
                    reply=self.opt_outs.read(account, message, answer, now),
                    text_days=self.opt_outs.text_days(account),
                )
            )
        return rows

    def _answer(self, arrivals: Sequence[Arrival]) -> None:
        """After the commit: send deliver_sm_resp, with one write per bind."""
        answers: dict[Bind, list[Delivery]] = {}
        for arrival in arrivals:
            if arrival.bind is None or arrival.delivery is None:
                continue
            answers.setdefault(arrival.bind, []).append(arrival.delivery)
            self.waiting -= 1
        for bind, deliveries in answers.items():
            bind.acknowledge(deliveries)
        for arrival in arrivals:
            if arrival.bind is not None and arrival.delivery is not None and arrival.part is None:
                for message in arrival.messages:
                    self.answered(arrival.bind, arrival.delivery, message)


def _nobody_asks(_bind: Bind, _delivery: Delivery, _message: Received) -> None:
    return


def _owes_nothing(_owed: Sequence[Confirmation]) -> None:
    return


def _nothing() -> None:
    return


def _retry_delay(error: BaseException, attempt: int) -> float | None:
    """Arrivals wait for PostgreSQL as long as it takes, since the carrier waits for its answer."""
    if isinstance(error, Fenced):
        return None  # the carrier gets no answer, and sends it to whoever has taken over
    if not is_transient(error):
        _log.error("inbound_waits", error=without_values(error), attempt=attempt)
    return RETRY_SECONDS
