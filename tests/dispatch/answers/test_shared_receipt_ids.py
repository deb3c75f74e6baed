"""One id for several submits, from the reading of a receipt to its row (E92)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dispatch.answers.message_references import MessageReferences
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.records import KnownId, MessageDone, PartResult, Record, StateLearned
from dispatch.message import ReadyMessage
from dlr.connector_groups import ConnectorGroups
from dlr.ledger import SubmissionRow
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from smpp.pdu import DeliverSm
from smpp.vocabulary import TLV_USER_MESSAGE_REFERENCE
from tests.dispatch.answers.test_receipt_intake import RECEIPT
from tests.dispatch.world import CONNECTOR, VAULT, World, running


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def reader_of(references: MessageReferences | None = None, country_code: str = "") -> ReceiptReader:
    manners = ReceiptManners(country_code=country_code)
    return ReceiptReader(CONNECTOR, manners, indexes=VAULT.indexes, references=references)


def read(
    reader: ReceiptReader,
    source: str,
    stat: str = "DELIVRD",
    reference: bytes | None = None,
    ton: int = 1,
) -> ReceiptRow:
    text = f"id:X sub:001 dlvrd:001 submit date:2601021504 done date:2601021504 stat:{stat} err:000"
    pdu = DeliverSm(
        0,
        esm_class=RECEIPT,
        source_addr=source.encode(),
        source_addr_ton=ton,
        destination_addr=b"SHOP",
        short_message=text.encode(),
        tlvs=() if reference is None else ((TLV_USER_MESSAGE_REFERENCE, reference),),
    )
    row = reader.row(pdu, datetime.now(UTC))
    assert row is not None
    return row


def answered(world: World, message: ReadyMessage, part: int = 1) -> SubmissionRow:
    return SubmissionRow(
        id=world.ids.next(),
        message_id=message.id,
        part=part,
        parts=message.parts,
        account=message.account,
        category=message.category,
        connector=CONNECTOR,
        status=Status.SENT,
        carrier_id="X",
        submitted_at=datetime.now(UTC),
    )


def known(row: SubmissionRow, message: ReadyMessage) -> KnownId:
    return KnownId("X", row.id, message.to)


async def store(world: World, records: list[Record]) -> None:
    world.recorder.record(records)
    await world.recorder.commits.drain()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("one_flush", [False, True])
async def test_e92_three_parts_under_one_id_are_delivered(
    world: World, one_flush: bool, restarted: bool
) -> None:
    message = world.message(parts=3)
    await world.store([message])
    rows = [answered(world, message, part) for part in (1, 2, 3)]
    results: list[Record] = [PartResult(row) for row in rows[:2]]
    results.append(MessageDone(message.id, None, rows=(rows[2],)))
    reader = reader_of()
    reader.remember([known(row, message) for row in rows])
    if not one_flush:
        await store(world, results)
        results = []
    if restarted:
        reader = reader_of()
    await store(world, results + [StateLearned(read(reader, message.to[1:])) for _ in rows])
    assert set((await world.results()).values()) == {Status.DELIVERED}
    assert await world.count("unmatched_receipt") == 0


@pytest.mark.parametrize("restarted", [False, True])
async def test_e92_each_of_two_numbers_under_one_id_gets_what_is_said_of_it(
    world: World, restarted: bool
) -> None:
    messages = world.messages(2)
    await world.store(messages)
    rows = [answered(world, message) for message in messages]
    reader = reader_of()
    reader.remember([known(row, message) for row, message in zip(rows, messages, strict=True)])
    await store(
        world,
        [
            MessageDone(message.id, None, rows=(row,))
            for row, message in zip(rows, messages, strict=True)
        ],
    )
    if restarted:
        reader = reader_of()
    await store(world, [StateLearned(read(reader, messages[0].to[1:], "EXPIRED"))])
    await store(world, [StateLearned(read(reader, messages[1].to[1:]))])
    results = await world.results()
    assert [results[message.id, 1] for message in messages] == [Status.EXPIRED, Status.DELIVERED]


@pytest.mark.parametrize("written", ["00861381", "01381", "1381", "861381"])
async def test_e92_a_number_without_its_country_code_is_compared_too(
    world: World, written: str
) -> None:
    messages = [world.message(to=f"+861381{n}000000") for n in range(2)]
    await world.store(messages)
    rows = [answered(world, message) for message in messages]
    await store(
        world,
        [
            MessageDone(message.id, None, rows=(row,))
            for row, message in zip(rows, messages, strict=True)
        ],
    )
    reader = reader_of(country_code="+86")
    for n, stat in enumerate(["EXPIRED", "DELIVRD"]):
        await store(world, [StateLearned(read(reader, f"{written}{n}000000", stat, ton=0))])
    results = await world.results()
    assert [results[message.id, 1] for message in messages] == [Status.EXPIRED, Status.DELIVERED]


async def test_e92_a_reference_says_which_of_several_is_meant(world: World) -> None:
    message = world.message(parts=2)
    await world.store([message])
    rows = [answered(world, message, part) for part in (1, 2)]
    references = MessageReferences(first=7)
    given = [references.give(row.id, message.to) for row in rows]
    reader = reader_of(references)
    reader.remember([known(row, message) for row in rows])
    await store(world, [PartResult(rows[0]), MessageDone(message.id, None, rows=(rows[1],))])
    await store(world, [StateLearned(read(reader, message.to[1:], "EXPIRED", given[0]))])
    results = await world.results()
    assert [results[message.id, part] for part in (1, 2)] == [Status.EXPIRED, Status.SENT]


def test_e92_a_submit_is_remembered_for_its_first_verdict_and_its_own_number(world: World) -> None:
    message = world.message()
    row = answered(world, message)
    reader = reader_of()
    reader.remember([known(row, message)])
    own, other = message.to[1:], "8613999999999"
    guesses = [
        read(reader, source, stat).submission_id
        for source, stat in [
            (own, "ACCEPTD"),
            (other, "DELIVRD"),
            ("SERVICE", "ENROUTE"),  # says nothing about the number
            (own[3:], "DELIVRD"),
            (own, "DELIVRD"),
        ]
    ]
    assert guesses == [row.id, None, row.id, row.id, None]


async def test_e100_one_receipt_for_a_message_holds_for_parts_that_are_answered_later(
    world: World,
) -> None:
    """In the flush of the first answer, and in one before that of the last."""
    world.recorder.groups = ConnectorGroups(receipts_per_message=[CONNECTOR])
    message = world.message(parts=3)
    await world.store([message])
    rows = [answered(world, message, part) for part in (1, 2, 3)]
    reader = reader_of()
    reader.remember([known(rows[0], message)])
    receipt = StateLearned(read(reader, message.to[1:]))
    await store(world, [PartResult(rows[0]), receipt])
    await store(world, [PartResult(rows[1]), MessageDone(message.id, None, rows=(rows[2],))])
    assert set((await world.results()).values()) == {Status.DELIVERED}
    assert world.recorder.counters.final == {(CONNECTOR, Status.DELIVERED): 3}
