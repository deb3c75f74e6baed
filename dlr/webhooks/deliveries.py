"""What still has to be told, and the log of what was: the rows of deliveries, events, attempts.

Owns the statements on `webhook_delivery`, `webhook_event` and `webhook_attempt`. Each function runs
inside the caller's transaction. Must not send, nor decide when something is tried again
(schedule.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

import asyncpg
import msgspec

from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint
from dlr.webhooks.events import BATCH_OCTETS_MAX
from storage import sql
from storage.codecs import array_text
from storage.ids import IdSource, id_at
from storage.pool import Connection

_SQL = sql.load("dlr")
WAITING_MAX = 1_000_000  # events an endpoint; what is over it is skipped, and can be replayed
WAITING_DAYS_MAX = 5
EVENTS_PER_ROW_MAX = 500
CLAIM_ROWS_MAX = 500  # of an endpoint at once
STEP_ROWS_MAX = 1_000

_DELIVERY_COLUMNS = ("id", "endpoint", "event_ids", "subject", "url", "next_at")


class LogState(IntEnum):
    """What a row of the log says; the code stands in the table."""

    DELIVERED = 0
    FAILED = 1  # and is tried again
    EXHAUSTED = 2  # and is not
    SKIPPED = 3  # no attempt was made, or none more

    @property
    def label(self) -> str:
        """The name in the API, in metrics."""
        return self.name.lower()


class Telling(msgspec.Struct, frozen=True):
    """One endpoint is told; `url` of a callback."""

    endpoint: Endpoint
    url: str | None = None


class Told(msgspec.Struct, frozen=True, gc=False):
    """One event for one endpoint; `octets` of its body."""

    event_id: int
    subject: int
    octets: int
    telling: Telling


class Made(msgspec.Struct):
    """What a turn of the fan-out put in; `waiting`: events by endpoint."""

    events: int = 0
    skipped: int = 0
    waiting: dict[int, int] = msgspec.field(default_factory=dict)


class Delivery(msgspec.Struct):
    """One row, as it is claimed."""

    id: int
    endpoint: int
    event_ids: list[int]
    url: str | None
    attempt: int  # made before
    full_numbers: bool


class Attempt(msgspec.Struct):
    """One row of the log, column for column."""

    id: int
    endpoint: int
    delivery: int
    attempt: int
    state: int
    event_ids: list[int]
    url: str | None = None
    full_numbers: bool = False
    status: int | None = None
    error: str | None = None
    ms: int | None = None
    answer: str | None = None


class Event(msgspec.Struct, gc=False):
    """One row of `webhook_event`, column for column."""

    id: int
    account: int
    type: str
    subject: int
    sequence: int
    status: int
    body: bytes
    number_enc: bytes | None


async def insert_events(connection: Connection, events: Sequence[Event]) -> None:
    """Rows of `webhook_event`."""
    if events:
        await connection.copy_records_to_table(
            "webhook_event",
            records=[msgspec.structs.astuple(event) for event in events],
            columns=Event.__struct_fields__,
        )


async def log(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Rows of `webhook_attempt`."""
    if attempts:
        await connection.copy_records_to_table(
            "webhook_attempt",
            records=[msgspec.structs.astuple(each) for each in attempts],
            columns=Attempt.__struct_fields__,
        )


async def open_all(
    connection: Connection,
    told: Iterable[Told],
    *,
    ids: IdSource,
    now: datetime,
    waiting: Callable[[int], int],
) -> Made:
    """A delivery for each; several events of an endpoint that takes batches share one. What cannot
    wait is logged as skipped.
    """
    made = Made()
    seen: set[int] = set()
    rows: list[tuple[object, ...]] = []
    skipped: list[Attempt] = []
    for group in _grouped(told):
        endpoint, url = group[0].telling.endpoint, group[0].telling.url
        seen.update(each.event_id for each in group)
        why = _refusal(endpoint, waiting(endpoint.id))
        if why is not None:
            made.skipped += len(group)
            skipped += _skipped(endpoint.id, url, [each.event_id for each in group], why, ids)
            continue
        made.waiting[endpoint.id] = made.waiting.get(endpoint.id, 0) + len(group)
        subject = group[0].subject if endpoint.ordered and group[0].subject else None
        wait = endpoint.batch_wait_ms if endpoint.batch_max > 1 else 0
        next_at = now + timedelta(milliseconds=wait)
        rows += [
            (ids.next(), endpoint.id, chunk, subject, url, next_at)
            for chunk in chunks(
                [(each.event_id, each.octets) for each in group], endpoint.batch_max
            )
        ]
    made.events = len(seen)
    if rows:
        await connection.copy_records_to_table(
            "webhook_delivery", records=rows, columns=_DELIVERY_COLUMNS
        )
    await log(connection, skipped)
    return made


async def open_replayed(
    connection: Connection,
    endpoint: Endpoint,
    chunks_at: Sequence[tuple[str | None, list[int]]],
    ids: IdSource,
    now: datetime,
    per_second: int,
) -> None:
    """A delivery for each (url, events), so many events a second from now on, behind fresh ones."""
    moments: list[datetime] = []
    told = 0
    for _, event_ids in chunks_at:
        moments.append(now + timedelta(seconds=told / per_second))
        told += len(event_ids)
    if chunks_at:
        await connection.execute(
            _SQL["webhook_open_replayed"],
            endpoint.id,
            ids.take(len(chunks_at)),
            [msgspec.json.encode(event_ids).decode() for _, event_ids in chunks_at],
            [url for url, _ in chunks_at],
            moments,
        )


def chunks(events: Iterable[tuple[int, int]], batch_max: int) -> list[list[int]]:
    """Of (event, octets), in their order, as many in one as a batch may hold."""
    found: list[list[int]] = []
    held = 0
    for event_id, octets in events:
        held += octets
        if not found or len(found[-1]) >= batch_max or held > BATCH_OCTETS_MAX:
            found.append([])
            held = octets
        found[-1].append(event_id)
    return found


def printable(answer: bytes) -> str:
    """What a receiver said, as a column of text takes it."""
    return answer.decode("utf-8", "replace").replace("\0", "\ufffd")


async def due(connection: Connection, endpoint_ids: Sequence[int], now: datetime) -> list[int]:
    """Those of these endpoints for which something is to be sent now."""
    rows = await connection.fetch(_SQL["webhook_due"], endpoint_ids, now)
    return [row["endpoint"] for row in rows]


async def claim(
    connection: Connection, endpoint: Endpoint, term: int, now: datetime, rows_max: int
) -> tuple[list[Delivery], Mapping[int, asyncpg.Record]]:
    """Take so many that are due, fresh ones first, and the bodies of their events. What was never
    attempted is joined to batches first, and stands fast from here on.
    """
    name = "webhook_claim_ordered" if endpoint.ordered else "webhook_claim"
    found = await connection.fetch(
        _SQL[name], endpoint.id, now, min(rows_max, CLAIM_ROWS_MAX), term, endpoint.full_numbers
    )
    rows = sorted(found, key=lambda row: (row["replayed"], row["next_at"], row["id"]))
    read = await bodies(connection, [event for row in rows for event in row["event_ids"]])
    fresh = [_delivery(row) for row in rows if not row["was_frozen"]]
    frozen = [_delivery(row) for row in rows if row["was_frozen"]]
    if endpoint.batch_max == 1 or len(fresh) < 2:
        return frozen + fresh, read
    joined = _joined(
        fresh, endpoint.batch_max, {key: len(row["body"]) for key, row in read.items()}
    )
    if len(joined) < len(fresh):
        kept = {each.id for each in joined}
        await connection.execute(
            _SQL["webhook_join"],
            [each.id for each in joined],
            [msgspec.json.encode(each.event_ids).decode() for each in joined],
        )
        gone = [each.id for each in fresh if each.id not in kept]
        await connection.execute(_SQL["webhook_deliveries_end"], array_text(gone), term)
    return frozen + joined, read


async def bodies(connection: Connection, event_ids: Sequence[int]) -> Mapping[int, asyncpg.Record]:
    """id -> type, body and sealed number of these events, as far as they are kept."""
    if not event_ids:
        return {}
    rows = await connection.fetch(
        _SQL["webhook_event_bodies"], event_ids, min(event_ids), max(event_ids)
    )
    return {row["id"]: row for row in rows}


async def end(connection: Connection, delivery_ids: Sequence[int], term: int) -> None:
    """These are over, unless somebody else has taken them over."""
    if delivery_ids:
        await connection.execute(_SQL["webhook_deliveries_end"], array_text(delivery_ids), term)


async def put_off(
    connection: Connection, attempts: Mapping[int, tuple[int, datetime]], term: int
) -> None:
    """id -> attempts made, and when the next one is."""
    if attempts:
        await connection.execute(
            _SQL["webhook_put_off"],
            list(attempts),
            [made for made, _ in attempts.values()],
            [moment for _, moment in attempts.values()],
            term,
        )


async def give_back(connection: Connection, delivery_ids: Sequence[int], term: int) -> None:
    """These were claimed and not attempted."""
    if delivery_ids:
        await connection.execute(_SQL["webhook_give_back"], delivery_ids, term)


async def take_over(connection: Connection) -> int:
    """What processes that ended had claimed is free again; how many. An attempt of theirs may be
    made once more, under the same id.
    """
    answer = await connection.execute(_SQL["webhook_take_over"])
    return int(answer.split()[-1])


class Backlog(msgspec.Struct, frozen=True):
    """What waits for an endpoint: events, and since when the oldest."""

    events: int
    oldest_id: int


async def backlogs(connection: Connection) -> dict[int, Backlog]:
    """By endpoint, as far as anything waits."""
    rows = await connection.fetch(_SQL["webhook_backlogs"])
    return {row["endpoint"]: Backlog(row["events"], row["oldest"]) for row in rows}


async def skip(
    connection: Connection, endpoint_id: int, *, before: datetime | None, why: str, ids: IdSource
) -> int:
    """Events of this endpoint that wait since before then (None: all) wait no longer; how many, at
    most STEP_ROWS_MAX deliveries of them. They can be replayed.
    """
    end_id = None if before is None else id_at(before)
    rows = await connection.fetch(_SQL["webhook_skip"], endpoint_id, end_id, STEP_ROWS_MAX)
    by_url: dict[str | None, list[int]] = {}
    for row in rows:
        by_url.setdefault(row["url"], []).extend(row["event_ids"])
    skipped = [
        each
        for url, event_ids in by_url.items()
        for each in _skipped(endpoint_id, url, sorted(event_ids), why, ids)
    ]
    await log(connection, skipped)
    return sum(len(row["event_ids"]) for row in rows)


async def drop_deleted(connection: Connection) -> int:
    """What waits for endpoints that are deleted goes; how many rows, at most STEP_ROWS_MAX."""
    answer = await connection.execute(_SQL["webhook_drop_deleted"], STEP_ROWS_MAX)
    return int(answer.split()[-1])


def _grouped(told: Iterable[Told]) -> list[list[Told]]:
    """Events by what may share a row. Of an ordered endpoint each subject has rows of its own."""
    groups: dict[tuple[int, str | None, int], list[Told]] = {}
    for each in told:
        endpoint = each.telling.endpoint
        key = (endpoint.id, each.telling.url, each.subject if endpoint.ordered else 0)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _refusal(endpoint: Endpoint, waiting: int) -> str | None:
    if endpoint.state is State.DISABLED:
        return "the endpoint is disabled"
    return "too many events wait" if waiting >= WAITING_MAX else None


def _skipped(
    endpoint_id: int, url: str | None, event_ids: Sequence[int], why: str, ids: IdSource
) -> list[Attempt]:
    return [
        Attempt(
            ids.next(), endpoint_id, ids.next(), 0, LogState.SKIPPED,
            list(event_ids[start : start + EVENTS_PER_ROW_MAX]), url, error=why,
        )
        for start in range(0, len(event_ids), EVENTS_PER_ROW_MAX)
    ]  # fmt: skip


def _joined(fresh: Sequence[Delivery], batch_max: int, octets: Mapping[int, int]) -> list[Delivery]:
    """Neighbours become one, as long as they fit."""
    joined: list[Delivery] = []
    held = 0
    for each in fresh:
        more = sum(octets.get(event, 0) for event in each.event_ids)
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.url == each.url
            and len(last.event_ids) + len(each.event_ids) <= batch_max
            and held + more <= BATCH_OCTETS_MAX
        ):
            last.event_ids += each.event_ids
            held += more
        else:
            joined.append(each)
            held = more
    return joined


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(
        row["id"], row["endpoint"], list(row["event_ids"]), row["url"], row["attempt"],
        row["full_numbers"],
    )  # fmt: skip
