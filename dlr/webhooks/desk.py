"""What an endpoint's owner may look at and set going: the log, redelivery, replay, test, states.

Owns the list of deliveries, and how what ended is told once more: under the ids it had, so that a
receiver knows it again. Each function runs inside the caller's transaction, but for `Tests`. Must
not know HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.webhooks import client, deliveries, endpoints, events
from dlr.webhooks.deliveries import Attempt, Event, LogState
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint, signing
from dlr.webhooks.outgoing import headers
from dlr.webhooks.results import enter
from dlr.webhooks.schedule import REPLAY_EVENTS_MAX, REPLAY_PER_SECOND, succeeded
from storage import sql
from storage.ids import ID_MAX, IdSource, format_id, id_at
from storage.pool import Connection, Dedicated

_SQL = sql.load("dlr")
REPLAY_ROWS_MAX = 20_000
TEST_EVERY = timedelta(minutes=5)


class Shown(msgspec.Struct, kw_only=True):
    """One delivery that waits, or one row of the log. `state`: waiting, retrying, delivered,
    failed, exhausted, skipped. `at`: of the attempt, or when the next one is.
    """

    id: int  # of the row; the place in the list
    delivery: int
    state: str
    attempt: int
    event_ids: Sequence[int]
    types: Sequence[str]
    at: datetime | None
    url: str | None
    status: int | None = None
    error: str | None = None
    ms: int | None = None
    answer: str | None = None


class TooSoon(Exception):
    """An endpoint is tested at most once in so long; `seconds` until it may be again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"tested a moment ago; again in {seconds:.0f} s")
        self.seconds = seconds


class Replayed(msgspec.Struct, frozen=True):
    """`events` wait again, the last of them in so many `seconds`. `cursor`: the place in the log
    where to go on; None: that was all.
    """

    events: int
    seconds: float
    cursor: int | None


async def waiting(
    connection: Connection, endpoint_id: int, *, after: int = 0, limit: int
) -> list[Shown]:
    """What waits for it, oldest first, behind a delivery's id."""
    rows = await connection.fetch(_SQL["webhook_waiting_listed"], endpoint_id, after, limit)
    types = await _types(connection, rows)
    return [
        Shown(
            id=row["id"], delivery=row["id"], state="retrying" if row["attempt"] else "waiting",
            attempt=row["attempt"], event_ids=row["event_ids"],
            types=_types_of(row, types), at=row["next_at"], url=row["url"],
        )
        for row in rows
    ]  # fmt: skip


async def logged(
    connection: Connection,
    endpoint_id: int,
    *,
    states: Sequence[LogState] = tuple(LogState),
    types: Sequence[str] = (),
    since: datetime | None = None,
    before: int = ID_MAX,
    limit: int,
) -> list[Shown]:
    """Rows of its log, newest first, below an id. `types`: with an event of one of these."""
    rows = await connection.fetch(
        _SQL["webhook_log_listed"],
        endpoint_id,
        0 if since is None else id_at(since),
        before,
        [int(state) for state in states],
        list(types) or None,
        limit,
    )
    known = await _types(connection, rows)
    return [
        Shown(
            id=row["id"], delivery=row["delivery"], state=LogState(row["state"]).label,
            attempt=row["attempt"], event_ids=row["event_ids"], types=_types_of(row, known),
            at=None, url=row["url"], status=row["status"], error=row["error"], ms=row["ms"],
            answer=row["answer"],
        )
        for row in rows
    ]  # fmt: skip


async def redeliver(
    connection: Connection, endpoint: Endpoint, delivery_id: int, now: datetime
) -> bool:
    """The same delivery once more, now, with all its attempts: the same id, the same octets. False:
    there is none, or its events are not kept any more.
    """
    if await connection.fetchval(_SQL["webhook_redeliver_waiting"], endpoint.id, delivery_id, now):
        return True
    again = await connection.fetchval(
        _SQL["webhook_redeliver_logged"], endpoint.id, delivery_id, now
    )
    return again is not None


async def replay(
    connection: Connection,
    endpoint: Endpoint,
    *,
    since: datetime,
    until: datetime,
    types: Sequence[str] = (),
    states: Sequence[LogState] = (LogState.EXHAUSTED, LogState.SKIPPED),
    cursor: int | None = None,
    ids: IdSource,
    now: datetime,
) -> Replayed:
    """Events of its log in [since, until) wait once more, each under its own id.

    They wait behind what is fresh, REPLAY_PER_SECOND a second. What waits already does not do so
    twice.
    """
    first = id_at(since) if cursor is None else cursor + 1
    rows = await connection.fetch(
        _SQL["webhook_log_replayable"],
        endpoint.id, first, id_at(until), [int(state) for state in states], REPLAY_ROWS_MAX,
    )  # fmt: skip
    urls: dict[int, str | None] = {}
    last = 0
    for row in rows:
        if len(urls) >= REPLAY_EVENTS_MAX:
            break
        urls.update(dict.fromkeys(row["event_ids"], row["url"]))
        last = row["id"]
    more = bool(rows) and (last != rows[-1]["id"] or len(rows) == REPLAY_ROWS_MAX)
    found = await connection.fetch(
        _SQL["webhook_events_replayable"], endpoint.id, list(urls), min(urls, default=0),
        max(urls, default=0), list(types) or None,
    )  # fmt: skip
    groups: dict[str | None, list[tuple[int, int]]] = {}
    for row in found:
        groups.setdefault(urls[row["id"]], []).append((row["id"], row["octets"]))
    made = [
        (url, chunk)
        for url, group in groups.items()
        for chunk in deliveries.chunks(group, endpoint.batch_max)
    ]
    await deliveries.open_replayed(connection, endpoint, made, ids, now, REPLAY_PER_SECOND)
    return Replayed(len(found), len(found) / REPLAY_PER_SECOND, last if more else None)


async def set_by_hand(
    connection: Connection,
    endpoint: Endpoint,
    state: State,
    *,
    ids: IdSource,
    now: datetime,
) -> bool:
    """Pause, disable, or make active again: the last after a test that succeeded. False: it was in
    that state.
    """
    return await enter(connection, endpoint, state, "by hand", now, ids)


class Tests:
    """Sends `webhook.test` at once, beside what waits."""

    def __init__(
        self,
        dedicated: Dedicated,
        sender: client.WebhookClient,
        *,
        ids: IdSource,
        now: Callable[[], datetime],
    ) -> None:
        self._dedicated = dedicated
        self._turn = asyncio.Lock()  # one connection, so one at a time
        self._client = sender
        self._ids = ids
        self._now = now

    async def test(
        self, endpoint: Endpoint, *, every: timedelta | None = TEST_EVERY
    ) -> client.Attempt:
        """One request; it is in the log. `every`: not oftener, with those that were bounded so
        before. Raises TooSoon, and what a database away raises.
        """
        now = self._now()
        if every is not None:
            async with self._turn, self._dedicated.transaction() as connection:
                if not await endpoints.note_test(connection, endpoint.id, now, every):
                    raise TooSoon(every.total_seconds())
        event_id, delivery = self._ids.next(), self._ids.next()
        data = {"endpoint": format_id("whe", endpoint.id)}
        body = events.body(events.TEST, now, data)
        told = headers(
            endpoint, signing(endpoint.secrets, now), events.event_name(event_id),
            int(now.timestamp()), body,
        )  # fmt: skip
        made = await self._client.post(endpoint.url, body, told, authority=endpoint.ca)
        good = succeeded(made.status)
        async with self._turn, self._dedicated.transaction() as connection:
            await deliveries.insert_events(
                connection,
                [Event(event_id, endpoint.account, events.TEST, 0, 0, 0, body, None)],
            )
            row = Attempt(
                self._ids.next(), endpoint.id, delivery, 1,
                LogState.DELIVERED if good else LogState.FAILED, [event_id], None, False,
                made.status, None if made.error is None else made.error.value, made.milliseconds,
                deliveries.printable(made.answer) or made.detail,
            )  # fmt: skip
            await deliveries.log(connection, [row])
        return made

    async def enable(self, endpoint: Endpoint) -> client.Attempt:
        """Active again, if a test succeeds: the answer says so. Raises as `test` does."""
        made = await self.test(endpoint)
        if succeeded(made.status):
            async with self._turn, self._dedicated.transaction() as connection:
                await set_by_hand(
                    connection, endpoint, State.ACTIVE, ids=self._ids, now=self._now()
                )
        return made


async def _types(connection: Connection, rows: Sequence[asyncpg.Record]) -> dict[int, str]:
    wanted = [event_id for row in rows for event_id in row["event_ids"]]
    if not wanted:
        return {}
    found = await connection.fetch(_SQL["webhook_types"], wanted, min(wanted), max(wanted))
    return {row["id"]: row["type"] for row in found}


def _types_of(row: asyncpg.Record, types: dict[int, str]) -> list[str]:
    return sorted({types[each] for each in row["event_ids"] if each in types})
