"""One message in every state there is, and the same said of it everywhere.

By itself, in lists, in the report, and of what waits in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.message import ReadyMessage
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.report import Span, message_counts
from dlr.status import Status
from messages.accept.stored_before import stored_verdicts
from messages.batch_states import BatchState
from messages.control.cancel import MessageCanceler
from messages.control.waiting import Queues
from messages.reading.listing import MessageFilter, list_messages
from messages.reading.reader import Messages
from messages.reading.statuses import code_of, of_hold, of_parts, standings
from messages.reading.timeline import TimelinePage, read_messages
from storage import events
from storage.events import Event
from storage.ids import id_at, time_of
from storage.names import Registry
from tests.dispatch.world import CONNECTOR, VAULT, World, running, wall_ms
from tests.messages.control.test_cancel import nothing_anew

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
        await world.open_intent(world.intent([*sending, paused[-1], canceled[-1]]))
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
    span = Span(0, id_at(now + timedelta(hours=1)), account=ACCOUNT)
    counts = (await message_counts(connection, span))[()]
    counted = Counter("pending" if each in PENDING else each for each in expected.values())
    assert counts == {
        **dict.fromkeys(counts, 0),
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


HELD = {  # hold -> the reason and the moment that every view has for it
    Hold.SCHEDULED: ("scheduled", LATER),
    Hold.SEND_WINDOW: ("send_window", LATER),
    Hold.QUIET_HOURS: ("quiet_hours", LATER),
    Hold.FREQUENCY_GAP: ("frequency_gap", LATER),
    Hold.PAUSED: ("paused", None),
    Hold.BREAKER: ("breaker", LATER),
    Hold.WISHED_DAY: ("wished_day", LATER),
}


async def said_everywhere(world: World, message_id: int) -> set[tuple[object, ...]]:
    """Status, reason and moment as each view has them; one if they agree."""
    reader = Messages(world.database.read, REGISTRY, VAULT)
    view = await reader.message(ACCOUNT, message_id)
    assert view is not None
    now = datetime.now(UTC)
    wanted = MessageFilter(
        since=now - timedelta(hours=1), until=now + timedelta(hours=1), status=view.status
    )
    listed = {each.id: each for each in (await reader.listed(ACCOUNT, wanted, None, 100)).messages}
    stands = (await standings(world.connection, [message_id]))[message_id]
    [stored] = (await stored_verdicts(world.connection, [message_id])).values()
    views: list[tuple[object, ...]] = [
        (view.status, view.reason, view.held_until),
        (listed[message_id].status, listed[message_id].reason, listed[message_id].held_until),
        (stands.status.label, stands.why, stands.until),
    ]
    if view.status in ("held", "scheduled", "suppressed", "capped"):
        views.append((stored.status, stored.reason, stored.held_until))
    assert view == listed[message_id]
    return set(views)


async def test_f3_every_view_says_the_same_of_every_state(scene: Scene) -> None:
    for message_id, status in scene.expected.items():
        [(told, reason, until)] = await said_everywhere(scene.world, message_id)
        assert told == status
        assert (reason is not None) == (status in ("held", "scheduled"))
        assert until in (None, LATER)


@pytest.mark.parametrize("hold", list(Hold))
async def test_f3_a_hold_has_one_reason_and_one_moment(scene: Scene, hold: Hold) -> None:
    not_before = FREED_BY_HAND if hold is Hold.PAUSED else LATER if hold else None
    status = hold.status.label
    message = await scene.wait(status, hold, not_before=not_before)
    reason, until = HELD.get(hold, (None, None))
    assert await said_everywhere(scene.world, message.id) == {(status, reason, until)}
    # What is answered when it is accepted comes from the same place.
    answered = of_hold(hold, not_before)
    assert (answered.status.label, answered.why, answered.until) == (status, reason, until)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from([*RESULTS, Status.FAILED]),
            st.sampled_from(Reason),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_f3_the_reason_told_is_that_of_a_part_that_decided(
    results: list[tuple[int, Status, Reason]],
) -> None:
    codes: dict[int, int] = {}
    for part, status, reason in results:
        codes[part] = max(codes.get(part, 0), code_of(status, reason))
    stands = of_parts(list(codes.values()), 3)
    if stands.reason is not Reason.NONE:
        assert any((stands.status, stands.reason) == result[1:] for result in results)


async def test_f3_what_was_held_and_is_due_waits_for_its_turn_alone(scene: Scene) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    for owner in (0, scene.world.term.term):
        message = await scene.wait("queued", Hold.QUIET_HOURS, not_before=past, owner=owner)
        assert await said_everywhere(scene.world, message.id) == {("queued", None, None)}


async def updated_at(world: World, message_id: int) -> datetime:
    view = await Messages(world.database.read, REGISTRY, VAULT).message(ACCOUNT, message_id)
    assert view is not None
    assert view.updated_at is not None
    return view.updated_at


async def test_f3_a_hold_a_release_and_a_cancel_are_changes(scene: Scene) -> None:
    world = scene.world
    message = await scene.wait("queued")
    accepted = await updated_at(world, message.id)
    later = accepted + timedelta(seconds=5)
    held = Event(id_at(later), message.id, "held", {"rule": "send_window"})
    await events.append(world.connection, [held])
    assert await updated_at(world, message.id) == later
    released = datetime.now(UTC) - timedelta(milliseconds=1)
    message = await scene.wait("queued", Hold.QUIET_HOURS, not_before=released)
    assert await updated_at(world, message.id) >= released
    canceler = MessageCanceler(
        world.database.dedicated("cancel"), world.ids, sent_anew=nothing_anew
    )
    message = await scene.wait("canceled")
    row = await world.connection.execute("UPDATE outbox SET owner = 0 WHERE id = $1", message.id)
    assert row == "UPDATE 1"
    asked = datetime.now(UTC).replace(microsecond=0)
    assert (await canceler.cancel(ACCOUNT, message.id, actor="key 1")).canceled
    assert await updated_at(world, message.id) >= asked
    part = (await read_messages(world.connection, REGISTRY, ACCOUNT, [message.id]))[0].results[0]
    assert await updated_at(world, message.id) == time_of(part.id)
    await canceler.close()


@pytest.mark.parametrize("state", list(BatchState))
async def test_f3_what_a_batch_is_told_is_a_change_of_what_waits(
    scene: Scene, state: BatchState
) -> None:
    world = scene.world
    message = await scene.wait("held")
    await scene.batch(state, [message])
    changed = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=9)
    await world.connection.execute(
        "UPDATE batch_control SET changed_at = $1 WHERE id = $2", changed, message.id - 1
    )
    assert await updated_at(world, message.id) == changed
    found = await Messages(world.database.read, REGISTRY, VAULT).events(
        ACCOUNT, message.id, TimelinePage(10)
    )
    assert found is not None
    timeline = found.events
    last = (timeline[-1].kind, timeline[-1].detail.get("reason"), timeline[-1].at)
    told = {
        BatchState.ACTIVE: ("accepted", None, timeline[0].at),
        BatchState.PAUSED: ("held", "paused", changed),
        BatchState.CANCELED: ("canceled", None, changed),
    }
    assert last == told[state]
