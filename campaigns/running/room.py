"""The parts of this room in one process: what the API asks, and what works by itself.

Owns their start and their end. Must not put them together (gateway/wiring does).
"""

from __future__ import annotations

from typing import NamedTuple

from campaigns.decisions.desk import ExperimentDesk
from campaigns.decisions.looking import ExperimentWatch
from campaigns.reporting.keeping import SumsKeeper
from campaigns.running.braking import Brake
from campaigns.running.desk import CampaignDesk
from campaigns.running.feed import Feed
from campaigns.running.patrol import LinkPatrol
from campaigns.running.watch import CampaignWatch


class CampaignRoom(NamedTuple):
    """What the API asks, and what works by itself."""

    desk: CampaignDesk
    experiments: ExperimentDesk
    looks: ExperimentWatch
    brake: Brake
    feed: Feed
    watch: CampaignWatch
    sums: SumsKeeper
    patrol: LinkPatrol

    def start(self) -> None:
        """Begin to feed."""
        self.feed.start()
        self.watch.start()
        self.sums.start()
        self.patrol.start()
        self.looks.start()

    async def stop(self) -> None:
        """End, wherever it is: what is open is taken up by the next process."""
        await self.feed.stop()
        await self.watch.stop()
        await self.sums.stop()
        await self.patrol.stop()
        await self.looks.stop()
