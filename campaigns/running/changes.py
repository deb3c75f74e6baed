"""Changes of campaigns, each in a transaction of its own, one after the other.

Owns their turns and the bound of those that wait. Must not know what a change is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from storage.faults import Overloaded, or_storage_down
from storage.pool import Connection, Dedicated

WAITING_MAX = 100
LOCK_TIMEOUT = "2s"  # behind a plan that is being made; the caller tries again later


class Changes:
    """Of one process. `planning`: a connection of its own, so that no pause waits for a plan.

    `changed` is told of every change, once it is committed.
    """

    def __init__(
        self, dedicated: Dedicated, planning: Dedicated, changed: Callable[[], None]
    ) -> None:
        self._turns = {False: (asyncio.Lock(), dedicated), True: (asyncio.Lock(), planning)}
        self._changed = changed
        self._waiting = 0

    @asynccontextmanager
    async def one(self, *, planning: bool = False) -> AsyncIterator[Connection]:
        """A transaction. Raises Overloaded, StorageDown."""
        if self._waiting >= WAITING_MAX:
            raise Overloaded()
        self._waiting += 1
        try:
            with or_storage_down():
                turn, dedicated = self._turns[planning]
                async with turn, dedicated.transaction() as connection:
                    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                    yield connection
        finally:
            self._waiting -= 1
        self._changed()
