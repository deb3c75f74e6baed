"""Changes that callers of the API ask for over one connection, one after the other.

Owns their turns, and the bound of those that wait. Must not know what a change is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.faults import Overloaded, or_storage_down
from storage.pool import Connection, Dedicated


class Turns:
    """Of one dedicated connection. `waiting_max`: at once, with the one whose turn it is."""

    def __init__(self, dedicated: Dedicated, waiting_max: int) -> None:
        self._dedicated = dedicated
        self._waiting_max = waiting_max
        self._waiting = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """A transaction of its own. Raises Overloaded, StorageDown."""
        if self._waiting >= self._waiting_max:
            raise Overloaded()
        self._waiting += 1
        try:
            with or_storage_down():
                async with self._turn, self._dedicated.transaction() as connection:
                    yield connection
        finally:
            self._waiting -= 1
