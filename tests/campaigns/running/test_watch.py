"""What the guard is told of a batch, and what the end of a campaign is to its messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.running.desk import CampaignRefused
from campaigns.running.guard import Counts
from campaigns.running.states import CampaignState
from campaigns.running.watch import END_CAME, wave_counts
from messages.batch_states import BatchState
from storage.pool import Connection
from tests.campaigns.running.shop import AUTHOR, Shop, shopping
from tests.messages.accept.world import ACCOUNT


async def test_opt_outs_by_words_and_by_pages_are_counted_once_each(database_url: str) -> None:
    """The evidence of a word is the reply, and not the message that it answers."""
    async with shopping(database_url) as shop:
        await shop.people(5)
        campaign = await shop.running()
        await shop.feed.turn()
        await shop.deliver()
        messages = await shop.messages(campaign)
        for message in messages[:2]:
            reply = shop.ids.next()
            await shop.connection.execute(
                "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx,"
                " destination, text, parts, answers, fingerprint, class)"
                " VALUES ($1, 7, $2, '', $3, '1069', 'R', 1, $4, '', 'opt_out')",
                reply, ACCOUNT, message["to_idx"], message["id"],
            )  # fmt: skip
            await suppressed(shop.connection, message["to_idx"], reply)
        for message in messages[1:3]:
            await shop.connection.execute(
                "DELETE FROM suppression WHERE to_idx = $1", message["to_idx"]
            )
            await suppressed(shop.connection, message["to_idx"], message["id"])
        await shop.connection.execute(
            "INSERT INTO complaint (id, account, reference, fingerprint, to_idx, to_enc, source,"
            " at, message_id) VALUES ($1, $2, 'r', '', '', '', 'app', now(), $3)",
            shop.ids.next(), ACCOUNT, messages[4]["id"],
        )  # fmt: skip
        batch = messages[0]["batch_id"]
        counts = await judged(shop, batch)
        assert (counts.sent, counts.unsubscribed, counts.complaints) == (5, 3, 1)
        # Another number key has given the messages other indexes already.
        await shop.connection.execute("UPDATE message SET to_idx = sha256(to_idx)")
        assert await judged(shop, batch) == counts


async def judged(shop: Shop, batch: int) -> Counts:
    async with shop.connection.transaction():
        return await wave_counts(shop.connection, ACCOUNT, batch)


async def test_what_still_waits_at_the_end_is_not_sent_after_it(database_url: str) -> None:
    """Messages that wait for an hour, or a carrier, stay for a person: canceled, or a later end."""
    async with shopping(database_url) as shop:
        await shop.people(5)
        end = datetime.now(UTC) + timedelta(hours=1)
        campaign = await shop.running(schedule={"end": end.isoformat()})
        await shop.feed.turn()
        await shop.deliver(limit=3)
        await shop.watch.look()
        assert (await shop.one(campaign)).state is CampaignState.RUNNING
        await came(shop.connection, end)
        await shop.watch.look()
        found = await shop.one(campaign)
        assert (found.state, found.reason) == (CampaignState.PAUSED, END_CAME)
        states = await shop.connection.fetch("SELECT DISTINCT b.state FROM batch_control AS b"
            " JOIN outbox AS o ON o.batch_id = b.id")  # fmt: skip
        assert [row["state"] for row in states] == [BatchState.PAUSED]
        with pytest.raises(CampaignRefused) as refused:
            await shop.desk.resume(AUTHOR, campaign)
        assert [each.pointer for each in refused.value.faults] == ["/schedule/end"]


async def test_a_campaign_that_is_through_before_its_end_is_finished(database_url: str) -> None:
    async with shopping(database_url) as shop:
        await shop.people(5)
        end = datetime.now(UTC) + timedelta(hours=1)
        campaign = await shop.running(schedule={"end": end.isoformat()})
        await shop.feed.turn()
        await shop.deliver()
        await came(shop.connection, end)
        await shop.watch.look()
        assert (await shop.one(campaign)).state is CampaignState.FINISHED


async def came(connection: Connection, end: datetime) -> None:
    """It was an hour ago."""
    ago = (end - timedelta(hours=2)).isoformat()
    await connection.execute(
        "UPDATE campaign_version SET spec = jsonb_set(spec, '{schedule,end}', to_jsonb($1::text))",
        ago,
    )


async def suppressed(connection: Connection, to_idx: bytes, evidence: int) -> None:
    await connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source, message_id)"
        " VALUES ($1, $2, 3, 9, 'keyword', $3)",
        to_idx, ACCOUNT, evidence,
    )  # fmt: skip
