"""What the guard is told of a batch: what people said about its messages, in whichever way."""

from __future__ import annotations

from campaigns.running.watch import wave_counts
from storage.pool import Connection
from tests.campaigns.running.shop import ACCOUNT, shopping


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
        counts = await wave_counts(shop.connection, ACCOUNT, messages[0]["batch_id"])
        assert (counts.sent, counts.unsubscribed, counts.complaints) == (5, 3, 0)


async def suppressed(connection: Connection, to_idx: bytes, evidence: int) -> None:
    await connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source, message_id)"
        " VALUES ($1, $2, 3, 9, 'keyword', $3)",
        to_idx, ACCOUNT, evidence,
    )  # fmt: skip
