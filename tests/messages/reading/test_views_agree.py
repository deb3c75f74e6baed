"""What a message is: its own page, lists, and reports say the same, whatever its parts are."""

from __future__ import annotations

from random import Random

import pytest

from dlr.ledger import insert_submissions
from dlr.report import OUTCOMES, Span, message_counts, total_of
from dlr.status import RECEIPT_STATUSES, Status
from messages.reading.statuses import standings
from messages.reading.timeline import read_messages
from storage.names import register
from storage.pool import Connection
from tests.dlr.rows import World

ACCOUNT = 1
ON_THE_WIRE = [status for status in Status if 0 < status <= Status.DELIVERED]


@pytest.mark.parametrize("seed", range(3))
async def test_e100_the_page_of_a_message_lists_and_reports_agree(
    connection: Connection, seed: int
) -> None:
    random = Random(seed)
    world = World()
    registry = await register(connection, [], ["carrier-a"])
    connector = registry.connectors["carrier-a"]
    rows = []
    ids = []
    for _ in range(150):
        parts = random.choice([1, 2, 3])
        message_id = await world.message(
            connection, parts=parts, account=ACCOUNT, connector=connector
        )
        ids.append(message_id)
        for part in range(1, parts + 1):
            times = random.choice([0, 1, 1, 1, 1, 2])  # without an answer yet, sent twice
            rows += [
                world.part(
                    message_id=message_id,
                    part=part,
                    parts=parts,
                    connector=connector,
                    status=random.choice([*ON_THE_WIRE, *RECEIPT_STATUSES]),
                )
                for _ in range(times)
            ]
    await insert_submissions(connection, rows)
    known = {row.message_id for row in rows}
    records = await read_messages(connection, registry, ACCOUNT, sorted(known))
    stands = await standings(connection, sorted(known))
    counted = dict.fromkeys(OUTCOMES, 0) | {"pending": len(ids) - len(known)}
    for record in records:
        assert stands[record.id].status is record.status
        label = "pending" if record.status is Status.SENT else record.status.label
        counted[label] += 1
        if record.status is Status.DELIVERED:
            assert record.parts_delivered >= record.parts
    total = total_of(await message_counts(connection, Span(**world.span)))
    assert {name: total[name] for name in OUTCOMES} == counted
