"""One message in every state there is, and the same said of it everywhere: by itself, in lists, in
the report, and of what waits in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.report import delivery_counts
from dlr.status import Status
from gateway.control.queue import Queues
from gateway.control.states import BatchState
from gateway.dispatch.holds import Hold
from gateway.dispatch.message import ReadyMessage
from gateway.dispatch.outcomes import FREED_BY_HAND
from gateway.message_list import list_messages
from gateway.registry import Registry
from gateway.standing import standings
from gateway.timeline import read_messages
from gateway.web.services import MessageFilter
from storage.ids import id_at
from tests.dispatch.world import CONNECTOR, World, running, wall_ms

ACCOUNT = 1
REGISTRY = Registry({}, {"carrier-a": CONNECTOR})
LATER = datetime.now(UTC) + timedelta(hours=1)
PENDING = ("queued", "scheduled", "held", "sending", "sent")
RESULTS = (
    Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.EXPIRED, Status.REJECTED,
    Status.UNKNOWN, Status.UNCONFIRMED, Status.DROPPED,
)  # fmt: skip
NEVER_SENT = (Status.SUPPRESSED, Status.CAPPED, Status.CANCELED, Status.FAILED)


class Scene:
    """Messages of one account; `expected` says what each is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.expected: dict[int, str] = {}

    async def wait(self, status: str, hold: Hold = Hold.NONE, **fields: Any) -> ReadyMessage:
        message = self.world.message()
        not_before = fields.pop("not_before", LATER if hold else None)
        await self.world.store(
            [message], owner=fields.pop("owner", 0), not_before=not_before, **fields
        )
        await self.world.connection.execute(
            "UPDATE outbox SET hold = $1 WHERE id = $2", hold, message.id
        )
        self.expected[message.id] = status
        return message

    async def batch(self, state: BatchState, messages: list[ReadyMessage]) -> None:
        ids = [message.id for message in messages]
        connection = self.world.connection
        for table in ("outbox", "message"):
            await connection.execute(
                f"UPDATE {table} SET batch_id = $1 WHERE id = ANY($2)", ids[0] - 1, ids
            )
        await connection.execute(
            "INSERT INTO batch_control (id, account, until_id, state, live)"
            " VALUES ($1, $2, $3, $4, true)",
            ids[0] - 1, ACCOUNT, ids[-1], state,
        )  # fmt: skip

    async def end(self, status: Status) -> None:
        message = await self.wait(status.label)
        on_the_wire = status not in NEVER_SENT
        now = datetime.now(UTC)
        row = SubmissionRow(
            id=self.world.ids.next(), message_id=message.id, part=int(on_the_wire), parts=1,
            account=ACCOUNT, category=message.category, connector=CONNECTOR, status=status,
            reason=Reason.NONE, submitted_at=now if on_the_wire else None,
        )  # fmt: skip
        await insert_submissions(self.world.connection, [row])
        await self.world.connection.execute("DELETE FROM outbox WHERE id = $1", message.id)


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with running(database_url) as world:
        scene = Scene(world)
        await scene.wait("queued")
        await scene.wait("queued", owner=world.term.term)
        await scene.wait("queued", Hold.RETRY)
        await scene.wait("queued", Hold.ACCOUNT_RATE)
        await scene.wait("scheduled", Hold.SCHEDULED)
        await scene.wait("held", Hold.QUIET_HOURS)
        await scene.wait("held", Hold.FREQUENCY_GAP)
        sending = [await scene.wait("sending", owner=world.term.term)]
        paused = [
            await scene.wait("held"),
            await scene.wait("held", Hold.QUIET_HOURS),
            await scene.wait("held", Hold.PAUSED, not_before=FREED_BY_HAND),
            await scene.wait("sending", owner=world.term.term),
        ]
        await scene.batch(BatchState.PAUSED, paused)
        canceled = [
            await scene.wait("canceled"),
            await scene.wait("canceled", Hold.SCHEDULED),
            await scene.wait("sending", owner=world.term.term),
        ]
        await scene.batch(BatchState.CANCELED, canceled)
        await world.open_intent(world.batch([*sending, paused[-1], canceled[-1]]))
        for status in (*RESULTS, *NEVER_SENT):
            await scene.end(status)
        yield scene


async def test_lists_single_messages_and_the_report_agree(scene: Scene) -> None:
    connection, expected = scene.world.connection, scene.expected
    records = await read_messages(connection, REGISTRY, ACCOUNT, list(expected))
    assert {record.id: record.status.label for record in records} == expected
    standing = await standings(connection, list(expected))
    assert {key: value.status.label for key, value in standing.items()} == expected
    now = datetime.now(UTC)
    for status in set(expected.values()):
        wanted = MessageFilter(
            since=now - timedelta(hours=1), until=now + timedelta(hours=1), status=status
        )
        found, _ = await list_messages(connection, REGISTRY, ACCOUNT, wanted, None, None, 100)
        assert {each.id for each in found} == {
            key for key, value in expected.items() if value == status
        }, status
    [report] = await delivery_counts(
        connection, since_id=0, until_id=id_at(now + timedelta(hours=1)), account=ACCOUNT
    )
    counted = Counter("pending" if each in PENDING else each for each in expected.values())
    assert report.counts == {
        **dict.fromkeys(report.counts, 0),
        **counted,
        "accepted": len(expected),
        "sent": len(RESULTS),
    }


async def test_the_queue_counts_each_waiting_message_once(scene: Scene) -> None:
    world = scene.world
    waiting = Counter(scene.expected.values())
    queues = Queues(world.database.read, REGISTRY, wall_ms)
    view = await queues.queue(ACCOUNT)
    [kind] = view.data
    assert (kind.connector, kind.category) == ("carrier-a", "transactional")
    in_outbox = sum(waiting[each] for each in ("queued", "scheduled", "held", "sending"))
    assert kind.messages == kind.parts == in_outbox
    assert kind.in_memory == 1 + 3
    assert kind.oldest_seconds is not None
    assert view.held == {
        "retry": 1, "account_rate": 1, "scheduled": 1, "quiet_hours": 1, "frequency_gap": 1,
        "paused": 3,
    }  # fmt: skip
    rules = [Hold[rule.upper()] for rule in view.held]
    for status in (Status.SCHEDULED, Status.HELD):
        held = sum(view.held[rule.rule] for rule in rules if rule.status is status)
        assert held == waiting[status.label]
    assert (await queues.queue(ACCOUNT + 1)).data == []


async def test_the_oldest_waits_for_nothing_but_its_turn(scene: Scene) -> None:
    await scene.world.connection.execute("DELETE FROM outbox WHERE batch_id IS NULL")
    view = await Queues(scene.world.database.read, REGISTRY, wall_ms).queue(ACCOUNT)
    [kind] = view.data
    assert kind.messages == 5  # of the paused batch, and what is being sent of the canceled one
    assert kind.oldest_seconds is None
    assert view.held == {"paused": 3}
