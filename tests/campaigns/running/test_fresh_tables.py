"""The look at a campaign ends in time also where nothing is known of the tables' sizes.

So it is each day: the partitions of a day are new, and the first campaign fills them.
"""

from __future__ import annotations

from campaigns.running.states import CampaignState
from dlr.status import Status
from tests.campaigns.running.shop import shopping
from tests.fresh_tables import without_statistics

PEOPLE = 6_000


async def test_a_campaign_in_tables_without_statistics_is_judged_and_finished(
    database_url: str,
) -> None:
    async with shopping(database_url) as shop:
        await without_statistics(shop.connection, "message", "submission", "outbox")
        await shop.people(PEOPLE)
        campaign = await shop.running()
        await shop.feed.turn()
        await shop.deliver(Status.UNDELIVERED, limit=PEOPLE // 100)
        await shop.deliver(limit=PEOPLE // 2)
        await shop.watch.look()
        assert (await shop.one(campaign)).state is CampaignState.RUNNING
        await shop.deliver()
        await shop.watch.look()
        assert (await shop.one(campaign)).state is CampaignState.FINISHED
