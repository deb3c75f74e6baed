"""Receipts of submits in doubt: found by recipient, sender and time, where only one will do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from dlr import recipient_match
from dlr.connector_groups import ConnectorGroups
from dlr.in_doubt import IN_DOUBT
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions
from dlr.receipt_rows import Parties
from dlr.recipient_match import Matched, match_recipients
from dlr.status import Status
from storage.ids import id_at
from storage.pool import Connection
from tests.dlr.rows import CONNECTOR, World
from tests.plans import scans

RECIPIENT = 5


@pytest.fixture
def world() -> World:
    return World()


async def in_doubt(
    connection: Connection, world: World, connector: int = CONNECTOR
) -> SubmissionRow:
    """A message to RECIPIENT whose only part was written and never answered."""
    message = await world.message(connection, recipient=RECIPIENT)
    row = world.part(message_id=message, status=Status.UNCONFIRMED, connector=connector)
    await insert_submissions(connection, [row])
    world.wait(seconds=1)
    return row


async def park(
    connection: Connection,
    world: World,
    carrier_id: str,
    status: Status = Status.DELIVERED,
    *,
    recipient: int = RECIPIENT,
    sender: str = "S",
    others: Sequence[bytes] = (),
) -> None:
    receipt = world.receipt(carrier_id, status)
    receipt.parties = lambda: Parties(recipient.to_bytes(16, "big"), sender, others)
    [applied] = await apply_receipts(connection, [receipt], world.ids)
    assert not applied.matched


async def match(
    connection: Connection, world: World, cursor: int = 0, groups: ConnectorGroups | None = None
) -> Matched:
    later = world.now + timedelta(minutes=1)
    return await match_recipients(
        connection, cursor, later, world.ids, groups=groups or ConnectorGroups()
    )


async def parked(connection: Connection) -> int:
    count = await connection.fetchval("SELECT count(*) FROM unmatched_receipt")
    assert isinstance(count, int)
    return count


async def test_the_only_submit_in_doubt_gets_its_receipt_and_learns_its_id(
    connection: Connection, world: World
) -> None:
    row = await in_doubt(connection, world)
    await park(connection, world, "c1", Status.SENT)
    await park(connection, world, "c1")
    matched = await match(connection, world)
    assert {receipt.submission_id for receipt in matched.applied} == {row.id}
    assert [receipt.changed for receipt in matched.applied].count(True) == 1
    found = await connection.fetchrow("SELECT status, carrier_id FROM submission")
    assert found is not None
    assert tuple(found) == (Status.DELIVERED, "c1")
    assert await parked(connection) == 0
    [again] = await apply_receipts(connection, [world.receipt("c1")], world.ids)
    assert again.matched


async def test_what_was_given_up_still_learns_the_truth_and_what_has_an_id_is_not_meant(
    connection: Connection, world: World
) -> None:
    row = await in_doubt(connection, world)
    await connection.execute("UPDATE submission SET status = $1", Status.DROPPED)
    await park(connection, world, "c1", Status.SENT)
    [told] = (await match(connection, world)).applied
    assert (told.submission_id, told.changed) == (row.id, False)  # sent ranks below dropped
    await park(connection, world, "c2")
    assert (await match(connection, world)).applied == []
    [told] = await apply_receipts(connection, [world.receipt("c1")], world.ids)
    assert (told.matched, told.changed) == (True, True)


async def test_n3_a_submit_of_the_release_before_is_found_by_its_old_index(
    connection: Connection, world: World
) -> None:
    row = await in_doubt(connection, world)
    old = RECIPIENT.to_bytes(16, "big")
    await park(connection, world, "c1", recipient=7, others=[b"x" * 16])
    assert (await match(connection, world)).applied == []
    await connection.execute("DELETE FROM unmatched_receipt")
    await park(connection, world, "c1", recipient=7, others=[b"x" * 16, old])
    [told] = (await match(connection, world)).applied
    assert told.submission_id == row.id


async def test_what_a_process_that_died_has_left_is_found_although_nobody_knows_when_it_went(
    connection: Connection, world: World
) -> None:
    await park(connection, world, "c0")  # before there was the message: of an earlier one
    row = await in_doubt(connection, world)
    await connection.execute("UPDATE submission SET submitted_at = NULL")
    assert (await match(connection, world)).applied == []
    await park(connection, world, "c1")
    [told] = (await match(connection, world)).applied
    assert (told.submission_id, told.changed) == (row.id, True)
    assert await parked(connection) == 1


async def test_of_two_that_would_do_none_is_guessed(connection: Connection, world: World) -> None:
    await in_doubt(connection, world)
    await in_doubt(connection, world)
    await park(connection, world, "c1")
    assert (await match(connection, world)).applied == []
    assert await parked(connection) == 1


async def test_two_carrier_ids_that_claim_one_submit_both_stay(
    connection: Connection, world: World
) -> None:
    await in_doubt(connection, world)
    await park(connection, world, "c1")
    await park(connection, world, "c2")
    assert (await match(connection, world)).applied == []
    assert await parked(connection) == 2


@pytest.mark.parametrize(
    ("recipient", "sender"), [(RECIPIENT + 1, "S"), (RECIPIENT, "T"), (RECIPIENT + 1, "T")]
)
async def test_another_recipient_or_sender_is_another_message(
    connection: Connection, world: World, recipient: int, sender: str
) -> None:
    await in_doubt(connection, world)
    await park(connection, world, "c1", recipient=recipient, sender=sender)
    assert (await match(connection, world)).applied == []


async def test_where_the_carrier_puts_the_sender_any_will_do(
    connection: Connection, world: World
) -> None:
    await in_doubt(connection, world)
    await connection.execute("UPDATE message SET sender = ''")
    await park(connection, world, "c1", sender="10690001")
    assert len((await match(connection, world)).applied) == 1


async def test_what_was_submitted_later_or_is_not_in_doubt_is_not_meant(
    connection: Connection, world: World
) -> None:
    await park(connection, world, "c1")
    world.wait(seconds=1)
    row = await in_doubt(connection, world)
    assert (await match(connection, world)).applied == []
    await park(connection, world, "c2")
    await connection.execute("UPDATE submission SET status = $1 WHERE id = $2", Status.SENT, row.id)
    assert (await match(connection, world)).applied == []


async def test_a_receipt_may_come_over_another_connector_of_the_group_only(
    connection: Connection, world: World
) -> None:
    await in_doubt(connection, world, CONNECTOR + 1)
    await park(connection, world, "c1")
    assert (await match(connection, world)).applied == []
    group = ConnectorGroups([(CONNECTOR, "one"), (CONNECTOR + 1, "one")])
    assert len((await match(connection, world, groups=group)).applied) == 1


async def test_a_turn_looks_at_so_many_and_the_next_goes_on(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipient_match, "ROWS_MAX", 2)
    for number in range(2):
        await park(connection, world, f"x{number}", recipient=7)
    await in_doubt(connection, world)
    await park(connection, world, "c1")
    first = await match(connection, world)
    assert first.applied == []
    assert first.cursor is not None
    second = await match(connection, world, first.cursor)
    assert (len(second.applied), second.cursor) == (1, None)


async def test_the_young_wait(connection: Connection, world: World) -> None:
    await in_doubt(connection, world)
    await park(connection, world, "c1")
    matched = await match_recipients(connection, 0, world.now, world.ids)
    assert matched.applied == []


async def test_no_day_is_read_whole_for_the_few_that_are_in_doubt(
    connection: Connection, world: World
) -> None:
    """However rare they are: the planner would begin with them, and find them by reading all."""
    first, *_, last = world.ids.take(30_000)
    await connection.execute(
        "INSERT INTO message (id, account, category, connector, data_coding, parts, sender, to_enc,"
        " to_idx, text) SELECT $1::bigint + n, 1, 1, 7, 0, 1, 's', '', decode(md5(n::text), 'hex'),"
        " 't' FROM generate_series(0, 29999) AS n",
        first,
    )
    await connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status)"
        " SELECT id, id, 1, 1, account, category, connector, 60 FROM message"
    )
    world.wait(seconds=last - first >> 22)
    row = await in_doubt(connection, world)
    await park(connection, world, "c1")
    await connection.execute("ANALYZE message, submission, unmatched_receipt")
    horizon, later = id_at(world.now - timedelta(days=1)), id_at(world.now + timedelta(minutes=1))
    [plan] = await connection.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {recipient_match._SQL['unmatched_by_recipient']}",
        horizon, later, recipient_match.ROWS_MAX, horizon, IN_DOUBT, *ConnectorGroups().pairs(),
    )  # fmt: skip
    read = [each for each in scans(plan["Plan"]) if each["Relation Name"] != "unmatched_receipt"]
    assert {each["Relation Name"].partition("_")[0] for each in read} == {"message", "submission"}
    assert max(each.get("Rows Removed by Filter", 0) for each in read) < 10
    found = await connection.fetchval("SELECT carrier_id FROM submission WHERE id = $1", row.id)
    assert found == "c1"
