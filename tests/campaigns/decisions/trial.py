"""A shop whose campaigns have experiments: people who click, and looks at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from campaigns.running.states import CampaignState
from shortlinks.classify import ClickClass
from tests.campaigns.running.shop import Shop

HOUR = timedelta(hours=1)
ASKED: dict[str, Any] = {
    "metric": "uctr_delivered", "tau": 0.1, "base": 0.1, "test_share": 0.8, "decide_by": "PT36H",
}  # fmt: skip


def later(hours: float) -> datetime:
    return datetime.now(UTC) + hours * HOUR


async def tried(shop: Shop, **changes: Any) -> int:
    """Running with two arms and an experiment, and its test is fed."""
    arms = [{"template": shop.template}, {"template": shop.template}]
    asked = {**ASKED, **changes.pop("experiment", {})}
    campaign = await shop.running(arms=arms, experiment=asked, **changes)
    await shop.feed.turn()
    return campaign


async def click(shop: Shop, campaign: int, arm: int, count: int, *, machine: bool = False) -> None:
    """So many people of an arm click on their message now."""
    messages = [each for each in await shop.messages(campaign) if each["variant"] == str(arm)]
    assert len(messages) >= count
    kind = ClickClass.SCANNER if machine else ClickClass.HUMAN
    await clicks(shop, [each["id"] for each in messages[:count]], kind)


async def clicks(shop: Shop, messages: Sequence[int], kind: ClickClass = ClickClass.HUMAN) -> None:
    await shop.connection.copy_records_to_table(
        "click",
        records=[
            (shop.ids.next(), 1, 0, message, int(kind), [], "GET", "x", "192.0.2.0/24")
            for message in messages
        ],
        columns=("id", "link_seq", "slot", "message_id", "class", "reasons", "method",
                 "user_agent", "ip_prefix"),
    )  # fmt: skip


async def look(shop: Shop, campaign: int, now: datetime) -> bool:
    """One look at this moment. Returns whether it decided."""
    return await shop.looks.look(await stands(shop, campaign), now)


async def stands(shop: Shop, campaign: int) -> asyncpg.Record:
    """Its row."""
    row = await shop.connection.fetchrow("SELECT * FROM campaign WHERE id = $1", campaign)
    assert row is not None
    return row


async def finished(shop: Shop, campaign: int) -> bool:
    """Fed to the end, delivered, and looked at."""
    await shop.feed.turn()
    await shop.deliver()
    await shop.watch.look()
    return (await shop.one(campaign)).state is CampaignState.FINISHED


async def looked(shop: Shop, campaign: int) -> list[dict[str, Any]]:
    rows = await shop.connection.fetch(
        "SELECT * FROM experiment_look WHERE campaign = $1 ORDER BY at", campaign
    )
    return [dict(row) for row in rows]
