"""Carriers that answer several submits with one id: each receipt finds a submit of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from dlr import receipt_targets
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions, join_unmatched
from dlr.receipt_rows import Parties, ReceiptRow
from dlr.status import Status
from dlr.unreported import unreported
from storage.ids import id_at
from storage.pool import Connection, close_connection, connect
from tests.dispatch.world import POLL_SECONDS
from tests.dlr.rows import CONNECTOR, World
from tests.smpp.recording import WAIT_SECONDS

FINAL = [Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED, Status.DELIVERED]


@pytest.fixture
def world() -> World:
    return World()


async def message(
    connection: Connection, world: World, carrier_id: str, recipient: int, parts: int = 1
) -> list[SubmissionRow]:
    """The parts of a message, all answered with one id; not stored."""
    message_id = await world.message(connection, recipient=recipient, parts=parts)
    return [
        world.part(carrier_id, message_id=message_id, part=part, parts=parts)
        for part in range(1, parts + 1)
    ]


def receipt(
    world: World, carrier_id: str, status: Status = Status.DELIVERED, recipient: int | None = None
) -> ReceiptRow:
    row = world.receipt(carrier_id, status)
    if recipient is not None:
        index = recipient.to_bytes(16, "big")
        row.parties = lambda: Parties(index, "S")
    return row


async def statuses(connection: Connection, rows: Sequence[SubmissionRow]) -> list[Status]:
    records = await connection.fetch("SELECT id, status FROM submission")
    found = {record["id"]: Status(record["status"]) for record in records}
    return [found[row.id] for row in rows]


async def parked(connection: Connection) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM unmatched_receipt")
    return count


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("remembered", [True, False])
async def test_e92_three_parts_under_one_id_take_three_receipts(
    connection: Connection, world: World, at_once: bool, remembered: bool
) -> None:
    parts = await message(connection, world, "X", 1, parts=3)
    await insert_submissions(connection, parts)
    receipts = [receipt(world, "X", recipient=1) for _ in parts]
    if remembered:
        for row in receipts:
            row.submission_id = parts[2].id
    for batch in [receipts] if at_once else [[row] for row in receipts]:
        told = await apply_receipts(connection, batch, world.ids)
        assert all(each.changed for each in told)
    assert await statuses(connection, parts) == [Status.DELIVERED] * 3
    assert await parked(connection) == 0


@pytest.mark.parametrize("at_once", [True, False])
async def test_e92_two_messages_under_one_id_take_the_receipts_of_their_numbers(
    connection: Connection, world: World, at_once: bool
) -> None:
    [first] = await message(connection, world, "X", 1)
    [second] = await message(connection, world, "X", 2)
    await insert_submissions(connection, [first, second])
    receipts = [
        receipt(world, "X", Status.UNDELIVERED, recipient=1),
        receipt(world, "X", recipient=2),
        receipt(world, "X", Status.UNDELIVERED, recipient=1),  # and again
    ]
    for batch in [receipts] if at_once else [[row] for row in receipts]:
        await apply_receipts(connection, batch, world.ids)
    assert await statuses(connection, [first, second]) == [Status.UNDELIVERED, Status.DELIVERED]


async def test_n3_a_message_of_the_release_before_is_known_by_its_old_index(
    connection: Connection, world: World
) -> None:
    [first] = await message(connection, world, "X", 1)
    [second] = await message(connection, world, "X", 2)
    await insert_submissions(connection, [first, second])
    row = receipt(world, "X", Status.UNDELIVERED)
    row.parties = lambda: Parties(b"today's index...", "S", [(1).to_bytes(16, "big")])
    await apply_receipts(connection, [row], world.ids)
    assert await statuses(connection, [first, second]) == [Status.UNDELIVERED, second.status]


async def test_e92_a_number_that_no_submit_has_does_not_keep_a_receipt_away(
    connection: Connection, world: World
) -> None:
    rows = [*await message(connection, world, "X", 1), *await message(connection, world, "X", 2)]
    await insert_submissions(connection, rows)
    for recipient in (3, None):
        await apply_receipts(connection, [receipt(world, "X", recipient=recipient)], world.ids)
    assert await statuses(connection, rows) == [Status.DELIVERED] * 2


@pytest.mark.parametrize("seed", range(8))
async def test_e92_whatever_the_ids_and_the_order_each_submit_closes_as_the_rule_says(
    connection: Connection, world: World, seed: int
) -> None:
    random = Random(seed)
    rows: list[SubmissionRow] = []
    recipients: dict[int, int] = {}
    for _ in range(40):
        recipient = random.randint(1, 6)
        made = await message(connection, world, random.choice("ABCDEFGH"), recipient, 1)
        made += await message(connection, world, random.choice("ABCDEFGH"), recipient, 3)
        recipients.update(dict.fromkeys((row.id for row in made), recipient))
        rows += made
    await insert_submissions(connection, rows)
    told = []
    for row in rows:
        said = random.choices([Status.SENT, *FINAL], k=random.randint(0, 2))
        said.append(random.choice(FINAL))
        told += [
            (row.carrier_id, recipients[row.id] if random.random() < 0.7 else None, status)
            for status in said
        ]
    random.shuffle(told)
    model = {row.id: int(row.status) for row in rows}
    newest = {row.carrier_id: row.id for row in rows}  # what a process remembers
    while told:
        batch = []
        for carrier_id, number, status in told[: random.randint(1, 25)]:
            told.pop(0)
            assert carrier_id is not None
            each = receipt(world, carrier_id, status, number)
            target = rule(rows, recipients, model, carrier_id, number, status)
            model[target] = max(model[target], status)
            guess = newest.get(carrier_id)
            # As the reader: it remembers until the first verdict, and compares the number.
            if guess is not None and number in (None, recipients[guess]) and number is not None:
                each.submission_id = guess
                if status is not Status.SENT:
                    del newest[carrier_id]
            if random.random() < 0.1:
                newest.clear()  # started again
            batch.append(each)
        await apply_receipts(connection, batch, world.ids)
        assert await statuses(connection, rows) == list(model.values())


def rule(
    rows: Sequence[SubmissionRow],
    recipients: dict[int, int],
    model: dict[int, int],
    carrier_id: str,
    number: int | None,
    status: Status,
) -> int:
    """The same, said otherwise: what a receipt is about."""
    found = [row for row in rows if row.carrier_id == carrier_id]
    mine = [row for row in found if recipients[row.id] == number] or found
    still_open = [row for row in mine if model[row.id] == Status.SENT]
    if still_open:
        return still_open[-1].id
    siblings = [row for row in found if row.message_id == mine[-1].message_id]
    raised = [row for row in siblings if model[row.id] < status]
    return (raised or siblings)[-1].id


async def test_e92_a_guess_holds_only_while_its_submit_is_open(
    connection: Connection, world: World
) -> None:
    older, newer = await message(connection, world, "X", 1, parts=2)
    newer.status = Status.DELIVERED  # its receipt came before its answer
    await insert_submissions(connection, [older, newer])
    late = receipt(world, "X", recipient=1)
    late.submission_id = newer.id
    [told] = await apply_receipts(connection, [late], world.ids)
    assert (told.submission_id, told.changed) == (older.id, True)


async def test_e92_the_same_receipts_once_more_after_a_commit_in_doubt_change_nothing(
    connection: Connection, world: World
) -> None:
    parts = await message(connection, world, "X", 1, parts=4)
    await insert_submissions(connection, parts)
    receipts = [receipt(world, "X", recipient=1), receipt(world, "X", recipient=1)]
    receipts[0].submission_id = parts[3].id
    stranger = receipt(world, "Y", recipient=1)
    for _ in range(2):
        await apply_receipts(connection, [*receipts, stranger], world.ids)
    sent, delivered = [Status.SENT] * 2, [Status.DELIVERED] * 2
    assert await statuses(connection, parts) == sent + delivered
    assert await parked(connection) == 1


async def test_e92_receipts_before_their_answers_wait_for_one_each(
    connection: Connection, world: World
) -> None:
    parts = await message(connection, world, "X", 1, parts=3)
    early = [receipt(world, "X", recipient=1) for _ in parts]
    await apply_receipts(connection, early[:2], world.ids)
    for row in parts:
        await insert_submissions(connection, [row])
        joined = await join_unmatched(connection, [(CONNECTOR, "X")], now=world.now)
        await apply_receipts(connection, joined, world.ids)
    await apply_receipts(connection, early[2:], world.ids)
    assert await statuses(connection, parts) == [Status.DELIVERED] * 3
    assert await parked(connection) == 0


async def test_e92_a_receipt_of_a_number_whose_submit_has_no_answer_yet_waits_for_it(
    connection: Connection, world: World
) -> None:
    [first] = await message(connection, world, "X", 1)
    [second] = await message(connection, world, "X", 2)
    await insert_submissions(connection, [first])
    for recipient in (1, 2):
        await apply_receipts(connection, [receipt(world, "X", recipient=recipient)], world.ids)
    assert await parked(connection) == 1
    await insert_submissions(connection, [second])
    joined = await join_unmatched(connection, [(CONNECTOR, "X")], now=world.now)
    await apply_receipts(connection, joined, world.ids)
    assert await statuses(connection, [first, second]) == [Status.DELIVERED] * 2


async def test_e92_what_is_repeated_for_a_message_that_is_whole_does_not_wait(
    connection: Connection, world: World
) -> None:
    parts = await message(connection, world, "X", 1, parts=2)
    await insert_submissions(connection, parts)
    for _ in range(4):
        await apply_receipts(connection, [receipt(world, "X", recipient=1)], world.ids)
    assert await parked(connection) == 0


async def test_e92_later_receipts_of_all_parts_correct_the_first_ones(
    connection: Connection, world: World
) -> None:
    parts = await message(connection, world, "X", 1, parts=3)
    await insert_submissions(connection, parts)
    for status in (Status.UNDELIVERED, Status.DELIVERED):
        receipts = [receipt(world, "X", status, recipient=1) for _ in parts]
        await apply_receipts(connection, receipts, world.ids)
        assert await statuses(connection, parts) == [status] * 3


async def test_e92_of_very_many_submits_under_one_id_the_newest_open_ones_are_looked_at(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt_targets, "CANDIDATES_MAX", 2)
    parts = await message(connection, world, "X", 1, parts=5)
    await insert_submissions(connection, parts)
    for _ in parts:
        await apply_receipts(connection, [receipt(world, "X", recipient=1)], world.ids)
    assert await statuses(connection, parts) == [Status.DELIVERED] * 5


@pytest.mark.parametrize("at_once", [True, False])
async def test_e92_of_very_many_submits_under_one_id_those_of_the_number_are_found(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    monkeypatch.setattr(receipt_targets, "CANDIDATES_MAX", 3)
    rows = [
        row
        for recipient in range(1, 9)
        for row in await message(connection, world, "X", recipient, parts=2)
    ]
    await insert_submissions(connection, rows)
    said = [(1, Status.UNDELIVERED), (2, Status.DELIVERED), (1, Status.EXPIRED)]
    receipts = [receipt(world, "X", status, recipient) for recipient, status in said]
    for batch in [receipts] if at_once else [[row] for row in receipts]:
        await apply_receipts(connection, batch, world.ids)
    sent = rows[0].status
    assert await statuses(connection, rows) == [
        Status.EXPIRED, Status.UNDELIVERED, sent, Status.DELIVERED, *[sent] * 12,
    ]  # fmt: skip


async def test_e92_nothing_is_asked_about_an_id_that_two_messages_have(
    connection: Connection, world: World
) -> None:
    cursor = id_at(world.now) - 1
    shared = [*await message(connection, world, "X", 1), *await message(connection, world, "X", 2)]
    parts = await message(connection, world, "Y", 1, parts=2)
    await insert_submissions(connection, [*shared, *parts])
    world.wait(seconds=1)
    found = await unreported(connection, CONNECTOR, cursor, id_at(world.now), 50)
    assert [part.submission_id for part in found.parts] == [row.id for row in parts]


@pytest.mark.parametrize("remembered", [True, False])
async def test_e92_two_processes_at_the_same_moment_do_not_take_one_submit_for_two_receipts(
    connection: Connection, database_url: str, world: World, remembered: bool
) -> None:
    parts = await message(connection, world, "X", 1, parts=2)
    await insert_submissions(connection, parts)
    other = await connect(database_url, application_name="other")
    receipts = [receipt(world, "X", status, recipient=1) for status in FINAL[-2:]]
    for row in receipts:
        row.submission_id = parts[1].id if remembered else None
    try:
        async with connection.transaction():
            await apply_receipts(connection, receipts[:1], world.ids)
            second = asyncio.create_task(apply_receipts(other, receipts[1:], world.ids))
            await waiting(connection)
        [told] = await second
    finally:
        await close_connection(other)
    assert (told.submission_id, told.changed) == (parts[0].id, True)
    assert await statuses(connection, parts) == [Status.DELIVERED, Status.UNDELIVERED]


async def waiting(connection: Connection) -> None:
    """Until somebody waits for a lock that this transaction holds."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(WAIT_SECONDS):
        while not await connection.fetchval(query):
            await asyncio.sleep(POLL_SECONDS)
