"""What a message of a campaign is: its report and that of all messages say the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from campaigns.reporting.reports import ReportWish
from dlr.ledger import insert_submissions
from dlr.report import COUNTS, Span, message_counts, total_of
from dlr.status import Status
from messages.batch_states import BatchState
from storage.ids import format_id, id_at
from tests.campaigns.running.shop import Shop, shopping
from tests.dlr.rows import World as Rows
from tests.messages.accept.world import ACCOUNT

WHOLE = (Status.SUPPRESSED, Status.CAPPED, Status.CANCELED, Status.FAILED)
OF_PARTS = [each for each in Status if each > 0 and each not in WHOLE]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


@pytest.mark.parametrize("state", [BatchState.ACTIVE, BatchState.CANCELED])
async def test_a_campaign_counts_outcomes_as_every_report_does(
    shop: Shop, state: BatchState
) -> None:
    random = Random(int(state))
    await shop.people(150)
    campaign = await shop.running()
    await shop.feed.turn()
    rows = Rows()
    rows.wait(seconds=1)  # behind the messages
    submitted = []
    for message in await shop.messages(campaign):
        parts = random.choice([1, 2, 3])
        places = random.choice([[], [0], [*range(1, parts + 1)], [*range(1, parts + 1)]])
        submitted += [
            rows.part(
                message_id=message["id"], part=part, parts=parts, account=ACCOUNT,
                status=random.choice(OF_PARTS if part else WHOLE),
            )
            for part in places
            for _ in range(random.choice([0, 1, 1, 1, 2]))
        ]  # fmt: skip
        if random.random() < 0.8:
            await shop.connection.execute("DELETE FROM outbox WHERE id = $1", message["id"])
    await insert_submissions(shop.connection, submitted)
    await shop.connection.execute("UPDATE batch_control SET state = $1, live = true", state)
    now = datetime.now(UTC)
    span = Span(0, id_at(now + timedelta(days=1)), campaign=format_id("cmp", campaign))
    expected = total_of(await message_counts(shop.connection, span))
    report = await shop.desk.reports.report(await shop.one(campaign), ReportWish(), now)
    assert {name: report.total.counts[name] for name in COUNTS} == {
        name: expected[name] for name in COUNTS
    }
    assert sum(count > 0 for count in expected.values()) > 10, "of nearly all there are some"
