"""What an account does with its endpoints: make, change, exchange secrets, stop, start, end.

Owns these transactions, each with its row of the audit. Must not judge what a request holds
(web/api/webhooks.py), nor decide when a state changes by itself (endpoint_state.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from dlr.webhooks import desk, endpoints
from dlr.webhooks.addresses import AddressPolicy, UrlRefused
from dlr.webhooks.client import Attempt, Failure
from dlr.webhooks.deliveries import LogState
from dlr.webhooks.desk import Replayed, Shown, Tests
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox
from dlr.webhooks.owner_wishes import Actor, Enabled, EndpointWish, LogFilter, ReplayWish, Tested
from dlr.webhooks.signature import new_key, signing_of
from storage import audit
from storage.audit import AuditEntry
from storage.faults import Overloaded, or_storage_down
from storage.ids import ID_MAX, IdSource
from storage.pool import Connection, Dedicated
from storage.reading import reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX = "whe"  # of an endpoint's id in the API
TESTS_MAX = 16  # at once


class OwnerDesk:
    """Implements WebhookEndpoints. One change at a time: they are few."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        tests: Tests,
        policy: AddressPolicy,
        box: SecretBox,
        ids: IdSource,
        now: Callable[[], datetime],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        """`settled` returns once what was committed is heeded everywhere."""
        self._pool = pool
        self._dedicated = dedicated
        self._tests = tests
        self._policy = policy
        self._box = box
        self._ids = ids
        self._now = now
        self._settled = settled
        self._turn = asyncio.Lock()
        self._testing = 0

    def url_fault(self, url: str) -> str | None:
        """Why this URL may not be asked; None: it may."""
        try:
            self._policy.target(url)
        except UrlRefused as refused:
            return str(refused)
        return None

    async def create(
        self, actor: Actor, wish: EndpointWish, endpoint_id: int | None = None
    ) -> Endpoint:
        """Stored, and told of whatever happens from now on. With an id that is stored already, that
        one. Raises TooMany, StorageDown.
        """
        if endpoint_id is not None:
            stored = await self.get(actor.account, endpoint_id)
            if stored is not None:
                return stored
        now = self._now()
        endpoint = Endpoint(
            id=self._ids.next() if endpoint_id is None else endpoint_id,
            account=actor.account,
            url=wish.url,
            events=wish.events,
            batch_max=wish.batch_max,
            batch_wait_ms=wish.batch_wait_ms,
            full_numbers=wish.full_numbers,
            ordered=wish.ordered,
            ca=wish.ca,
            headers=wish.headers,
            secrets=(Secret(wish.key),),
            since=now,
            created_at=now,
        )
        async with self._changing() as connection:
            await endpoints.create(connection, self._box, endpoint)
            await self._note(connection, actor, "create", endpoint.id)
        await self._settled()
        return endpoint

    async def get(self, account: int, endpoint_id: int) -> Endpoint | None:
        """One of this account. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await endpoints.by_id(connection, self._box, account, endpoint_id)

    async def listed(self, account: int, *, after: int, limit: int) -> list[Endpoint]:
        """Of this account, oldest first, behind an id. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await endpoints.listed(connection, self._box, account, after=after, limit=limit)

    async def change(
        self, actor: Actor, endpoint_id: int, changed: Callable[[Endpoint], Endpoint], what: str
    ) -> Endpoint | None:
        """As `changed` makes it of what is stored; None: there is none. Raises StorageDown, and
        what `changed` raises, with nothing changed.
        """
        async with self._changing() as connection:
            await endpoints.moved(connection)  # nobody else changes it meanwhile
            stored = await endpoints.by_id(connection, self._box, actor.account, endpoint_id)
            if stored is None:
                return None
            endpoint = changed(stored)
            await endpoints.change(connection, self._box, endpoint)
            await self._note(connection, actor, what, endpoint_id)
        await self._settled()
        return endpoint

    async def rotate(
        self, actor: Actor, endpoint_id: int, key: str | None, overlap_seconds: int
    ) -> Endpoint | None:
        """`key` signs from now on (None: one made here, of the kind before); those before sign
        along for so long. Raises as `change`.
        """
        until = self._now() + timedelta(seconds=overlap_seconds)

        def rotated(endpoint: Endpoint) -> Endpoint:
            new = key or _successor(endpoint)
            held = endpoints.holding(endpoint.secrets, self._now())
            secrets = endpoints.rotated(held, new, until)
            return msgspec.structs.replace(endpoint, secrets=secrets)

        return await self.change(actor, endpoint_id, rotated, "rotate")

    async def retire(self, actor: Actor, endpoint_id: int) -> Endpoint | None:
        """The newest key signs alone from now on. Raises as `change`."""

        def retired(endpoint: Endpoint) -> Endpoint:
            secrets = endpoints.retired(endpoint.secrets)
            return msgspec.structs.replace(endpoint, secrets=secrets)

        return await self.change(actor, endpoint_id, retired, "retire")

    async def callback_secrets(self, account: int) -> Sequence[Secret]:
        """What signs the callbacks of its messages; empty: they may name none. Raises
        StorageDown.
        """
        async with reading(self._pool) as connection:
            return self._held((await endpoints.callback_secrets(connection, self._box)), account)

    async def rotate_callbacks(
        self, actor: Actor, key: str | None, overlap_seconds: int
    ) -> Sequence[Secret]:
        """As `rotate`, of what signs its callbacks. The first allows them. Raises StorageDown."""
        until = self._now() + timedelta(seconds=overlap_seconds)

        def rotated(held: Sequence[Secret]) -> Sequence[Secret]:
            return endpoints.rotated(held, key or new_key("hmac"), until)

        return await self._change_callbacks(actor, rotated, "rotate")

    async def retire_callbacks(self, actor: Actor) -> Sequence[Secret]:
        """As `retire`, of what signs its callbacks. Raises StorageDown."""
        return await self._change_callbacks(actor, endpoints.retired, "retire")

    async def _change_callbacks(
        self, actor: Actor, changed: Callable[[Sequence[Secret]], Sequence[Secret]], what: str
    ) -> Sequence[Secret]:
        async with self._changing() as connection:
            await endpoints.moved(connection)  # nobody else changes them meanwhile
            stored = await endpoints.callback_secrets(connection, self._box)
            secrets = changed(self._held(stored, actor.account))
            if secrets:
                await endpoints.store_callback_secrets(
                    connection, self._box, actor.account, secrets
                )
            entry = AuditEntry(
                self._ids.next(), actor.account, f"key {actor.key}", f"webhook_callbacks.{what}",
                None, {},
            )  # fmt: skip
            await audit.append(connection, [entry])
        await self._settled()
        return secrets

    def _held(self, stored: Mapping[int, Sequence[Secret]], account: int) -> Sequence[Secret]:
        return endpoints.holding(stored.get(account, ()), self._now())

    async def set_state(self, actor: Actor, endpoint_id: int, state: State) -> Endpoint | None:
        """Enter a state by hand; nothing happens to one that is in it. Raises StorageDown."""
        now = self._now()
        async with self._changing() as connection:
            stored = await endpoints.by_id(connection, self._box, actor.account, endpoint_id)
            if stored is None or stored.state is state:
                return stored
            await desk.set_by_hand(connection, stored, state, ids=self._ids, now=now)
            await self._note(connection, actor, state.label, endpoint_id)
            entered = await endpoints.by_id(connection, self._box, actor.account, endpoint_id)
        await self._settled()
        return entered

    async def delete(self, actor: Actor, endpoint_id: int) -> bool:
        """End it, with what waits for it. False: there is none. Raises StorageDown."""
        async with self._changing() as connection:
            deleted = await endpoints.delete(connection, actor.account, endpoint_id, self._now())
            if deleted:
                await self._note(connection, actor, "delete", endpoint_id)
        return deleted

    async def test(self, account: int, endpoint_id: int) -> Tested | None:
        """Send a `webhook.test`; None: there is no such endpoint. Raises Overloaded,
        StorageDown.
        """
        endpoint = await self.get(account, endpoint_id)
        return None if endpoint is None else await self._tested(endpoint, self._at_once)

    async def enable(self, actor: Actor, endpoint_id: int) -> Enabled | None:
        """Active again, if a test succeeds; None: there is no such endpoint. Raises TooSoon,
        Overloaded, StorageDown.
        """
        stored = await self.get(actor.account, endpoint_id)
        if stored is None or stored.state is State.ACTIVE:
            return None if stored is None else Enabled(stored)
        tested = await self._tested(stored, self._tests.enable)
        if not tested.delivered:
            return Enabled(stored, tested)
        async with self._changing() as connection:
            await self._note(connection, actor, State.ACTIVE.label, endpoint_id)
        await self._settled()
        enabled = await self.get(actor.account, endpoint_id)
        return None if enabled is None else Enabled(enabled, tested)

    async def _at_once(self, endpoint: Endpoint) -> Attempt:
        """Whoever mends a receiver tests it often."""
        return await self._tests.test(endpoint, every=None)

    async def _tested(
        self, endpoint: Endpoint, test: Callable[[Endpoint], Awaitable[Attempt]]
    ) -> Tested:
        if not endpoint.signing(self._now()):
            detail = "no secret of it can be read; exchange it (rotate)"
            unread = Attempt(error=Failure.SECRET_UNREADABLE, detail=detail, milliseconds=0)
            return Tested(unread)
        if self._testing >= TESTS_MAX:
            raise Overloaded()
        self._testing += 1
        try:
            with or_storage_down():
                return Tested(await test(endpoint))
        finally:
            self._testing -= 1

    async def deliveries(
        self,
        account: int,
        endpoint_id: int,
        wanted: LogFilter,
        *,
        place: int | None,
        limit: int,
    ) -> list[Shown] | None:
        """Behind a place: attempts newest first, what waits oldest first. None: there is no such
        endpoint. Raises StorageDown.
        """
        async with reading(self._pool) as connection:
            found = await endpoints.by_id(connection, self._box, account, endpoint_id)
            if found is None:
                return None
            if wanted.waiting:
                return await desk.waiting(connection, endpoint_id, after=place or 0, limit=limit)
            return await desk.logged(
                connection,
                endpoint_id,
                states=wanted.states or tuple(LogState),
                types=wanted.types,
                since=wanted.since,
                before=ID_MAX if place is None else place,
                limit=limit,
            )

    async def redeliver(self, actor: Actor, endpoint_id: int, delivery_id: int) -> bool:
        """Tell it once more, now. False: there is none, or its events are not kept any more.
        Raises StorageDown.
        """
        async with self._changing() as connection:
            endpoint = await endpoints.by_id(connection, self._box, actor.account, endpoint_id)
            if endpoint is None:
                return False
            again = await desk.redeliver(connection, endpoint, delivery_id, self._now())
            if again:
                await self._note(connection, actor, "redeliver", endpoint_id)
        return again

    async def replay(self, actor: Actor, endpoint_id: int, wish: ReplayWish) -> Replayed | None:
        """None: there is no such endpoint. Raises StorageDown."""
        async with self._changing() as connection:
            endpoint = await endpoints.by_id(connection, self._box, actor.account, endpoint_id)
            if endpoint is None:
                return None
            replayed = await desk.replay(
                connection,
                endpoint,
                since=wish.since,
                until=wish.until,
                types=wish.types,
                states=wish.states,
                cursor=wish.cursor,
                ids=self._ids,
                now=self._now(),
            )
            await self._note(connection, actor, "replay", endpoint_id)
        return replayed

    async def _note(
        self, connection: Connection, actor: Actor, what: str, endpoint_id: int
    ) -> None:
        entry = AuditEntry(
            self._ids.next(), actor.account, f"key {actor.key}", f"webhook_endpoint.{what}", None,
            {"endpoint": endpoint_id},
        )  # fmt: skip
        await audit.append(connection, [entry])

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                yield connection


def _successor(endpoint: Endpoint) -> str:
    """A new key that signs as the newest one does."""
    return new_key(signing_of(endpoint.secrets[0].key) if endpoint.secrets else "hmac")
