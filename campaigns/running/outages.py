"""Connectors that have been down for a while, as this process sees them.

Owns since when each is, and who waits for it. Must not decide what is down (dispatch), nor pause
anything. A connector that somebody stopped is down as well: nothing is written to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")
DOWN_MAX = timedelta(minutes=10)  # of a connector that a campaign's messages wait for


class Outages:
    """`down`: a live collection of names. `numbers`: of connectors by name. `monotonic` in seconds.

    `term`: of this process.
    """

    def __init__(
        self,
        down: Collection[str],
        numbers: Callable[[], Mapping[str, int]],
        *,
        term: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.term = term
        self._down = down
        self._numbers = numbers
        self._monotonic = monotonic
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Take note of what is down now. Between two looks a short way back is not seen."""
        now = self._monotonic()
        self._since = {name: self._since.get(name, now) for name in self._down}

    def of_at_least(self, span: timedelta) -> dict[int, str]:
        """The number and name of each connector that has been down for so long."""
        self.look()
        before = self._monotonic() - span.total_seconds()
        numbers = self._numbers()
        return {
            numbers[name]: name
            for name, since in sorted(self._since.items())
            if since <= before and name in numbers
        }


async def waits_for(
    connection: Connection, campaign: int, outages: Outages, span: timedelta = timedelta(0)
) -> list[str]:
    """The names of connectors that have been down for so long, and that its messages wait for.

    Of messages only those count that are due. A connector at which another process has some of
    them is up there.
    """
    down = outages.of_at_least(span)
    if not down:
        return []
    rows = await connection.fetch(_SQL["campaign_waits_for"], campaign, list(down), outages.term)
    return [down[row["connector"]] for row in rows]
