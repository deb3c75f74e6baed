"""Sends what is due: claims, turns between endpoints, requests, and what follows on each.

Owns what this process has claimed and not yet sent, bounded in number and octets; what waits stays
in the table. Killed at any point it leaves claims, which another process takes over with its term.
An attempt may then be made once more, with the same id and octets. Must not decide when something
is tried again (schedule.py) nor when an endpoint fails (endpoint_state.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from dlr.webhooks import client, deliveries
from dlr.webhooks.deliveries import Attempt, LogState
from dlr.webhooks.endpoint_state import EndpointHealth, Outcome, State, Ticket, outcome_of
from dlr.webhooks.endpoints import Endpoint, signing
from dlr.webhooks.outgoing import Outgoing, headers, outgoing
from dlr.webhooks.results import Result, Results
from dlr.webhooks.schedule import Step, Verdict, step_after
from dlr.webhooks.subscriptions import Subscriptions
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

TURN_SECONDS = 0.25
UNSAID_SECONDS = 1.0  # until a file may be opened again
CLAIMED_MAX = 2_000  # deliveries
CLAIMED_OCTETS_MAX = 64 * 1024 * 1024
AHEAD = 8  # claimed for each request that may be under way
BATCHES_AHEAD = 2
REQUESTS_MAX = client.REQUESTS_MAX

_LOGGED = {
    Verdict.DELIVERED: LogState.DELIVERED,
    Verdict.RETRY: LogState.FAILED,
    Verdict.EXHAUSTED: LogState.EXHAUSTED,
    Verdict.REFUSED: LogState.EXHAUSTED,
    Verdict.GONE: LogState.SKIPPED,
}


class Clocks(msgspec.Struct, frozen=True):
    """`now` of the wall, `monotonic` seconds, `chance` uniform in [0, 1)."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    chance: Callable[[], float]


class Client(Protocol):
    """Makes one request (client.py)."""

    async def post(
        self, url: str, body: bytes, headers: dict[str, str], *, authority: str | None = None
    ) -> client.Attempt:
        """Never raises for what the receiver does."""


class _Run:
    """One endpoint with something claimed, or under way, or known of its health."""

    __slots__ = ("health", "octets", "queue")

    def __init__(self, health: EndpointHealth) -> None:
        self.health = health
        self.queue: deque[Outgoing] = deque()
        self.octets = 0


class Worker:
    """One process's share of the sending."""

    def __init__(
        self,
        dedicated: Dedicated,
        results: Results,
        subscriptions: Subscriptions,
        sender: Client,
        *,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        clocks: Clocks,
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._results = results
        self._subscriptions = subscriptions
        self._client = sender
        self._vault = vault
        self._ids = ids
        self._term = term
        self._clocks = clocks
        self._runs: dict[int, _Run] = {}
        self._turns: deque[int] = deque()  # endpoints with something claimed
        self._senders: set[asyncio.Task[None]] = set()
        self._claimed = 0
        self._claiming: asyncio.Future[None] | None = None
        self._octets = 0
        self._hungry = False
        self._stopping = False
        self._told_ended = ended
        self._task = PeriodicTask("webhook worker", self.turn, self._pause, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self, grace_seconds: float) -> None:
        """Let requests end, within so long; what was claimed is free again. The results have to be
        closed afterwards.
        """
        self._stopping = True
        await self._task.stop()
        if self._claiming is not None:
            await asyncio.gather(self._claiming, return_exceptions=True)
        if self._senders:
            await asyncio.wait(self._senders, timeout=grace_seconds)
        for sender in tuple(self._senders):
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        left = [each.delivery.id for run in self._runs.values() for each in run.queue]
        if left:
            async with self._dedicated.guarded() as connection:
                await deliveries.give_back(connection, left, self._term)

    def wake(self) -> None:
        """Something is due."""
        self._hungry = True
        self._task.wake()

    def health(self, endpoint: Endpoint) -> EndpointHealth:
        """As this process sees it."""
        return self._run(endpoint).health

    def follow(self) -> None:
        """Endpoints were changed: their owner, or another process, may have set a state."""
        now = self._clocks.monotonic()
        known = self._subscriptions.endpoints
        for endpoint_id in [each for each in self._runs if each not in known]:
            if not self._runs[endpoint_id].queue and not self._runs[endpoint_id].health.in_flight:
                del self._runs[endpoint_id]
        for endpoint_id, run in self._runs.items():
            if endpoint_id in known:
                run.health.set_by_hand(known[endpoint_id].state, now)
        self.wake()

    async def turn(self) -> None:
        """Claim what is due and may go, then send."""
        self._hungry = False
        wanted = self._wanted()
        if wanted:
            connection = await self._dedicated.connection()
            now = self._clocks.now()
            for endpoint_id in await deliveries.due(connection, list(wanted), now):
                # Whole: else a stop leaves what is committed claimed until the term ends.
                self._claiming = asyncio.ensure_future(
                    self._claim(endpoint_id, wanted[endpoint_id])
                )
                await asyncio.shield(self._claiming)
        await self._give_back_stopped()
        self._send()

    def _pause(self) -> float:
        return 0.0 if self._hungry else TURN_SECONDS

    def _wanted(self) -> dict[int, int]:
        """endpoint -> how many more deliveries it could use."""
        now = self._clocks.monotonic()
        if not self._results.room or self._octets >= CLAIMED_OCTETS_MAX:
            return {}
        wanted: dict[int, int] = {}
        for endpoint in self._subscriptions.endpoints.values():
            if endpoint.state in (State.PAUSED, State.DISABLED):
                continue
            run = self._runs.get(endpoint.id)
            count = _first(endpoint) if run is None else _more(endpoint, run, now)
            if count > 0:
                wanted[endpoint.id] = count
        return wanted

    async def _claim(self, endpoint_id: int, count: int) -> None:
        endpoint = self._subscriptions.endpoints.get(endpoint_id)
        count = min(count, CLAIMED_MAX - self._claimed)
        if endpoint is None or count <= 0:
            return
        async with self._dedicated.transaction() as connection:
            now = self._clocks.now()
            claimed, read = await deliveries.claim(connection, endpoint, self._term, now, count)
        run = self._run(endpoint)
        gone: list[int] = []
        for delivery in claimed:
            item = outgoing(delivery, read, batched=endpoint.batch_max > 1, vault=self._vault)
            if item is None:
                gone.append(delivery.id)
                continue
            if not run.queue:
                self._turns.append(endpoint_id)
            run.queue.append(item)
            self._claimed += 1
            self._octets += len(item.body)
        if gone:
            async with self._dedicated.guarded() as connection:
                await deliveries.end(connection, gone, self._term)
        if len(claimed) >= count:
            self._hungry = True

    async def _give_back_stopped(self) -> None:
        """What was claimed for endpoints that take nothing any more, or only probes."""
        known = self._subscriptions.endpoints
        back: list[int] = []
        for endpoint_id, run in self._runs.items():
            endpoint = known.get(endpoint_id)
            keep = len(run.queue)
            if endpoint is None or run.health.state in (State.PAUSED, State.DISABLED):
                keep = 0
            elif run.health.state is State.FAILING:
                keep = min(keep, 1)
            while len(run.queue) > keep:
                back.append(self._taken(run, last=True).delivery.id)
        if back:
            async with self._dedicated.guarded() as connection:
                await deliveries.give_back(connection, back, self._term)

    def _send(self) -> None:
        """As many senders as there is work and room for."""
        while len(self._senders) < REQUESTS_MAX and not self._stopping:
            item = self._next()
            if item is None:
                return
            sender = asyncio.create_task(self._sender(*item), name="webhook sender")
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
            sender.add_done_callback(self._told_ended)

    def _next(self) -> tuple[Endpoint, Outgoing, Ticket] | None:
        """The next delivery that may go, of the endpoint whose turn it is."""
        if self._stopping or not self._results.room:
            return None
        now = self._clocks.monotonic()
        for _ in range(len(self._turns)):
            endpoint_id = self._turns.popleft()
            run, endpoint = self._runs[endpoint_id], self._subscriptions.endpoints.get(endpoint_id)
            if not run.queue:
                continue
            if endpoint is None or not run.health.room(now):
                self._turns.append(endpoint_id)
                continue
            item = self._taken(run)
            if run.queue:
                self._turns.append(endpoint_id)
            if len(run.queue) * 2 < run.health.at_once:
                self.wake()
            return endpoint, item, run.health.start(now)
        return None

    def _taken(self, run: _Run, *, last: bool = False) -> Outgoing:
        item = run.queue.pop() if last else run.queue.popleft()
        self._claimed -= 1
        self._octets -= len(item.body)
        return item

    async def _sender(self, endpoint: Endpoint, item: Outgoing, ticket: Ticket) -> None:
        """One after the other, as long as there is one that may go."""
        while True:
            await self._attempt(endpoint, item, ticket)
            following = self._next()
            if following is None:
                self.wake()
                return
            endpoint, item, ticket = following

    async def _attempt(self, endpoint: Endpoint, item: Outgoing, ticket: Ticket) -> None:
        delivery = item.delivery
        made = await self._asked(endpoint, item)
        while made.unsaid:  # that is not the endpoint's fault, and uses none of its attempts
            if self._stopping:
                self._put_back(endpoint, item, ticket)
                return
            await asyncio.sleep(UNSAID_SECONDS)
            made = await self._asked(endpoint, item)
        ended = self._clocks.now()
        outcome = outcome_of(made.status, timed_out=made.timed_out)
        health = self._run(endpoint).health
        entered = health.end(ticket, outcome, self._clocks.monotonic())
        step = step_after(
            delivery.attempt + 1,
            status=made.status,
            refused=made.refused,
            retry_after=made.retry_after,
            now=ended,
            chance=self._clocks.chance(),
        )
        logged = self._logged(endpoint, delivery, made, step)
        result = Result(endpoint, logged, ended, entered=entered)
        if step.verdict is Verdict.RETRY:
            # While an endpoint fails its schedules stand still: a probe uses none of the attempts,
            # and goes behind what else is due.
            result.made = delivery.attempt + (not ticket.probe)
            wait = 0.0 if ticket.probe else step.wait_seconds
            result.again_at = ended + timedelta(seconds=wait)
        self._results.take(result)

    async def _asked(self, endpoint: Endpoint, item: Outgoing) -> client.Attempt:
        now = self._clocks.now()
        secrets = endpoint.secrets
        if endpoint.callback:
            secrets = self._subscriptions.callback_secrets.get(endpoint.account, ())
        keys = signing(secrets, now)
        if not keys:
            return client.Attempt(error=client.Failure.SECRET_UNREADABLE, milliseconds=0)
        url = item.delivery.url or endpoint.url
        told = headers(endpoint, keys, item.name, int(now.timestamp()), item.body)
        return await self._client.post(url, item.body, told, authority=endpoint.ca)

    def _put_back(self, endpoint: Endpoint, item: Outgoing, ticket: Ticket) -> None:
        run = self._run(endpoint)
        run.health.end(ticket, Outcome.UNSAID, self._clocks.monotonic())
        run.queue.appendleft(item)
        self._claimed += 1
        self._octets += len(item.body)

    def _logged(
        self, endpoint: Endpoint, delivery: deliveries.Delivery, made: client.Attempt, step: Step
    ) -> Attempt:
        return Attempt(
            id=self._ids.next(),
            endpoint=endpoint.id,
            delivery=delivery.id,
            attempt=delivery.attempt + 1,
            state=_LOGGED[step.verdict],
            event_ids=delivery.event_ids,
            url=delivery.url,
            full_numbers=delivery.full_numbers,
            status=made.status,
            error=None if made.error is None else made.error.value,
            ms=made.milliseconds,
            answer=deliveries.printable(made.answer) or made.detail,
        )

    def _run(self, endpoint: Endpoint) -> _Run:
        run = self._runs.get(endpoint.id)
        if run is None:
            failing = None
            if endpoint.state is State.FAILING:
                failing = (self._clocks.now() - endpoint.since).total_seconds()
            now = self._clocks.monotonic()
            health = EndpointHealth(endpoint.state, now, failing_for_seconds=failing)
            run = self._runs[endpoint.id] = _Run(health)
        return run


def _first(endpoint: Endpoint) -> int:
    """What is claimed for an endpoint of which nothing is known yet."""
    return 1 if endpoint.state is State.FAILING else 4


def _more(endpoint: Endpoint, run: _Run, now: float) -> int:
    if run.health.state is State.FAILING:
        return int(run.health.room(now) > 0 and not run.queue)
    if run.health.state is not State.ACTIVE:
        return 0
    ahead = BATCHES_AHEAD if endpoint.batch_max > 1 else AHEAD
    return run.health.at_once * ahead - len(run.queue)
