"""Links of campaigns under way are asked again and again: one that is dead pauses its campaign.

Owns when a campaign's links are asked, and `links_asked_at`. Must not ask a link itself
(starting.py). A link is dead at the second look in a row: one lost answer stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.running import store
from campaigns.running.braking import Brake
from campaigns.running.causes import Cause, said
from campaigns.running.starting import Surroundings
from storage import sql
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

_SQL = sql.load("campaigns")
LOOK_SECONDS = 30.0
ASK_EVERY_SECONDS = 300.0
CAMPAIGNS_PER_LOOK_MAX = 8  # each waits LINKS_SECONDS_MAX at most
LINKS_TOLD_MAX = 5


class LinkPatrol:
    """One process's looks. Counts since start: `asked`, campaigns."""

    def __init__(
        self,
        dedicated: Dedicated,
        surroundings: Surroundings,
        *,
        brake: Brake,
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._surroundings = surroundings
        self._brake = brake
        self._suspect: set[int] = set()  # campaigns whose links did not all answer last time
        self.asked = 0
        self._task = PeriodicTask(
            "campaign links", self.look, lambda: LOOK_SECONDS, ended=ended, pause_first=True
        )

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def look(self) -> None:
        """Ask the links of the campaigns that have waited longest for it."""
        async with self._dedicated.transaction() as connection:
            rows = await connection.fetch(
                _SQL["links_due"], ASK_EVERY_SECONDS, sorted(self._suspect), CAMPAIGNS_PER_LOOK_MAX
            )
        self._suspect &= {row["id"] for row in rows}
        for row in rows:
            await self._one(row["id"], row["version"])

    async def _one(self, campaign: int, version: int) -> None:
        async with self._dedicated.guarded() as connection:
            found = await store.spec_of(connection, campaign, version)
        if found is None:
            return
        dead = await self._surroundings.dead_of(*found)
        self.asked += 1
        if not dead:
            self._suspect.discard(campaign)
        elif campaign in self._suspect:
            self._suspect.discard(campaign)
            await self._pause(campaign, dead)
        else:
            self._suspect.add(campaign)

    async def _pause(self, campaign: int, dead: Mapping[str, Mapping[str, str]]) -> None:
        words = [
            f"{link} of {template}: {fault}"
            for template, links in sorted(dead.items())
            for link, fault in sorted(links.items())
        ]
        reason = said(Cause.LINK_DEAD, "; ".join(words[:LINKS_TOLD_MAX]))
        async with self._dedicated.guarded() as connection:
            await self._brake.pause(connection, campaign, reason, cause=Cause.LINK_DEAD)
