"""What became of attempts, stored many at a time.

Owns the transaction that ends deliveries or puts them off, writes the log, and changes an
endpoint's state. What a process that lost its term says is not stored: its deliveries belong to
another, which tells the same under the same id. Must not decide what follows on an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec
import structlog

from dlr.webhooks import changes, deliveries, endpoints
from dlr.webhooks.deliveries import Attempt, LogState
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint
from storage.faults import Fenced, is_transient, without_values
from storage.group_commit import GroupCommit
from storage.ids import IdSource, format_id
from storage.pool import Connection, Dedicated

_log = structlog.get_logger(__name__)
RESULTS_PER_FLUSH_MAX = 500
RESULTS_WAITING_MAX = 4_000
RETRY_SECONDS = 0.5
# What attempts bring about is no match for what its owner, or another process, decided meanwhile.
BY_ITSELF: Mapping[State, tuple[State, ...]] = MappingProxyType(
    {
        State.ACTIVE: (State.FAILING,),
        State.FAILING: (State.ACTIVE,),
        State.DISABLED: (State.ACTIVE, State.FAILING, State.PAUSED),
    }
)
SUCCESS_NOTED = timedelta(seconds=30)  # how late `last_success_at` may be


class Result(msgspec.Struct):
    """One attempt's end. `again_at`: when the next one is, and `made` how many count by then; None:
    there is none. `entered`: the state that its endpoint is in by it, and why.
    """

    endpoint: Endpoint
    logged: Attempt
    at: datetime
    again_at: datetime | None = None
    made: int = 0
    entered: tuple[State, str] | None = None


class Results:
    """One writer."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        term: int,
        ids: IdSource,
        learn: Callable[[], None],
        ended: Callable[[int, int], None],
    ) -> None:
        """`learn` is told when an endpoint's state was changed; `ended` (endpoint, events) when
        some wait no longer.
        """
        self._dedicated = dedicated
        self._term = term
        self._ids = ids
        self._learn = learn
        self._ended = ended
        self._successes: dict[int, datetime] = {}  # as noted; bounded by the endpoints there are
        self.attempts: dict[str, int] = {}  # by what became of them
        self.exhausted = 0
        self.commits: GroupCommit[Result, None] = GroupCommit(
            self._flush,
            name="webhook results",
            items_per_flush_max=RESULTS_PER_FLUSH_MAX,
            items_waiting_max=RESULTS_WAITING_MAX,
            retry=_retry_delay,
        )

    @property
    def room(self) -> bool:
        """Whether more may be attempted: what is known of attempts must not pile up in memory."""
        return self.commits.waiting * 2 < RESULTS_WAITING_MAX

    def take(self, result: Result) -> None:
        """Store it soon."""
        self.commits.offer([result])

    async def close(self) -> None:
        """Store everything, then stop."""
        await self.commits.close()

    async def _flush(self, results: list[Result], attempt: int) -> Sequence[None]:
        async with self._dedicated.transaction() as connection:
            await self._store(connection, results)
        for result in results:
            self._count(result)
        if any(result.entered for result in results):
            self._learn()
        return [None] * len(results)

    async def _store(self, connection: Connection, results: Sequence[Result]) -> None:
        over = [each.logged.delivery for each in results if each.again_at is None]
        later = {
            each.logged.delivery: (each.made, each.again_at)
            for each in results
            if each.again_at is not None
        }
        await deliveries.end(connection, over, self._term)
        await deliveries.put_off(connection, later, self._term)
        await deliveries.log(connection, [each.logged for each in results])
        successes = {
            each.endpoint.id: each.at
            for each in results
            if each.logged.state == LogState.DELIVERED and self._is_news(each)
        }
        await endpoints.note_success(connection, successes)
        self._successes.update(successes)
        for each in results:
            if each.entered is not None:
                state, reason = each.entered
                await enter(
                    connection, each.endpoint, state, reason, each.at, self._ids, BY_ITSELF[state]
                )

    def _is_news(self, result: Result) -> bool:
        noted = self._successes.get(result.endpoint.id)
        return noted is None or result.at - noted >= SUCCESS_NOTED

    def _count(self, result: Result) -> None:
        logged = result.logged
        kind = logged.error or f"{(logged.status or 0) // 100}xx"
        self.attempts[kind] = self.attempts.get(kind, 0) + 1
        self.exhausted += len(logged.event_ids) * (logged.state == LogState.EXHAUSTED)
        if result.again_at is None:
            self._ended(result.endpoint.id, len(logged.event_ids))


async def enter(
    connection: Connection,
    endpoint: Endpoint,
    state: State,
    reason: str,
    now: datetime,
    ids: IdSource,
    only_from: Sequence[State] = tuple(State),
) -> bool:
    """The endpoint is in this state from now on, and the account's others hear of it. False: it was
    already, or in none of `only_from`.
    """
    if not await endpoints.set_state(
        connection, endpoint.id, state, reason, now, only_from=only_from
    ):
        return False
    _log.warning(
        "webhook_endpoint", endpoint=format_id("whe", endpoint.id), state=state.label, reason=reason
    )
    if state in (State.FAILING, State.DISABLED):
        data = {
            "endpoint": format_id("whe", endpoint.id),
            "reason": reason,
            "since": endpoint.since,
        }
        told = changes.happened(
            f"endpoint.{state.label}", endpoint.account, now, data, spared=endpoint.id
        )
        await changes.tell(connection, [told], ids)
    return True


def _retry_delay(error: BaseException, attempt: int) -> float | None:
    """Results wait for PostgreSQL: without them everything would be told once more."""
    if isinstance(error, Fenced):
        return None
    if not is_transient(error):
        _log.error("webhook_results_wait", error=without_values(error), attempt=attempt)
    return RETRY_SECONDS
