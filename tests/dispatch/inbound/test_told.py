"""Webhooks hear of messages from handsets and of keywords, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage.ids import format_id
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER, Inbound, receiving, texted
from tests.dispatch.told import somebody_asks, told_others
from tests.dispatch.world import VAULT


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url) as inbound:
        yield inbound


async def test_a_keyword_tells_of_its_message_and_of_what_it_changed(inbound: Inbound) -> None:
    connection = inbound.world.connection
    await inbound.answers(texted("Hello"))
    assert await told_others(connection) == []  # nobody wants to hear
    await somebody_asks(connection, "message.received", "recipient.*", account=ACCOUNT)
    await inbound.answers(texted("STOP"))
    await inbound.answers(texted("START"))
    _, stop, start = await inbound.rows()
    told = await told_others(connection)
    assert {VAULT.open(number) for _, _, number, _ in told if number} == {HANDSET}
    assert [(kind, account) for kind, account, _, _ in told] == [
        ("message.received", ACCOUNT),
        ("recipient.opted_out", ACCOUNT),
        ("message.received", ACCOUNT),
        ("recipient.opted_in", ACCOUNT),
    ]
    received, opted_out, _, opted_in = [data for _, _, _, data in told]
    assert received.pop("received_at")
    assert received == {
        "id": format_id("inb", stop["id"]), "to": SENDER, "text": "STOP", "parts": 1,
        "parts_missing": 0, "answers": None, "opt_out": True,
    }  # fmt: skip
    changed = {"scope": "account", "category": "marketing", "source": "keyword"}
    assert opted_out == {**changed, "evidence": format_id("inb", stop["id"])}
    assert opted_in == {**changed, "evidence": format_id("inb", start["id"])}
