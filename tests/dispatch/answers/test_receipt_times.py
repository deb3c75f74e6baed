"""A carrier's dates, from its words to the row: its zone, and the arrival where they mislead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import pytest

from dispatch.answers.carrier_queries import CarrierQueries
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.records import KnownId, MessageDone, StateLearned
from dispatch.message import ReadyMessage
from dlr.ledger import SubmissionRow
from dlr.status import Status
from dlr.unreported import Unreported
from smpp.addresses import AddressSettings
from smpp.events import QueryResponse
from smpp.pdu import DeliverSm
from smpp.vocabulary import MessageState
from tests.dispatch.answers.test_receipt_intake import RECEIPT
from tests.dispatch.world import CONNECTOR, World, running, wall_ms

if TYPE_CHECKING:
    from smpp.client import Bind

SHANGHAI = ZoneInfo("Asia/Shanghai")
ARRIVED = datetime(2026, 11, 29, 15, 0, 20, tzinfo=UTC)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def submitted(world: World, message: ReadyMessage) -> SubmissionRow:
    return SubmissionRow(
        id=world.ids.next(),
        message_id=message.id,
        part=1,
        parts=1,
        account=message.account,
        category=message.category,
        connector=CONNECTOR,
        status=Status.SENT,
        carrier_id="X",
        submitted_at=ARRIVED - timedelta(seconds=30),
    )


@pytest.mark.parametrize("one_flush", [True, False])
@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ("2611292300", datetime(2026, 11, 29, 15, 0, tzinfo=UTC)),
        ("261129180000012+", datetime(2026, 11, 29, 15, 0, tzinfo=UTC)),
        ("2026-11-29T15:00:01+00:00", datetime(2026, 11, 29, 15, 0, 1, tzinfo=UTC)),
        ("9912312359", ARRIVED),
        ("2611292254", ARRIVED),  # 5 minutes and more before the submit
    ],
)
async def test_e98_a_receipts_date_is_read_in_the_carriers_zone_and_weighed(
    world: World, one_flush: bool, done: str, expected: datetime
) -> None:
    message = world.message()
    await world.store([message])
    row = submitted(world, message)
    reader = ReceiptReader(CONNECTOR, ReceiptManners(zone=SHANGHAI))
    reader.remember([KnownId("X", row.id, message.to)])
    text = f"id:X sub:001 dlvrd:001 submit date:2611292259 done date:{done} stat:DELIVRD err:000"
    pdu = DeliverSm(
        0, esm_class=RECEIPT, source_addr=message.to[1:].encode(), short_message=text.encode()
    )
    receipt = reader.row(pdu, ARRIVED)
    assert receipt is not None
    world.recorder.record([MessageDone(message.id, None, rows=(row,))])
    if not one_flush:
        await world.recorder.commits.drain()
    world.recorder.record([StateLearned(receipt)])
    await world.recorder.commits.drain()
    stored = await world.connection.fetchval("SELECT done_at FROM submission")
    assert stored == expected
    disbelieved = 1 if expected == ARRIVED else 0
    assert world.recorder.counters.disbelieved[CONNECTOR] == disbelieved


@pytest.mark.parametrize(
    ("final_date", "expected"),
    [
        (b"180711070000012+\0", datetime(2018, 7, 11, 4, 0, tzinfo=UTC)),
        (b"1807110700\0", datetime(2018, 7, 10, 23, 0, tzinfo=UTC)),
        (b"000000000500000R", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
async def test_e98_the_date_of_an_answer_to_a_query_is_read_as_a_receipts(
    world: World, final_date: bytes, expected: datetime | None
) -> None:
    queries = CarrierQueries(
        "carrier-a",
        CONNECTOR,
        world.recorder,
        wait_seconds=1,
        addresses=AddressSettings(),
        wall_ms=wall_ms,
        zone=SHANGHAI,
    )
    recorded: list[StateLearned] = []
    world.recorder.record = recorded.extend  # type: ignore[method-assign,assignment]  # looked at here
    part = Unreported(1, "X", "SHOP")
    answer = QueryResponse(part, 0, message_state=MessageState.DELIVERED, final_date=final_date)
    queries.answered(cast("Bind", object()), [answer])
    [learned] = recorded
    assert learned.row.done_at == expected


@pytest.mark.parametrize(
    ("date", "undated"),
    [("2611291500", 0), ("0000000000", 0), ("", 0), ("2613451500", 1)],
)
def test_e98_a_date_that_cannot_be_read_is_counted(date: str, undated: int) -> None:
    reader = ReceiptReader(CONNECTOR, ReceiptManners())
    text = f"id:X sub:001 dlvrd:001 submit date:{date} done date:{date} stat:DELIVRD err:000"
    row = reader.row(DeliverSm(0, esm_class=RECEIPT, short_message=text.encode()), ARRIVED)
    assert row is not None
    assert (row.done_at is None, reader.undated) == (date != "2611291500", undated)
