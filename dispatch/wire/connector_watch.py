"""Tells webhooks when a connector goes down or comes up.

Owns what was told last. Looks now and then at what routing knows, so that a short cut is no news.
Must not decide what is down (connector_dispatch.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from dlr.webhooks.changes import happened, tell
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

LOOK_SECONDS = 2.0
EVERY_ACCOUNT = 0


class ConnectorWatch:
    """One process's view of its connectors."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        names: Callable[[], Collection[str]],
        down: Collection[str],
        ids: IdSource,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        """`down` is a live collection: the names of connectors without a bind to write to."""
        self._dedicated = dedicated
        self._names = names
        self._down = down
        self._ids = ids
        self._wall_ms = wall_ms
        self._up: set[str] = set()  # as told; who was never up is not told to be down
        self._told_down: set[str] = set()
        self._task = PeriodicTask("connector watch", self.look, lambda: LOOK_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def look(self) -> None:
        """Tell what is otherwise than it was."""
        up = set(self._names()).difference(self._down)
        fell = self._up - up
        rose = up & self._told_down
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        events = [
            happened(f"connector.{word}", EVERY_ACCOUNT, now, {"connector": name})
            for word, names in (("down", fell), ("up", rose))
            for name in sorted(names)
        ]
        if events:
            async with self._dedicated.guarded() as connection:
                await tell(connection, events, self._ids)
        self._up = up
        self._told_down = (self._told_down | fell) - rose
