"""From what changed to what has to be told: events, and deliveries for each endpoint that asks.

Owns one transaction at a time, of one process at a time: it takes rows of `webhook_change` out and
puts events and deliveries in. Killed before its COMMIT it has done nothing; the next one does it.
Must not send (worker.py), nor decide what a message's status is (dlr/status.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from dlr.reasons import Reason
from dlr.status import STATUSES, Status
from dlr.webhooks import deliveries, endpoints, events
from dlr.webhooks.callbacks import Callback, callback_of
from dlr.webhooks.changes import LOOK, Change, Happened, Noted, decode, instant
from dlr.webhooks.deliveries import Event, Made, Telling, Told
from dlr.webhooks.endpoints import Endpoint, SecretBox, TooMany
from dlr.webhooks.events import MessageData, PartState, Standing
from dlr.webhooks.subscriptions import Subscriptions
from storage import sql
from storage.categories import Category
from storage.crypto import NumberVault, mask
from storage.ids import IdSource, format_id, time_of
from storage.pool import Connection, Dedicated

_SQL = sql.load("dlr")
CHANGES_MAX = 2_000  # of a turn; one row may hold as many
ROWS_MAX = 100
SLICE_ITEMS = 100
CLOCKS_APART = (3_600_000) << 22  # an hour of ids


class FanOut:
    """One process's turns at it."""

    def __init__(
        self,
        dedicated: Dedicated,
        subscriptions: Subscriptions,
        *,
        box: SecretBox,
        vault: NumberVault,
        ids: IdSource,
        now: Callable[[], datetime],
        made: Callable[[Mapping[int, int]], None],
        waiting: Callable[[int], int],
    ) -> None:
        """`made` is told after each commit how many events wait since then, by endpoint; `waiting`
        says how many do.
        """
        self._dedicated = dedicated
        self._subscriptions = subscriptions
        self._box = box
        self._vault = vault
        self._ids = ids
        self._now = now
        self._made = made
        self._waiting = waiting
        self.events = 0
        self.skipped = 0

    async def turn(self) -> int:
        """Make events of what waits; how many changes that were. 0 also when another process is at
        it.
        """
        async with self._dedicated.guarded() as connection:
            if not await connection.fetchval(_SQL["webhook_change_waits"]):
                return 0
        async with self._dedicated.transaction() as connection:
            if not await connection.fetchval(_SQL["webhook_fan_out_alone"]):
                return 0
            rows = await connection.fetch(_SQL["webhook_changes"], ROWS_MAX)
            if not rows:
                return 0
            await self._subscriptions.learn(connection)
            noted, done = _taken(rows)
            made = await self._make(connection, noted)
            await connection.execute(_SQL["webhook_changes_done"], done)
        self.events += made.events
        self.skipped += made.skipped
        self._made(made.waiting)
        return len(noted.messages) + len(noted.others)

    async def _make(self, connection: Connection, noted: Noted) -> Made:
        told: list[tuple[Event, list[Telling]]] = []
        if noted.messages:
            told += await self._of_messages(connection, noted.messages)
        for start in range(0, len(noted.others), SLICE_ITEMS):
            told += map(self._of_other, noted.others[start : start + SLICE_ITEMS])
            await asyncio.sleep(0)
        told = [each for each in told if each[1]]
        await deliveries.insert_events(connection, [event for event, _ in told])
        return await deliveries.open_all(
            connection,
            (
                Told(event.id, event.subject, len(event.body), telling)
                for event, tellings in told
                for telling in tellings
            ),
            ids=self._ids,
            now=self._now(),
            waiting=self._waiting,
        )

    async def _of_messages(
        self, connection: Connection, changes: Sequence[Change]
    ) -> list[tuple[Event, list[Telling]]]:
        ids = sorted({change.message for change in changes})
        found = await connection.fetch(_SQL["webhook_messages"], ids, CLOCKS_APART, ids[0], ids[-1])
        messages = {row["id"]: row for row in found}
        looked = sorted({change.message for change in changes if change.status == LOOK})
        parts = await self._parts(connection, looked)
        last = {row["id"]: (row["sequence"] or 0, row["status"] or 0) for row in found}
        told: list[tuple[Event, list[Telling]]] = []
        for position, change in enumerate(changes):
            if position % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
            row = messages.get(change.message)
            stands = _standing(change, parts)
            if row is None or stands is None:
                continue
            sequence, status = last[change.message]
            if stands.status is Status.DELIVERED:  # perhaps by an earlier way than was told of
                above = max(stands.sequence, sequence + 1)
                stands = msgspec.structs.replace(stands, sequence=above)
            if stands.sequence <= sequence or _same(stands.status, status):
                continue
            previous = status or change.previous
            last[change.message] = (stands.sequence, stands.status)
            event = self._event(row, change, stands, previous)
            told.append((event, await self._tellings(connection, row, stands.status, event)))
        return told

    async def _parts(
        self, connection: Connection, message_ids: Sequence[int]
    ) -> Mapping[int, Standing]:
        if not message_ids:
            return {}
        rows = await connection.fetch(_SQL["webhook_parts"], message_ids, message_ids[0])
        states: dict[int, list[PartState]] = {}
        of: dict[int, tuple[int, int]] = {}
        for row in rows:
            message = row["message_id"]
            of[message] = row["parts"] if row["part"] else 1, row["way"]
            states.setdefault(message, []).append(
                PartState(
                    Status(row["status"]), Reason(row["reason"]), row["error"], row["done_at"]
                )
            )
        return {message: events.standing(each, *of[message]) for message, each in states.items()}

    def _event(self, row: asyncpg.Record, change: Change, stands: Standing, previous: int) -> Event:
        status = stands.status
        number = self._vault.open_or_none(row["to_enc"])
        callback = callback_of(row["callback"])
        kind = events.type_of(status)
        whole = stands.delivered == row["parts"] or status is Status.DELIVERED
        data = MessageData(
            to=None if number is None else mask(number),
            id=format_id("msg", row["id"]),
            status=status.label,
            previous=Status(previous).label if previous else None,
            final=status.final,
            sequence=stands.sequence,
            sender=row["sender"],
            category=Category(row["category"]).label,
            parts=row["parts"],
            parts_delivered=row["parts"] if whole else stands.delivered,
            client_ref=row["client_ref"],
            batch_id=None if row["batch_id"] is None else format_id("bat", row["batch_id"]),
            campaign_id=row["campaign_id"],
            variant=row["variant"],
            tags=row["tags"] or (),
            created_at=events.moment(time_of(row["id"])),
            done_at=None if stands.done_at is None else events.moment(stands.done_at),
            error=events.failure(status, stands.reason, stands.error),
            callback_data=None if callback is None else callback.data,
        )
        return Event(
            self._ids.next(), row["account"], kind, row["id"], stands.sequence, status,
            events.body(kind, instant(change.at), data),
            None if number is None else row["to_enc"],
        )  # fmt: skip

    async def _tellings(
        self, connection: Connection, row: asyncpg.Record, status: Status, event: Event
    ) -> list[Telling]:
        final = STATUSES[status].final
        tellings = _asked(self._subscriptions.of(row["account"]), event, final=final)
        callback = callback_of(row["callback"])
        if callback is not None and events.wants(callback.events, event.type, final=final):
            origin = await self._origin(connection, row["account"], callback)
            if origin is None:
                self.skipped += 1  # the account has callbacks to too many places
            else:
                tellings.append(Telling(origin, callback.url))
        return tellings

    async def _origin(
        self, connection: Connection, account: int, callback: Callback
    ) -> Endpoint | None:
        """What stands for the place that a callback goes to; None: the account has too many."""
        known = self._subscriptions.origin(account, callback.origin)
        if known is not None:
            return known
        now = self._now()
        made = Endpoint(
            id=self._ids.next(), account=account, url=callback.origin, events=(), callback=True,
            since=now, created_at=now,
        )  # fmt: skip
        try:
            await endpoints.create(connection, self._box, made)
        except TooMany:
            return None
        await self._subscriptions.learn(connection)
        return self._subscriptions.origin(account, callback.origin)

    def _of_other(self, happened: Happened) -> tuple[Event, list[Telling]]:
        data: dict[str, object] = msgspec.json.decode(happened.data)
        number = None
        if happened.number is not None:
            number = self._vault.open_or_none(happened.number)
            masked = None if number is None else mask(number)
            data = {happened.number_field: masked, **data}
        event = Event(
            self._ids.next(), happened.account, happened.type, happened.subject, 0, 0,
            events.body(happened.type, instant(happened.at), data),
            None if number is None else happened.number,
        )  # fmt: skip
        of = self._subscriptions.of(happened.account)
        return event, _asked((each for each in of if each.id != happened.spared), event)


def _taken(rows: Iterable[asyncpg.Record]) -> tuple[Noted, list[int]]:
    """As many as one turn takes, whole rows."""
    noted, done = Noted(), []
    for row in rows:
        each = decode(row["changes"])
        noted.messages += each.messages
        noted.others += each.others
        done.append(row["id"])
        if len(noted.messages) + len(noted.others) >= CHANGES_MAX:
            break
    return noted, done


def _asked(of: Iterable[Endpoint], event: Event, *, final: bool = False) -> list[Telling]:
    """Those of these endpoints whose filter wants the event."""
    return [
        Telling(endpoint)
        for endpoint in of
        if events.wants(endpoint.events, event.type, final=final)
    ]


def _standing(change: Change, parts: Mapping[int, Standing]) -> Standing | None:
    if change.status == LOOK:
        return parts.get(change.message)
    status = Status(change.status)
    return Standing(
        status,
        change.status,
        int(status is Status.DELIVERED),
        Reason(change.reason),
        change.error,
        None if change.done_at is None else instant(change.done_at),
    )


def _same(status: Status, told: int) -> bool:
    """Whether the API's word for it is the one that was told last."""
    return bool(told) and Status(told).label == status.label
