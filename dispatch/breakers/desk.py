"""Breakers as operators and detectors change them, and as they are shown.

Owns every opening and closing that neither time nor probes bring, each with actor and reason. Owns
the audit row of what a person did. Must not hold a message (look.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
import structlog

from dispatch.breakers import machine, rows
from dispatch.breakers.bundles import Bundles
from dispatch.breakers.evidence import Rules
from dispatch.breakers.machine import Breaker, State
from dispatch.breakers.rows import HOLDING_MAX, Stored
from dispatch.breakers.scopes import Board, Scope, Target, UnknownSubject, spelled, target_of
from dispatch.breakers.telling import tell_change
from dispatch.breakers.usual import usual_share
from storage import audit, sql
from storage.audit import AuditEntry
from storage.faults import Overloaded, StorageDown, or_storage_down
from storage.ids import IdSource
from storage.names import Registry
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.reads import ReadPool

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)
CHANGES_WAITING_MAX: Final = 100
LISTED_MAX: Final = 1_000
DETECTOR: Final = "detector"


class BreakersFull(Exception):
    """So many hold already."""


class ByHand(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for. `seconds`: until it ends by itself."""

    account: int
    actor: str
    reason: str
    seconds: int


class BreakerDesk:
    """Changes on one database connection, one after the other; reads on the pool."""

    def __init__(
        self,
        dedicated: Dedicated,
        read: ReadPool,
        *,
        registry: Registry,
        bundles: Bundles,
        ids: IdSource,
        wall_ms: Callable[[], int],
        changed: Callable[[], None],
        board: Board,
        by_itself: Collection[Scope] = (),
    ) -> None:
        """`by_itself`: the scopes that open without a person. `changed` is told after each commit,
        so that this process knows at once. `board` is asked whether one-time passwords are held.
        """
        self._dedicated = dedicated
        self._read = read
        self._registry = registry
        self._bundles = bundles
        self._ids = ids
        self._wall_ms = wall_ms
        self._changed = changed
        self.by_itself = frozenset(by_itself)
        self._board = board
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def listed(
        self, scope: Scope | None = None, states: Sequence[State] | None = None
    ) -> list[tuple[Stored, int]]:
        """At most LISTED_MAX, with how many messages each holds. Raises StorageDown."""
        async with reading(self._read) as connection:
            return await rows.listed(connection, LISTED_MAX, scope, states)

    async def shown(self, scope: Scope, subject: str) -> tuple[Stored, int] | None:
        """One; None: it was never open. Raises UnknownSubject, StorageDown."""
        async with reading(self._read) as connection:
            found = await rows.shown(connection, scope, spelled(scope, subject))
        if found is None:
            self._target(scope, subject)
        return found

    async def evidence(self, scope: Scope, subject: str) -> bytes | None:
        """The bundle of its last opening, octet for octet. Raises UnknownSubject, StorageDown."""
        async with reading(self._read) as connection:
            return await rows.evidence(connection, scope, spelled(scope, subject))

    async def open(self, scope: Scope, subject: str, asked: ByHand) -> tuple[Stored, int]:
        """Hold everything it covers, until its end. In force here when it returns.

        Raises UnknownSubject, BreakersFull, Overloaded, StorageDown.
        """
        return await self._force(scope, subject, asked, shut=True)

    async def close(self, scope: Scope, subject: str, asked: ByHand) -> tuple[Stored, int]:
        """Let everything go, and let nothing open it before its end. Raises as open()."""
        return await self._force(scope, subject, asked, shut=False)

    async def trip(
        self,
        scope: Scope,
        subject: str,
        test: Mapping[str, object],
        *,
        detector: str,
        reason: str,
        began_ms: int,
        baseline: float,
        wait_ms: int,
    ) -> bool:
        """Open by itself, if the scope is configured to and what was counted from `began_ms` on may
        open it. Whether it did. Raises UnknownSubject, StorageDown.
        """
        if scope not in self.by_itself:
            return False
        target = await self._whole(scope, subject)
        actor = f"{DETECTOR} {detector}"
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                before = await rows.locked(connection, target)
                now = self._wall_ms()
                breaker = Breaker(since=0) if before is None else before.breaker
                if not machine.may_open(breaker, began_ms) or await _full(connection):
                    return False
                after = machine.opened(breaker, now, baseline=baseline, wait_ms=wait_ms)
                stored = await self._store(connection, target, before, after, actor, reason)
                await tell_change(connection, target, breaker, after, reason, self._ids)
        await self._opened(stored, test)
        return True

    async def _force(
        self, scope: Scope, subject: str, asked: ByHand, *, shut: bool
    ) -> tuple[Stored, int]:
        if self._waiting >= CHANGES_WAITING_MAX:
            raise Overloaded()
        self._waiting += 1
        try:
            target = await self._whole(scope, subject)
            baseline = await self._usual(target) if shut else None
            with or_storage_down():
                async with self._turn, self._dedicated.transaction() as connection:
                    before = await rows.locked(connection, target)
                    now = self._wall_ms()
                    breaker = Breaker(since=now) if before is None else before.breaker
                    if shut and not breaker.state.holds and await _full(connection):
                        raise BreakersFull(f"{HOLDING_MAX} breakers hold already")
                    until = now + asked.seconds * 1000
                    after = machine.forced(breaker, now, shut=shut, until=until, baseline=baseline)
                    stored = await self._store(
                        connection, target, before, after, asked.actor, asked.reason
                    )
                    await tell_change(connection, target, breaker, after, asked.reason, self._ids)
                    await audit.append(connection, [self._entry(target, asked, shut=shut)])
        finally:
            self._waiting -= 1
        if shut and not breaker.state.holds:
            await self._opened(stored, None)
        self._changed()
        found = await self.shown(target.scope, target.subject)
        return (stored, 0) if found is None else found

    async def _store(
        self,
        connection: Connection,
        target: Target,
        before: Stored | None,
        after: Breaker,
        actor: str,
        reason: str,
    ) -> Stored:
        stored = Stored(
            id=self._ids.next() if before is None else before.id,
            target=target,
            breaker=after,
            actor=actor,
            reason=reason,
        )
        if before is None:
            await rows.insert(connection, stored)
        else:
            await rows.update(connection, before, after, actor, reason)
            if after.state.holds and not before.breaker.state.holds:
                await rows.drop_evidence(connection, before.id)
        return stored

    async def _opened(self, stored: Stored, test: Mapping[str, object] | None) -> None:
        """Say so, and keep what it rests on. It holds whether or not that can be read."""
        self._changed()
        _log.warning(
            "breaker_opened",
            scope=str(stored.target.scope),
            subject=stored.target.subject,
            actor=stored.actor,
        )
        rules = Rules(otp=self._board.otp, opens_by_itself=stored.target.scope in self.by_itself)
        try:
            async with reading(self._read) as connection:
                bundle = await self._bundles.of(connection, stored, test, rules)
            with or_storage_down():
                async with self._turn, self._dedicated.transaction() as connection:
                    await rows.put_evidence(connection, stored, bundle)
        except (StorageDown, asyncpg.QueryCanceledError) as error:
            _log.warning("breaker_evidence_missing", error=repr(error))

    async def _usual(self, target: Target) -> float | None:
        """None: it cannot be read now."""
        try:
            async with reading(self._read) as connection:
                now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
                return await usual_share(connection, target, now)
        except (StorageDown, asyncpg.QueryCanceledError) as error:
            _log.warning("breaker_baseline_unknown", error=repr(error))
            return None

    def _target(self, scope: Scope, subject: str) -> Target:
        return target_of(scope, subject, self._registry.connectors, self._registry.accounts)

    async def _whole(self, scope: Scope, subject: str) -> Target:
        """As the breaker that is there names it, or what is known by now; with the account of a
        batch.

        What a breaker is about may be gone, or be known to another process alone. Raises
        UnknownSubject, StorageDown.
        """
        async with reading(self._read) as connection:
            found = await rows.shown(connection, scope, spelled(scope, subject))
            if found is not None:
                return found[0].target
            target = self._target(scope, subject)
            if target.batch_id is None:
                return target
            account = await connection.fetchval(_SQL["breaker_batch"], target.batch_id)
        if account is None:
            raise UnknownSubject(f"there is no batch {subject!r}")
        return msgspec.structs.replace(target, account=account)

    def _entry(self, target: Target, asked: ByHand, *, shut: bool) -> AuditEntry:
        return AuditEntry(
            id=self._ids.next(),
            account=asked.account,
            actor=asked.actor,
            action="breaker.open" if shut else "breaker.close",
            subject=None,
            detail={
                "scope": str(target.scope),
                "target": target.subject.replace("+", ""),  # a sender may be a number
                "seconds": asked.seconds,
            },
            text=asked.reason,
        )


async def _full(connection: Connection) -> bool:
    return len(await rows.holding(connection)) >= HOLDING_MAX
