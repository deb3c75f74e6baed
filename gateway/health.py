"""Health: whether this process can do its work, and what of it cannot be done.

Owns the judgement behind /readyz. Must not change anything.

A check that asks something easier than the work says that all is well, while every message is
refused. So it follows what the work itself last met.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import asyncpg

from dispatch.wire.connector_dispatch import ConnectorDispatch
from storage.faults import DATABASE_ERRORS, is_unavailable
from storage.names import SANDBOX
from web.health import CONNECTOR
from web.services import Component

CHECK_SECONDS_MAX = 1.5
FLUSH_SECONDS_MAX = 5.0  # a flush that runs longer is stuck
# A lane that failed and is asked no more counts as well again after this. A load balancer sends
# nothing to a process that is not ready, so nothing else would ever tell.
FAILURE_SECONDS = 15.0
_CHECK_ERRORS: tuple[type[BaseException], ...] = (*DATABASE_ERRORS, TimeoutError)


class Writer(Protocol):
    """A group commit, as far as its health goes. Moments are of the monotonic clock."""

    @property
    def failure(self) -> Exception | None:
        """What its last flush met; None once one has succeeded."""

    @property
    def failed_at(self) -> float:
        """When that was."""

    @property
    def began_at(self) -> float | None:
        """When the running flush began; None while there is none."""


class Health:
    """Implements Readiness: the database takes what is written, a connector is up, nobody drains.

    One carrier that is away is shown, and does not take the process out of service. What goes to it
    waits in the database.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        connectors: Collection[ConnectorDispatch],
        draining: Callable[[], bool],
        *,
        writers: Mapping[str, Collection[Writer]],
        degraded: Mapping[str, Callable[[], str | None]],
        monotonic: Callable[[], float],
    ) -> None:
        """`writers` and `degraded` by the name of their component.

        Those of `degraded` say why they do only a part of their work. That takes no process out of
        service.
        """
        self._pool = pool
        self._connectors = connectors
        self._draining = draining
        self._writers = writers
        self._degraded = degraded
        self._monotonic = monotonic

    async def check(self) -> list[Component]:
        """Every component."""
        components = [await self._database()]
        now = self._monotonic()
        for name, writers in self._writers.items():
            troubles = [trouble for each in writers if (trouble := trouble_of(each, now))]
            components.append(Component(name, not troubles, troubles[0] if troubles else None))
        for name, degraded in self._degraded.items():
            trouble = degraded()
            components.append(Component(name, trouble is None, trouble, required=False))
        for dispatch in self._connectors:
            pool = dispatch.pool
            up = dispatch.up or (pool is not None and pool.receives_only and pool.up)
            if pool is None and dispatch.connector == SANDBOX:
                continue  # nobody has used it
            why = ", ".join(dispatch.withheld)
            reason = None if up or pool is None else why or pool.reason or "not bound yet"
            components.append(Component(f"{CONNECTOR}{dispatch.name}", up, reason, required=False))
        if not any(each.up for each in self._connectors if each.connector != SANDBOX):
            why = "no connector is up: messages are taken and wait"
            components.append(Component("sending", False, why))
        if self._draining():
            components.append(Component("accepting", False, "the gateway is stopping"))
        return components

    async def _database(self) -> Component:
        try:
            async with asyncio.timeout(CHECK_SECONDS_MAX):
                await self._pool.fetchval("SELECT 1")
        except _CHECK_ERRORS as error:
            return Component("database", False, str(error) or "no answer in time")
        return Component("database", True)


def trouble_of(writer: Writer, now: float) -> str | None:
    """Why a writer cannot do its work at present. None: it can, as far as is known."""
    if writer.began_at is not None and now - writer.began_at > FLUSH_SECONDS_MAX:
        return f"the database has not answered for {now - writer.began_at:.0f} s"
    failure = writer.failure
    if failure is None or not is_unavailable(failure) or now - writer.failed_at > FAILURE_SECONDS:
        return None
    return str(failure) or type(failure).__name__
