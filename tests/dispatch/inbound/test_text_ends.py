"""Texts of handsets are emptied as their account says, and what they led to stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dispatch.inbound.opt_outs import OptOutPolicy
from dispatch.inbound.text_ends import AGE_MIN, inbound_texts
from recipients.replies import ReplyWords
from tests.dispatch.inbound.world import ACCOUNT, SENDER, receiving, texted

SOON = timedelta(seconds=5)


async def test_the_account_says_how_long_texts_of_handsets_are_kept(database_url: str) -> None:
    policies = {
        ACCOUNT: OptOutPolicy(ReplyWords.of(), text_days=0),
        ACCOUNT + 1: OptOutPolicy(ReplyWords.of(), text_days=7),
    }
    async with receiving(database_url, policies=policies) as inbound:
        await inbound.answers(
            [
                texted("STOP")[0],
                texted("later", destination="SHOP")[0],
                texted("nobody", destination="123")[0],
            ]
        )
        connection = inbound.world.connection
        now = datetime.now(UTC)
        await inbound_texts().turn(connection, now + SOON)
        assert await inbound.texts() == ["STOP", "later", "nobody"]  # what it owes may be at work
        await inbound_texts().turn(connection, now + AGE_MIN + SOON)
        assert await inbound.texts() == ["", "later", "nobody"]
        await inbound_texts().turn(connection, now + timedelta(days=7) + SOON)
        assert await inbound.texts() == ["", "", "nobody"]
        first = (await inbound.rows())[0]
        assert (first["keyword"], first["destination"]) == ("opt_out", SENDER)
        assert await connection.fetchval("SELECT count(*) FROM suppression") == 1
