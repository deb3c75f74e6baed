"""What the recorder writes down for webhooks: what was new, once, and nothing for nobody."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatch.answers import recorder as recorder_module
from dispatch.answers.records import MessageDone, StateLearned
from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from dlr.webhooks.changes import LOOK, ChangeLog
from dlr.webhooks.subscriptions import Subscriptions
from storage.ids import format_id
from tests.dispatch.told import BOX, somebody_asks, told_messages, told_others
from tests.dispatch.world import CONNECTOR, VAULT, World, running
from tests.integration.database_proxy import database_proxy


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        await hears(world)
        yield world


async def hears(world: World) -> Subscriptions:
    subscriptions = Subscriptions(
        world.database.dedicated("look"), BOX, time.monotonic, ended=lambda _: None
    )
    await subscriptions.learn(world.connection)
    world.recorder._changes = ChangeLog(world.ids, subscriptions.wanted, lambda: None)
    return subscriptions


def sent(world: World, message_id: int, *, part: int = 1, parts: int = 1) -> SubmissionRow:
    now = datetime.now(UTC)
    return SubmissionRow(
        id=world.ids.next(), message_id=message_id, part=part, parts=parts, account=1, category=1,
        connector=CONNECTOR, status=Status.SENT, carrier_id=f"c{world.ids.next()}",
        submitted_at=now, responded_at=now,
    )  # fmt: skip


async def test_with_nobody_to_tell_a_flush_writes_nothing_down(world: World) -> None:
    [message] = world.messages(1)
    await world.store([message])
    world.recorder.record([MessageDone(message.id, None, rows=(sent(world, message.id),))])
    await world.recorder.commits.drain()
    assert await world.count("webhook_change") == 0
    assert await world.count("submission") == 1


async def test_a_result_and_its_receipts_are_written_down_in_one_row_each(world: World) -> None:
    await somebody_asks(world.connection, "message.*")
    await hears(world)
    one, two = world.messages(2)
    await world.store([one, two])
    rows = [sent(world, one.id), *(sent(world, two.id, part=part, parts=2) for part in (1, 2))]
    world.recorder.record(
        [
            MessageDone(one.id, None, rows=(rows[0],)),
            MessageDone(two.id, None, rows=tuple(rows[1:])),
        ]
    )
    await world.recorder.commits.drain()
    assert await world.count("webhook_change") == 1
    assert rows[0].carrier_id is not None
    receipt = world.receipt(
        rows[0].carrier_id, Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="001",
        submission_id=rows[0].id, certain=True,
    )  # fmt: skip
    world.recorder.record([StateLearned(receipt), StateLearned(receipt)])
    await world.recorder.commits.drain()
    told = await told_messages(world.connection)
    assert [(each.message, each.status, each.previous, each.error) for each in told] == [
        (one.id, Status.SENT, 0, None),
        (two.id, LOOK, 0, None),
        (two.id, LOOK, 0, None),
        (one.id, Status.UNDELIVERED, Status.SENT, "001"),
    ]


async def test_a_number_that_is_proven_dead_is_told_to_its_account_alone(world: World) -> None:
    await somebody_asks(world.connection, "recipient.pruned")
    await somebody_asks(world.connection, "recipient.pruned", account=2)
    [message] = world.messages(1)
    await world.store([message])
    row = sent(world, message.id)
    world.recorder.record([MessageDone(message.id, None, rows=(row,))])
    await world.recorder.commits.drain()
    assert row.carrier_id is not None
    receipt = world.receipt(
        row.carrier_id, Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001",
        submission_id=row.id, certain=True,
    )  # fmt: skip
    world.recorder.record([StateLearned(receipt)])
    await world.recorder.commits.drain()
    [(kind, account, number, data)] = await told_others(world.connection)
    assert (kind, account) == ("recipient.pruned", 1)
    assert number is not None
    assert VAULT.open(number) == message.to
    assert data["evidence"] == format_id("msg", message.id)


async def test_a_commit_in_doubt_is_written_down_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    async with (
        database_proxy(database_url) as proxy,
        running(database_url, through=proxy.url) as world,
    ):
        await somebody_asks(world.connection, "message.*")
        await hears(world)
        [message] = world.messages(1)
        await world.store([message])
        cut = proxy.arm("record", asked=rb"COMMIT")
        world.recorder.record([MessageDone(message.id, None, rows=(sent(world, message.id),))])
        await proxy.fired(cut)
        await world.recorder.commits.drain()
        assert world.recorder.commits.flush_failures == 1
        assert len(await told_messages(world.connection)) == 1
