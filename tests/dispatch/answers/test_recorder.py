"""The one writer of results: what it stores together, what it answers when, and what survives a
database that goes away in the middle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatch.answers import recorder as recorder_module
from dispatch.answers.records import MessageDone, PartResult, ReceiptArrived
from dispatch.journey import Intent
from dispatch.message import ReadyMessage
from dlr.ledger import SubmissionRow, apply_receipts
from dlr.reasons import Reason
from dlr.receipt_rows import ReceiptRow
from dlr.rollups import naming
from dlr.status import Status
from smpp.client import Bind
from smpp.events import Delivery
from smpp.pdu import DeliverSm, ShortMessage
from smpp.vocabulary import ESME_ROK, ESME_RX_R_APPN
from storage.events import Event
from tests.dispatch.world import CONNECTOR, SecondLook, World, running
from tests.integration.database_proxy import database_proxy
from tests.smpp.recording import Handler, Listener, binding, serving

UNSTORABLE = "\0"  # PostgreSQL has no text with it
DEADLY = "deadly"


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    async with running(database_url) as world:
        yield world


@pytest.fixture
def second_look(database_url: str) -> Iterator[SecondLook]:
    look = SecondLook(database_url)
    yield look
    look.close()


class Receipts(Listener):
    """Hands every delivery to the recorder as the receipt that `row` makes of its text."""

    def __init__(self, world: World, row: Callable[[str], ReceiptRow]) -> None:
        super().__init__(acknowledge=None)
        self._world = world
        self._row = row

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        arrived: list[ReceiptArrived] = []
        for delivery in deliveries:
            assert isinstance(delivery.pdu, ShortMessage)
            row = self._row(delivery.pdu.short_message.decode())
            arrived.append(ReceiptArrived(row, bind, delivery))
        self._world.recorder.record_receipts(arrived)
        super().deliveries(bind, deliveries)


@asynccontextmanager
async def carrier(
    world: World, row: Callable[[str], ReceiptRow] | None = None
) -> AsyncIterator[tuple[Handler, Bind]]:
    """A carrier and a bind to it whose deliveries reach the recorder."""
    handler, listener = Handler(), Receipts(world, row or world.receipt)
    async with serving(handler) as server, binding(server.port, listener) as bind:
        yield handler, bind


async def deliver(handler: Handler, *texts: str) -> None:
    """Until all are answered."""
    assert handler.session is not None
    wanted = len(handler.answers) + len(texts)
    handler.session.deliver([(DeliverSm(0, short_message=text.encode()), text) for text in texts])
    await handler.until(lambda: len(handler.answers) == wanted)


def row(
    world: World, message: ReadyMessage, part: int = 1, status: Status = Status.SENT, **fields: Any
) -> SubmissionRow:
    return SubmissionRow(
        **{
            "id": world.ids.next(),
            "message_id": message.id,
            "part": part,
            "parts": message.parts,
            "account": message.account,
            "category": message.category,
            "connector": CONNECTOR,
            "status": status,
            "submitted_at": datetime.now(UTC),
            **fields,
        }
    )


def sent(world: World, message: ReadyMessage, intent: Intent | None, **fields: Any) -> MessageDone:
    return MessageDone(message.id, intent, rows=(row(world, message, **fields),))


def retried(world: World, message: ReadyMessage, intent: Intent) -> MessageDone:
    return MessageDone(
        message.id,
        intent,
        retry_at=datetime.now(UTC),
        attempt=message.attempt + 1,
        event=Event(world.ids.next(), message.id, "retry", {"attempt": message.attempt + 1}),
    )


async def submitted(world: World, count: int, **fields: Any) -> tuple[list[ReadyMessage], Intent]:
    """So many messages between intent and answer."""
    messages = [world.message(**fields) for _ in range(count)]
    await world.store(messages)
    intent = world.intent(messages)
    await world.open_intent(intent)
    return messages, intent


async def stored(world: World) -> None:
    """Until everything that was offered is."""
    await world.recorder.commits.drain()


async def test_a_result_ends_the_message_and_the_last_one_the_intent(world: World) -> None:
    (first, second), intent = await submitted(world, 2)
    world.recorder.record([sent(world, first, intent)])
    await stored(world)
    assert list(await world.outbox()) == [second.id]
    assert await world.intents_open() == [[first.id, second.id]]
    assert (intent.open, intent.in_doubt.messages) == (1, 1)
    world.recorder.record([sent(world, second, intent, status=Status.REJECTED)])
    await stored(world)
    assert await world.outbox() == {}
    assert await world.intents_open() == []
    assert (intent.open, intent.in_doubt.messages) == (0, 0)
    assert await world.results() == {
        (first.id, 1): Status.SENT,
        (second.id, 1): Status.REJECTED,
    }
    assert world.recorder.counters.submissions == 2
    assert world.recorder.counters.final == {(CONNECTOR, Status.REJECTED): 1}


async def test_a_part_without_the_rest_leaves_the_message_where_it_is(world: World) -> None:
    (message,), intent = await submitted(world, 1, parts=2)
    world.recorder.record([PartResult(row(world, message, 1))])
    await stored(world)
    assert list(await world.outbox()) == [message.id]
    assert len(await world.intents_open()) == 1
    assert intent.open == 1


async def test_a_retry_is_freed_for_its_time_with_its_reason(world: World) -> None:
    (message,), intent = await submitted(world, 1)
    done = retried(world, message, intent)
    world.recorder.record([done])
    await stored(world)
    waiting = (await world.outbox())[message.id]
    assert (waiting["owner"], waiting["attempt"]) == (0, 1)
    assert waiting["not_before"] == done.retry_at
    assert await world.events(message.id) == [("retry", {"attempt": 1})]
    assert await world.intents_open() == []


async def test_what_came_back_keeps_its_owner(world: World) -> None:
    (message,), intent = await submitted(world, 1)
    world.recorder.record([MessageDone(message.id, intent, requeued=True)])
    await stored(world)
    waiting = (await world.outbox())[message.id]
    assert (waiting["owner"], waiting["attempt"]) == (world.term.term, 0)
    assert await world.intents_open() == []


async def test_a_receipt_is_answered_once_it_can_be_seen(
    world: World, second_look: SecondLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session sees the row at the moment that deliver_sm_resp is written."""
    seen: list[object] = []
    async with carrier(world) as (handler, bind):
        answer = bind.acknowledge

        def acknowledge(deliveries: Sequence[Delivery], command_status: int = 0) -> None:
            seen.append(
                second_look.value("SELECT count(*) FROM unmatched_receipt WHERE carrier_id = 'a1'")
            )
            answer(deliveries, command_status)

        monkeypatch.setattr(bind, "acknowledge", acknowledge)
        await deliver(handler, "a1")
    assert seen == [1]
    assert [answer.command_status for answer in handler.answers] == [ESME_ROK]


async def test_a_receipt_in_the_flush_of_its_result_is_written_with_it(world: World) -> None:
    (message,), intent = await submitted(world, 1)
    async with carrier(world) as (handler, _bind):
        assert handler.session is not None
        world.recorder.commits.offer([sent(world, message, intent, carrier_id="f1")])
        await deliver(handler, "f1")
    record = await world.connection.fetchrow("SELECT *, xmax = 0 AS untouched FROM submission")
    assert record is not None
    assert Status(record["status"]) is Status.DELIVERED
    assert record["receipt_at"] is not None
    assert record["error"] == "000"
    counters = world.recorder.counters
    assert counters.receipts == {(CONNECTOR, Status.DELIVERED): 1}
    assert (counters.receipts_parked, counters.receipts_joined) == (0, 0)


async def test_results_and_receipts_of_one_flush_are_one_write(world: World) -> None:
    """In whatever order they lie in it, and however often the receipt came (E16, E17)."""
    messages, intent = await submitted(world, 3)
    results = [
        sent(world, message, intent, carrier_id=f"c{n}") for n, message in enumerate(messages)
    ]
    async with carrier(world) as (_handler, bind):
        receipts = [
            ReceiptArrived(world.receipt(f"c{n}", status), bind, Delivery(DeliverSm(n), 0))
            for n in range(3)
            for status in (Status.SENT, Status.DELIVERED, Status.UNKNOWN)
        ]
        world.recorder.receipts_waiting += len(receipts)
        world.recorder.commits.offer([*receipts[:5], *results, *receipts[5:]])
        await stored(world)
    assert set((await world.results()).values()) == {Status.DELIVERED}
    assert await world.connection.fetchval("SELECT bool_and(xmax = 0) FROM submission")
    assert await world.count("unmatched_receipt") == 0
    assert world.recorder.counters.final == {(CONNECTOR, Status.DELIVERED): 3}
    assert world.recorder.receipts_waiting == 0


async def test_e11_a_receipt_before_its_answer_is_parked_and_joined(world: World) -> None:
    (message,), intent = await submitted(world, 1)
    async with carrier(world) as (handler, _bind):
        await deliver(handler, "e11")
        assert await world.count("unmatched_receipt") == 1
        world.recorder.record([sent(world, message, intent, carrier_id="e11")])
        await stored(world)
    assert await world.results() == {(message.id, 1): Status.DELIVERED}
    assert await world.count("unmatched_receipt") == 0
    counters = world.recorder.counters
    assert (counters.receipts_parked, counters.receipts_joined) == (1, 1)
    assert counters.final == {(CONNECTOR, Status.DELIVERED): 1}


@pytest.mark.parametrize("alone", [True, False])
async def test_a_receipt_that_another_gateway_parked_is_joined_unless_there_is_none(
    database_url: str, *, alone: bool
) -> None:
    """Then nobody looks for it, and the sweep would have to find it."""
    async with running(database_url, alone=alone) as world:
        (message,), intent = await submitted(world, 1)
        await apply_receipts(world.connection, [world.receipt("elsewhere")], world.ids)
        world.recorder.record([sent(world, message, intent, carrier_id="elsewhere")])
        await stored(world)
        status = Status.SENT if alone else Status.DELIVERED
        assert await world.results() == {(message.id, 1): status}
        assert await world.count("unmatched_receipt") == (1 if alone else 0)
        assert world.recorder.counters.receipts_joined == (0 if alone else 1)


@pytest.mark.parametrize("together", [True, False], ids=["one flush", "two flushes"])
async def test_proof_of_a_dead_number_suppresses_it(world: World, together: bool) -> None:
    (message,), intent = await submitted(world, 1)

    def dead(carrier_id: str) -> ReceiptRow:
        return world.receipt(
            carrier_id, Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001"
        )

    async with carrier(world, dead) as (handler, _bind):
        world.recorder.record([sent(world, message, intent, carrier_id="d1")])
        if not together:
            await stored(world)
        await deliver(handler, "d1")
    found = await world.connection.fetchrow("SELECT to_idx, reason, message_id FROM suppression")
    assert found is not None
    assert tuple(found) == (message.to_idx, Reason.NUMBER_UNKNOWN, message.id)
    assert world.recorder.counters.numbers_suppressed == 1


@pytest.mark.parametrize("poison", [UNSTORABLE, "\ud800"], ids=["NUL", "surrogate"])
async def test_a_result_that_cannot_be_stored_costs_only_itself(world: World, poison: str) -> None:
    messages, intent = await submitted(world, 3)
    errors = [None, f"8613800001000{poison}", "fine"]
    world.recorder.record(
        [
            sent(world, message, intent, error=error)
            for message, error in zip(messages, errors, strict=True)
        ]
    )
    with capture_logs() as logs:
        await stored(world)
    assert [log["event"] for log in logs] == ["record_unstorable"]
    assert "8613800001000" not in str(logs)
    assert set(await world.results()) == {(messages[0].id, 1), (messages[2].id, 1)}
    assert list(await world.outbox()) == [messages[1].id]
    assert world.recorder.counters.unstorable == 1
    (later,), other = await submitted(world, 1)
    world.recorder.record([sent(world, later, other)])
    await stored(world)
    assert (later.id, 1) in await world.results()


async def test_a_receipt_that_cannot_be_stored_is_refused_alone(world: World) -> None:
    def receipt(text: str) -> ReceiptRow:
        return world.receipt(text, error=UNSTORABLE if text == "bad" else "000")

    async with carrier(world, receipt) as (handler, _bind):
        await deliver(handler, "good", "bad", "also good")
    answers = {answer.context: answer.command_status for answer in handler.answers}
    assert answers == {"good": ESME_ROK, "bad": ESME_RX_R_APPN, "also good": ESME_ROK}
    assert await world.count("unmatched_receipt") == 2
    assert world.recorder.receipts_waiting == 0


async def test_a_database_that_goes_away_loses_nothing_and_delays_the_answer(
    world: World, second_look: SecondLook
) -> None:
    """Its session is ended while the flush waits; the same flush is stored by the next session."""
    messages, intent = await submitted(world, 3)
    async with carrier(world) as (handler, _bind):
        assert handler.session is not None
        async with world.connection.transaction():
            await world.connection.execute("LOCK TABLE submission, unmatched_receipt")
            world.recorder.record([sent(world, message, intent) for message in messages])
            handler.session.deliver([(DeliverSm(0, short_message=b"late"), "late")])
            await waiting_for_a_lock(second_look)
            assert second_look.value(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name LIKE 'smsgate:%:record'"
                " AND datname = current_database()"
            )
            await until(lambda: world.recorder.commits.flush_failures == 1)
            assert handler.answers == []
        await handler.until(lambda: len(handler.answers) == 1)
    await stored(world)
    assert len(await world.results()) == 3
    assert await world.outbox() == {}
    assert await world.intents_open() == []
    assert (intent.open, intent.in_doubt.messages) == (0, 0)
    assert world.recorder.counters.submissions == 3
    assert world.recorder.receipts_waiting == 0


async def waiting_for_a_lock(look: SecondLook) -> None:
    await until(
        lambda: (
            look.value(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database() AND application_name LIKE 'smsgate:%:record'"
            )
            == 1
        )
    )


async def until(condition: Callable[[], bool]) -> None:
    """For what nobody signals."""
    from tests.smpp.recording import eventually

    await eventually(condition)


# --- a COMMIT whose answer was lost ---------------------------------------------------------------


@asynccontextmanager
async def losing_one_commit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, Callable[[], None]]]:
    """A world whose recorder will not hear of the next COMMIT after `arm()`."""
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    async with (
        database_proxy(database_url) as proxy,
        running(database_url, through=proxy.url) as world,
    ):

        def arm() -> None:
            proxy.arm("record", asked=rb"COMMIT")

        yield world, arm


async def test_a_commit_without_an_answer_is_repeated_without_harm(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with losing_one_commit(database_url, monkeypatch) as (world, arm):
        messages, intent = await submitted(world, 3, parts=1)
        arm()
        world.recorder.record([sent(world, message, intent) for message in messages])
        await stored(world)
        assert world.recorder.commits.flush_failures == 1
        assert len(await world.results()) == 3
        assert await world.outbox() == {}
        assert await world.intents_open() == []
        assert (intent.open, intent.in_doubt.messages) == (0, 0)
        assert world.recorder.counters.unstorable == 0


async def test_a_retry_in_a_commit_without_an_answer_is_told_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event stands already; the intent is closed all the same."""
    async with losing_one_commit(database_url, monkeypatch) as (world, arm):
        (first, second), intent = await submitted(world, 2)
        arm()
        world.recorder.record([retried(world, first, intent), sent(world, second, intent)])
        await stored(world)
        assert world.recorder.commits.flush_failures == 1
        assert world.recorder.counters.unstorable == 0
        assert await world.events(first.id) == [("retry", {"attempt": 1})]
        assert (await world.outbox())[first.id]["attempt"] == 1
        assert (intent.open, intent.in_doubt.messages) == (0, 0)
        assert await world.intents_open() == []


async def test_a_retry_that_was_claimed_meanwhile_stays_with_its_new_owner(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freed a second time it would be claimed, and sent, a second time."""
    async with losing_one_commit(database_url, monkeypatch) as (world, arm):
        (message,), intent = await submitted(world, 1)
        await world.connection.execute(
            "CREATE FUNCTION claim() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.owner := 99; RETURN NEW; END $$"
        )
        # Whoever claims it between the two tries; here at once, so that no test has to wait.
        await world.connection.execute(
            "CREATE TRIGGER claim BEFORE UPDATE ON outbox FOR EACH ROW"
            " WHEN (OLD.attempt = 0) EXECUTE FUNCTION claim()"
        )
        arm()
        done = retried(world, message, intent)
        done.event = None
        world.recorder.record([done])
        await stored(world)
        assert world.recorder.commits.flush_failures == 1
        waiting = (await world.outbox())[message.id]
        assert (waiting["owner"], waiting["attempt"]) == (99, 1)


async def test_a_receipt_joined_in_a_flush_that_failed_is_counted_once(world: World) -> None:
    await die_once_at(world, "retry", table="event", column="kind")
    (message,), intent = await submitted(world, 1)
    async with carrier(world) as (handler, _bind):
        await deliver(handler, "j1")
        done = sent(world, message, intent, carrier_id="j1")
        done.event = Event(world.ids.next(), message.id, "retry", {})
        world.recorder.record([done])
        await stored(world)
        assert world.recorder.commits.flush_failures == 1
        assert await world.results() == {(message.id, 1): Status.DELIVERED}
        assert world.recorder.counters.receipts_joined == 1
        # And the next early receipt is still looked for.
        await deliver(handler, "j2")
        (later,), other = await submitted(world, 1)
        world.recorder.record([sent(world, later, other, carrier_id="j2")])
        await stored(world)
        assert (await world.results())[later.id, 1] is Status.DELIVERED


async def test_a_session_lost_while_records_go_one_by_one_counts_none_twice(world: World) -> None:
    """A poisoned flush is stored record by record; the session ends in the middle of that."""
    await die_once_at(world, DEADLY, table="submission", column="error")
    (fine, poisoned, deadly), intent = await submitted(world, 3)
    world.recorder.record(
        [
            sent(world, fine, intent),
            sent(world, poisoned, intent, error=UNSTORABLE),
            sent(world, deadly, intent, error=DEADLY),
        ]
    )
    await stored(world)
    assert world.recorder.commits.flush_failures == 1
    assert set(await world.results()) == {(fine.id, 1), (deadly.id, 1)}
    assert world.recorder.counters.submissions == 2
    # The poisoned one is the only message without a stored result; its intent stays open.
    assert (intent.open, intent.in_doubt.messages) == (1, 0)


async def die_once_at(world: World, value: str, *, table: str, column: str) -> None:
    """The session that first inserts this value ends then and there."""
    await world.connection.execute(
        f"""
        CREATE SEQUENCE deaths;
        CREATE FUNCTION die_once() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF coalesce(NEW.{column} = '{value}', false) AND nextval('deaths') = 1 THEN
                PERFORM pg_terminate_backend(pg_backend_pid());
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER die BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION die_once();
        """
    )


# --- bounds ---------------------------------------------------------------------------------------


async def test_room_for_receipts_is_bounded_and_reading_goes_on_at_half(world: World) -> None:
    recorder = world.recorder
    assert recorder.room_for_receipts() == 1_000
    recorder.receipts_waiting = 501
    assert (recorder.room_for_receipts(), recorder.has_room_again()) == (499, False)
    recorder.receipts_waiting = 500
    assert recorder.has_room_again()
    recorder.receipts_waiting = 0


async def test_everything_offered_is_stored_before_it_closes(world: World) -> None:
    messages, intent = await submitted(world, 2_400)
    world.recorder.record([sent(world, message, intent) for message in messages])
    await world.recorder.close()
    assert len(await world.results()) == 2_400
    assert world.recorder.commits.flushes >= 2
    assert (intent.open, await world.intents_open()) == (0, [])


async def test_a_late_receipt_raises_the_row_and_a_duplicate_changes_nothing(world: World) -> None:
    (message,), intent = await submitted(world, 1)
    world.recorder.record([sent(world, message, intent, carrier_id="l1")])
    await stored(world)
    async with carrier(world) as (handler, _bind):
        await deliver(handler, "l1")
        await deliver(handler, "l1")
    assert await world.results() == {(message.id, 1): Status.DELIVERED}
    assert world.recorder.counters.receipts_unchanged == 1
    assert world.recorder.counters.final == {(CONNECTOR, Status.DELIVERED): 1}
    at = await world.connection.fetchval("SELECT receipt_at FROM submission")
    assert datetime.now(UTC) - at < timedelta(minutes=1)


@pytest.mark.parametrize("old", [False, True])
async def test_what_happens_to_an_old_message_is_named_for_reports(
    world: World, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old:
        monkeypatch.setattr(naming, "_LATE_IDS", -(1 << 62))
    (message,), intent = await submitted(world, 1)
    world.recorder.record([sent(world, message, intent)])
    await stored(world)
    named = await world.connection.fetch("SELECT kind, message_ids FROM rollup_change")
    assert [tuple(row) for row in named] == ([(naming.CHANGED, [message.id])] if old else [])
