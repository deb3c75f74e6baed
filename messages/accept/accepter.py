"""From a validated message to a stored one: the group commit behind every 202.

Owns the writes of `message`, the inserts into `outbox`, and the two lanes (one-time passwords, and
the rest). Must not validate (accept/validation.py did) and must not send. What is committed is
handed to the sending side, or stays in the outbox for it to claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from dispatch.clock import Clock
from dispatch.decisions import add_decision
from dispatch.holds import FREED_BY_HAND
from dispatch.message import ReadyMessage
from dlr.ledger import insert_submissions
from dlr.rollups.naming import late, name_new
from dlr.status import Status
from dlr.webhooks.changes import tell_rows
from messages.accept import batches, client_refs, plain_flush
from messages.accept.canceled_before import not_canceled
from messages.accept.client_refs import fingerprint
from messages.accept.judging import count_skips, judge
from messages.accept.pacing import STOPPED_NS, Pacing
from messages.accept.retraction import retract, was_committed
from messages.accept.rows import (
    CALLBACK_COLUMNS,
    MESSAGE_COLUMNS,
    OUTBOX_COLUMNS,
    callback_row,
    ended_row,
    held_event,
    message_row,
    outbox_row,
    ready_message,
)
from messages.accept.stored_before import not_stored
from messages.accept.verdicts import answers, failed, verdict_of
from messages.accepting import Accepting, FlushCheck
from messages.models import GivenIds, IfCapped, Prepared, Refused, Verdict
from messages.rules.suppression import SuppressionCheck
from shortlinks.code import CodePermutation, link_value
from shortlinks.ranges import LinkSequence, insert_range, plan_range
from shortlinks.rewrite import fill_placeholders, short_urls
from storage import events
from storage.categories import Category
from storage.crypto import NumberVault
from storage.doubtful import Doubtful
from storage.faults import DEFECTS, Overloaded, is_transient, without_values
from storage.group_commit import GroupCommit, QueueClosed, QueueFull
from storage.ids import IdSource
from storage.pool import Connection, Dedicated

_log = structlog.get_logger(__name__)
SLICE_ITEMS = 200  # no callback holds the event loop longer than 5 ms
REST_SECONDS_MAX = 0.004  # of the lane of all but the one-time passwords


class ReadyRoom(Protocol):
    """The sending side, as the accepter sees it."""

    def reserve(self, connector: int, category: int, parts: int) -> bool:
        """Take room in the connector's ready queue. False: leave the message in the outbox."""

    def release(self, connector: int, category: int, parts: int) -> None:
        """Give back room that was reserved for a message that was not stored after all."""

    def push(self, connector: int, messages: Sequence[ReadyMessage]) -> None:
        """Hand over committed messages whose room was reserved."""

    def backlog(self, connector: int, category: int) -> None:
        """Note that committed messages of this kind wait in the outbox."""


class MessageAccepter:
    """Stores validated messages in group commits, and says for each what became of it."""

    def __init__(
        self,
        lanes: Sequence[Dedicated],
        *,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        ready: ReadyRoom,
        pace: Pacing,
        clock: Clock,
        links: LinkSequence,
        codes: CodePermutation,
        link_base_url: str,
        link_lifetime: timedelta,
        waiting_max: int,
        checks: Sequence[FlushCheck] = (SuppressionCheck(),),
    ) -> None:
        """`lanes`: two database connections. The first carries one-time passwords alone, so no
        batch delays one.
        """
        self._vault = vault
        self._ids = ids
        self._term = term
        self._ready = ready
        self._pace = pace
        self._clock = clock
        self._links = links
        self._codes = codes
        self._link_base_url = link_base_url
        self._link_lifetime = link_lifetime
        self.checks = checks
        otp, others = lanes
        self._lanes = [
            self._lane(otp, "accept-otp", waiting_max, 0.0),
            self._lane(others, "accept", waiting_max, REST_SECONDS_MAX),
        ]
        self.accepted_by_category = [0] * len(Category)
        self.ended: dict[Status, int] = {}
        self.deduplicated = 0
        self.decisions: dict[tuple[str, str], int] = {}  # (rule, what it did)

    def _lane(
        self, dedicated: Dedicated, name: str, waiting_max: int, rest_seconds_max: float
    ) -> GroupCommit[Accepting, Verdict | Refused]:
        doubtful = Doubtful()

        async def flush(items: list[Accepting], attempt: int) -> list[Verdict | Refused]:
            try:
                return await self._flush(dedicated, doubtful, items)
            except DEFECTS:
                return [await self._flush_alone(dedicated, doubtful, item) for item in items]

        return GroupCommit(
            flush, name=name, items_waiting_max=waiting_max, rest_seconds_max=rest_seconds_max
        )

    @property
    def lanes(self) -> Sequence[GroupCommit[Accepting, Verdict | Refused]]:
        """For metrics: the OTP lane, then the other."""
        return self._lanes

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        """Store these messages. Returns one verdict each, in their order, once they are committed.

        Raises Overloaded when a lane has no room (nothing stored), StorageDown when none could be
        committed. Of a batch that was stored in part, each item says for itself.
        """
        accepting = batches.opened(batch_id, await self._seal(items, batch_id, ids))
        otp = [item for item in accepting if item.prepared.category == Category.OTP]
        rest = [item for item in accepting if item.prepared.category != Category.OTP]
        waits: list[
            tuple[list[Accepting], asyncio.Future[list[Verdict | Refused | BaseException]]]
        ] = []
        try:
            for lane, lane_items in zip(self._lanes, (otp, rest), strict=True):
                if lane_items:
                    waits.append((lane_items, lane.submit(lane_items)))
        except (QueueFull, QueueClosed) as error:
            if not waits:
                raise Overloaded() from error
            waits.append((rest, failed(len(rest), error)))
        outcome: dict[int, Verdict | Refused | BaseException] = {}
        for lane_items, future in waits:
            for item, result in zip(lane_items, await future, strict=True):
                outcome[item.id] = result
        return answers([outcome[item.id] for item in accepting])

    async def close(self) -> None:
        """Refuse new messages and wait until those on their way are committed."""
        for lane in self._lanes:
            await lane.close()

    async def _seal(
        self, items: Sequence[Prepared], batch_id: int | None, ids: GivenIds | None
    ) -> list[Accepting]:
        """Give each message its id and its encrypted number, in slices."""
        accepting: list[Accepting] = []
        moments: dict[int | None, datetime | None] = {None: None}  # most of a batch have one
        seal, index, old = self._vault.seal, self._vault.index, self._vault.old_indexes
        for start in range(0, len(items), SLICE_ITEMS):
            if start:
                await asyncio.sleep(0)
            chunk = items[start : start + SLICE_ITEMS]
            given = (
                self._ids.take(len(chunk)) if ids is None else ids.ids[start : start + SLICE_ITEMS]
            )
            for message_id, item in zip(given, chunk, strict=True):
                until = item.expires_at
                if until is not None and until not in moments:
                    moments[until] = datetime.fromtimestamp(until / 1000, UTC)
                accepting.append(
                    Accepting(
                        message_id, item, seal(item.to), index(item.to), batch_id, item.text,
                        moments[until], again=ids is not None and ids.again,
                        if_capped=IfCapped.STORE if ids is None else ids.if_capped,
                        instead=() if ids is None else ids.instead.get(message_id, ()),
                        old_idx=old(item.to),
                    )
                )  # fmt: skip
                if item.asked_text is not None:
                    accepting[-1].fingerprint = fingerprint(self._vault, message_id, item)
        return accepting

    def _seal_again(self, items: Sequence[Accepting]) -> None:
        """The number key changes: what waited for its flush is sealed and looked up as of now."""
        for item in items:
            to = item.prepared.to
            item.to_enc, item.to_idx = self._vault.seal(to), self._vault.index(to)
            item.old_idx = self._vault.old_indexes(to)

    async def _flush_alone(
        self, dedicated: Dedicated, doubtful: Doubtful, item: Accepting
    ) -> Verdict | Refused:
        """Store the items of a refused flush one by one. Only the item at fault is refused."""
        try:
            return (await self._flush(dedicated, doubtful, [item]))[0]
        except DEFECTS as error:
            _log.error("message_unstorable", message_id=item.id, error=without_values(error))
            return Refused("internal", "this message could not be stored; others were")

    async def _flush(
        self, dedicated: Dedicated, doubtful: Doubtful, items: list[Accepting]
    ) -> list[Verdict | Refused]:
        new: Sequence[Accepting] = items
        repeats = 0
        try:
            connection = await dedicated.connection()
            await doubtful.settle(connection, retract)
            if self._vault.moving:
                self._seal_again(items)
            session = connection.get_server_pid()
            try:
                if not await self._at_once(dedicated, items):
                    async with dedicated.transaction():
                        left = await not_stored(connection, items)
                        left = await not_canceled(connection, left)
                        new = await client_refs.claim(connection, left, datetime.now(UTC))
                        repeats = sum(not isinstance(item.repeat_of, Refused) for item in left)
                        repeats -= len(new)
                        if new:
                            new = await judge(connection, self.checks, new)
                            await self._link(connection, new)
                            self._decide(new)
                            await self._store(connection, new)
            except BaseException as error:
                if not await self._happened(dedicated, doubtful, session, new, error):
                    raise
        except BaseException:
            self._give_back(new)
            raise
        self._hand_over(new)
        self.deduplicated += repeats
        count_skips(self.decisions, items)
        return [verdict_of(item) for item in items]

    async def _at_once(self, dedicated: Dedicated, items: Sequence[Accepting]) -> bool:
        """Whether one statement has stored them all. False: nothing is stored, go the long way."""
        if not plain_flush.suits(items, self.checks) or self._late(items):
            return False
        for item in items:  # of a flush that was refused and is repeated item by item
            item.ended = item.repeat_of = None
        self._decide(items)
        if all(item.not_before is None for item in items) and await plain_flush.store(
            dedicated, items
        ):
            return True
        self._give_back(items)
        return False

    async def _happened(
        self,
        dedicated: Dedicated,
        doubtful: Doubtful,
        session: int,
        items: Sequence[Accepting],
        error: BaseException,
    ) -> bool:
        """Whether the transaction was committed although it raised."""
        ids = [item.id for item in items]
        if is_transient(error):
            committed = await was_committed(dedicated, session, ids)
            if committed is not None:
                return committed
        doubtful.remember(session, ids)
        return False

    async def _link(self, connection: Connection, items: Sequence[Accepting]) -> None:
        """Replace the link placeholders of validation by personal codes. One range row a flush."""
        linked = [item for item in items if item.prepared.links]
        if not linked:
            return
        first_seq = await self._links.reserve(connection, len(linked))
        values = [
            link_value(first_seq + k, slot)
            for k, item in enumerate(linked)
            for slot in range(len(item.prepared.links))
        ]
        codes = iter(self._codes.encode_many(values))
        for item in linked:
            urls = short_urls(self._link_base_url, [next(codes) for _ in item.prepared.links])
            item.text = fill_placeholders(
                item.prepared.text, self._link_base_url, [urls[k] for k in item.prepared.link_slots]
            )
        await insert_range(
            connection,
            plan_range(
                first_seq,
                [(item.id, item.prepared.links) for item in linked],
                datetime.now(UTC) + self._link_lifetime,
            ),
        )

    def _decide(self, items: Sequence[Accepting]) -> None:
        reserve, term, paces = self._ready.reserve, self._term, self._pace.active
        now_ns = self._clock.monotonic_ns()
        for item in items:
            message = item.prepared
            if item.ended is not None:
                continue
            if paces and not item.paced and item.not_before is None:
                item.paced = True
                self._pace_item(item, now_ns)
            if item.not_before is None and reserve(
                message.connector, message.category, message.parts
            ):
                item.owner = term

    def _pace_item(self, item: Accepting, now_ns: int) -> None:
        """Put off a message until the rates of account, sender, route and recipient let it go."""
        wait_ns, hold = self._pace.wait_ns(item.prepared, item.to_idx, now_ns)
        if wait_ns == STOPPED_NS:
            item.not_before, item.hold = FREED_BY_HAND, hold
        elif wait_ns:
            moment_ms = self._clock.database_ms() + wait_ns / 1_000_000
            item.not_before = datetime.fromtimestamp(moment_ms / 1000, UTC)
            item.hold = hold

    async def _store(self, connection: Connection, items: Sequence[Accepting]) -> None:
        await batches.register(connection, items)
        await self._store_messages(connection, items)
        await name_new(connection, self._late(items))
        outbox = [outbox_row(item) for item in items if item.ended is None]
        if outbox:
            await connection.copy_records_to_table("outbox", records=outbox, columns=OUTBOX_COLUMNS)
        held = [item for item in items if item.not_before is not None and item.ended is None]
        await events.append(
            connection,
            [held_event(item, self._ids) for item in held],
        )
        if len(outbox) < len(items):
            ended = [ended_row(item, self._ids) for item in items if item.ended is not None]
            await insert_submissions(connection, ended)
            await tell_rows(connection, ended, self._ids)

    def _late(self, items: Sequence[Accepting]) -> list[int]:
        """Those that reports may have passed already, if their transaction began now."""
        return late((item.id for item in items), self._ids.next())

    async def _store_messages(self, connection: Connection, items: Sequence[Accepting]) -> None:
        if all(item.prepared.callback is None for item in items):
            await connection.copy_records_to_table(
                "message", records=[message_row(item) for item in items], columns=MESSAGE_COLUMNS
            )
            return
        await connection.copy_records_to_table(
            "message", records=[callback_row(item) for item in items], columns=CALLBACK_COLUMNS
        )

    def _give_back(self, items: Sequence[Accepting]) -> None:
        for item in items:
            if item.owner:
                message = item.prepared
                self._ready.release(message.connector, message.category, message.parts)
                item.owner = 0

    def _hand_over(self, items: Sequence[Accepting]) -> None:
        ready: dict[int, list[ReadyMessage]] = {}
        for item in batches.registered(items):
            message = item.prepared
            self.accepted_by_category[message.category] += 1
            if item.owner:
                ready.setdefault(message.connector, []).append(ready_message(item))
            elif item.ended is None and item.not_before is None:
                self._ready.backlog(message.connector, message.category)
            elif item.ended is not None:
                status = item.ended.status
                self.ended[status] = self.ended.get(status, 0) + 1
                add_decision(self.decisions, item.ended)
            else:
                add_decision(self.decisions, item.hold)
        for connector, messages in ready.items():
            self._ready.push(connector, messages)
