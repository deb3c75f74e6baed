"""What becomes of a message whose parts are answered, refused, lost or never written, in any order.

There is one end per intent, one row per part, and never a submit too many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.error_policy import ATTEMPTS_MAX, RETRY_SECONDS_FIRST
from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.answers.records import KnownId, MessageDone, PartResult
from dispatch.journey import InDoubt, Intent, Journey, OutboundPart
from dispatch.message import ReadyMessage
from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.receipt import normalise_id
from dlr.status import Status
from gateway.config.category_settings import DoubtLabel, DoubtSettings
from gateway.wiring.routes import outcome_policy
from smpp.vocabulary import status_name
from storage.categories import Category
from storage.ids import IdSource

NOW_MS = 1_790_000_000_000
CONNECTOR = 4
OK, INVALID_NUMBER, SYSTEM_ERROR, THROTTLED, QUEUE_FULL = 0x00, 0x0B, 0x08, 0x58, 0x14
SUSPENDED, NOT_BOUND, VENDOR, NOT_DELIVERED = 0x03, 0x04, 0x480, 0xFE
ANSWERS = (
    OK, INVALID_NUMBER, SYSTEM_ERROR, THROTTLED, QUEUE_FULL, SUSPENDED, NOT_BOUND, VENDOR,
    NOT_DELIVERED,
)  # fmt: skip
DOUBT = "doubt"
UNWRITTEN = "unwritten"
Fate = int | str


class Wire:
    """One connector's decisions, and messages on their way through it."""

    def __init__(self, policy: OutcomePolicy | None = None, ahead_ms: int = 0) -> None:
        self.ids = IdSource(1, lambda: NOW_MS)
        self.outcomes = Outcomes(
            CONNECTOR,
            policy=policy or OutcomePolicy(),
            ids=self.ids,
            normalise=partial(normalise_id, base="hex"),
            status_name=status_name,
            ahead_ms=lambda: ahead_ms,
        )

    def message(
        self,
        parts: int = 1,
        category: Category = Category.TRANSACTIONAL,
        *,
        attempt: int = 0,
        expires_at: int | None = None,
    ) -> ReadyMessage:
        return ReadyMessage(
            id=self.ids.next(), category=category, account=2, parts=parts, cost=parts,
            to="+8613800000000", to_idx=b"", sender="", text="", attempt=attempt,
            expires_at=expires_at,
        )  # fmt: skip

    def journeys(self, *messages: ReadyMessage) -> list[Journey]:
        intent = Intent(self.ids.next(), CONNECTOR, list(messages), len(messages), InDoubt())
        return [
            Journey(message, intent, message.cost, submits=message.parts) for message in messages
        ]

    def part(self, journey: Journey, number: int = 1, *, generation: int = 0) -> OutboundPart:
        return OutboundPart(journey, number, self.ids.next(), NOW_MS, generation)

    def answer(
        self, journey: Journey, *statuses: int, now_ms: int = NOW_MS, message_id: bytes = b"1F"
    ) -> Effects:
        """Answers to parts 1, 2, … of one message."""
        out = Effects()
        for number, status in enumerate(statuses, 1):
            self.outcomes.answered(self.part(journey, number), status, message_id, now_ms, out)
        return out


def missing(message: ReadyMessage) -> list[int]:
    return [part for part in range(1, message.parts + 1) if part not in message.parts_done]


def done_of(out: Effects) -> list[MessageDone]:
    return [record for record in out.records if isinstance(record, MessageDone)]


def rows_of(out: Effects) -> list[SubmissionRow]:
    rows = []
    for record in out.records:
        if isinstance(record, PartResult):
            rows.append(record.row)
        elif isinstance(record, MessageDone):
            rows += record.rows
    return rows


def play(wire: Wire, journey: Journey, fates: list[Fate], order: list[int]) -> Effects:
    """Every missing part of the message meets its fate, in this order."""
    out = Effects()
    parts = missing(journey.message)
    steps: list[Callable[[], None]] = []
    unwritten = 0
    for number, fate in zip(parts, fates, strict=True):
        part = wire.part(journey, number)
        if isinstance(fate, int):
            steps.append(partial(wire.outcomes.answered, part, fate, b"1F", NOW_MS, out))
        elif fate == DOUBT:
            steps.append(partial(wire.outcomes.doubtful, part, NOW_MS, out))
        else:
            unwritten += 1
    if unwritten:
        steps.append(partial(wire.outcomes.unwritten, journey, unwritten, NOW_MS, out))
    for position in sorted(range(len(steps)), key=lambda k: order[k]):
        assert not done_of(out)  # not before its last part
        steps[position]()
    return out


fates = st.one_of(st.sampled_from(ANSWERS), st.just(DOUBT), st.just(UNWRITTEN))


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(),
    parts=st.integers(1, 4),
    category=st.sampled_from(Category),
    expires_at=st.sampled_from([None, NOW_MS, NOW_MS + 60_000]),
)
def test_whatever_the_parts_meet_the_message_ends_once_with_one_row_a_part(
    data: st.DataObject, parts: int, category: Category, expires_at: int | None
) -> None:
    """Intent after intent until the message leaves the outbox; E30 and E79 on the way."""
    wire = Wire()
    message = wire.message(parts, category, expires_at=expires_at)
    stored: dict[int, SubmissionRow] = {}
    attempts_paid: Counter[int] = Counter()
    for turn in range(40):
        [journey] = wire.journeys(message)
        before = message.attempt
        drawn = [data.draw(fates) if turn < 12 else INVALID_NUMBER for _ in missing(message)]
        out = play(wire, journey, drawn, data.draw(st.permutations(range(parts + 1))))
        [done] = done_of(out)
        assert (done.message_id, done.intent) == (message.id, journey.intent)
        assert journey.unanswered == 0
        for row in rows_of(out):
            assert row.part not in stored
            assert (row.message_id, row.parts, row.account) == (message.id, parts, 2)
            stored[row.part] = row
        assert (done.requeued, done.retry_at is not None).count(True) <= 1
        assert out.requeue == ([message] if done.requeued else [])
        if done.requeued:
            assert message.attempt == before
            assert message.parts_done == set(stored)
            assert message.cost == parts - len(stored) > 0
        elif done.retry_at is not None:
            assert done.retry_at > datetime.fromtimestamp(NOW_MS / 1000, UTC)
            assert done.attempt == before + 1 < ATTEMPTS_MAX
            attempts_paid.update([message.id])
            message.attempt = done.attempt  # as the refill reads it back from the outbox
            message.parts_done = frozenset(stored)
            message.cost = parts - len(stored)
        else:
            assert set(stored) == set(range(1, parts + 1))
            break
    else:
        pytest.fail("the message never ended")
    assert attempts_paid[message.id] < ATTEMPTS_MAX


@settings(max_examples=60, deadline=None)
@given(data=st.data(), sizes=st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_a_batch_has_one_end_for_each_message_however_their_parts_interleave(
    data: st.DataObject, sizes: list[int]
) -> None:
    """The intent is closed when as many messages ended as it names: neither more nor fewer may."""
    wire = Wire()
    journeys = wire.journeys(*(wire.message(size) for size in sizes))
    out = Effects()
    steps = []
    for journey in journeys:
        for number in range(1, journey.message.parts + 1):
            part, fate = wire.part(journey, number), data.draw(fates)
            if isinstance(fate, int):
                steps.append(partial(wire.outcomes.answered, part, fate, b"", NOW_MS, out))
            elif fate == DOUBT:
                steps.append(partial(wire.outcomes.doubtful, part, NOW_MS, out))
            else:  # one by one, as when a session closes under our hands
                steps.append(partial(wire.outcomes.unwritten, journey, 1, NOW_MS, out))
    for step in data.draw(st.permutations(steps)):
        step()
    intent = journeys[0].intent
    assert Counter(done.message_id for done in done_of(out)) == Counter(
        message.id for message in intent.messages
    )
    parts = Counter((row.message_id, row.part) for row in rows_of(out))
    assert not parts or max(parts.values()) == 1


def test_an_accepted_part_is_sent_under_the_carriers_own_id() -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message())
    out = wire.answer(journey, OK)
    [done] = done_of(out)
    [row] = done.rows
    assert (row.status, row.carrier_id, row.connector) == (Status.SENT, "31", CONNECTOR)
    assert row.submitted_at == row.responded_at == datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert out.known == [KnownId("31", row.id, "+8613800000000")]
    assert wire.outcomes.responses == {OK: 1}


def test_a_carrier_that_names_no_id_is_believed_all_the_same() -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message())
    out = wire.answer(journey, OK, message_id=b"")
    assert rows_of(out)[0].carrier_id is None
    assert out.known == []


def test_a_final_refusal_keeps_the_carriers_status_as_its_error() -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message())
    [row] = rows_of(wire.answer(journey, INVALID_NUMBER))
    assert (row.status, row.reason) == (Status.REJECTED, Reason.NUMBER_INVALID)
    assert row.error == "ESME_RINVDSTADR"


def test_e30_the_last_attempt_makes_an_end_of_what_would_be_tried_again() -> None:
    wire = Wire()
    message = wire.message(attempt=ATTEMPTS_MAX - 1)
    out = wire.answer(wire.journeys(message)[0], VENDOR)
    [done] = done_of(out)
    assert (done.retry_at, done.requeued) == (None, False)
    assert (done.rows[0].status, done.rows[0].error) == (Status.REJECTED, "0x00000480")


def test_e30_doubt_is_not_resent_beyond_the_last_attempt() -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message(attempt=ATTEMPTS_MAX - 1))
    out = Effects()
    wire.outcomes.doubtful(wire.part(journey), NOW_MS, out)
    [done] = done_of(out)
    assert done.retry_at is None
    assert done.rows[0].status == Status.UNCONFIRMED


@pytest.mark.parametrize(
    ("policy", "status"), [("hold", Status.UNCONFIRMED), ("fail", Status.FAILED), ("resend", None)]
)
def test_doubt_ends_as_the_configuration_says(policy: DoubtLabel, status: Status | None) -> None:
    settings = DoubtSettings(service=policy, grace_seconds=7.0)
    wire = Wire(outcome_policy(settings))
    [journey] = wire.journeys(wire.message(category=Category.SERVICE))
    out = Effects()
    wire.outcomes.doubtful(wire.part(journey), NOW_MS, out)
    [done] = done_of(out)
    assert [row.status for row in done.rows] == ([] if status is None else [status])
    if status is None:
        assert done.in_doubt
        assert done.retry_at is not None
        assert done.retry_at.timestamp() == NOW_MS / 1000 + 7.0


@pytest.mark.parametrize("ahead_ms", [-90_000, 90_000])
def test_a_clock_that_is_set_moves_no_retry(ahead_ms: int) -> None:
    """Its moment is compared with the database's clock, so it is counted by that."""
    wire = Wire(ahead_ms=ahead_ms)
    [refused, doubtful] = wire.journeys(wire.message(), wire.message())
    out = wire.answer(refused, SYSTEM_ERROR)
    wire.outcomes.doubtful(wire.part(doubtful), NOW_MS, out)
    now = (NOW_MS - ahead_ms) / 1000
    waits = [done.retry_at.timestamp() - now for done in done_of(out) if done.retry_at]
    assert waits == [RETRY_SECONDS_FIRST, OutcomePolicy().doubt_grace_seconds]


def test_e30_the_number_of_attempts_is_configured() -> None:
    wire = Wire(outcome_policy(DoubtSettings(attempts_max=2)))
    [first] = wire.journeys(wire.message())
    [last] = wire.journeys(wire.message(attempt=1))
    assert done_of(wire.answer(first, SYSTEM_ERROR))[0].retry_at is not None
    assert done_of(wire.answer(last, SYSTEM_ERROR))[0].retry_at is None


def test_a_retry_waits_longer_each_time_and_tells_its_timeline() -> None:
    wire = Wire()
    waits = []
    for attempt in range(3):
        [done] = done_of(wire.answer(wire.journeys(wire.message(attempt=attempt))[0], SYSTEM_ERROR))
        assert done.retry_at is not None
        assert done.event is not None
        assert done.event.kind == "retry"
        assert done.event.detail == {
            "attempt": attempt + 1,
            "command_status": "ESME_RSYSERR",
            "not_before": done.retry_at,
            "connector": CONNECTOR,
        }
        waits.append(done.retry_at.timestamp() - NOW_MS / 1000)
    assert waits == [RETRY_SECONDS_FIRST, 2 * RETRY_SECONDS_FIRST, 4 * RETRY_SECONDS_FIRST]
    assert wire.outcomes.retried == 3


def test_what_expired_is_not_tried_again() -> None:
    wire = Wire()
    for status in (SYSTEM_ERROR, THROTTLED):
        message = wire.message(expires_at=NOW_MS)
        [done] = done_of(wire.answer(wire.journeys(message)[0], status))
        assert (done.retry_at, done.requeued, len(done.rows)) == (None, False, 1)


@pytest.mark.parametrize("category", Category)
def test_e33_doubt_is_resent_or_held_as_the_category_says(category: Category) -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message(category=category))
    out = Effects()
    wire.outcomes.doubtful(wire.part(journey), NOW_MS, out)
    [done] = done_of(out)
    if category is Category.MARKETING:
        [row] = done.rows
        assert (row.status, row.responded_at) == (Status.UNCONFIRMED, None)
        assert row.submitted_at is not None
    else:
        assert done.rows == ()
        assert done.event is not None
        assert done.event.kind == "in_doubt"
        assert done.event.detail["policy"] == "resend"
        assert done.retry_at is not None
        assert done.retry_at.timestamp() == NOW_MS / 1000 + OutcomePolicy().doubt_grace_seconds
    assert wire.outcomes.in_doubt == 1


def test_what_expired_in_doubt_is_unconfirmed() -> None:
    wire = Wire()
    [journey] = wire.journeys(wire.message(expires_at=NOW_MS))
    out = Effects()
    wire.outcomes.doubtful(wire.part(journey), NOW_MS, out)
    assert [row.status for row in rows_of(out)] == [Status.UNCONFIRMED]


def test_what_was_submitted_before_is_neither_suppressed_nor_canceled() -> None:
    for in_doubt, parts_done, status in (
        (True, frozenset[int](), Status.UNCONFIRMED),
        (False, frozenset({1}), Status.DROPPED),
        (False, frozenset[int](), Status.SUPPRESSED),
    ):
        wire = Wire()
        message = wire.message(2)
        message.in_doubt, message.parts_done = in_doubt, parts_done
        [journey] = wire.journeys(message)
        out = Effects()
        wire.outcomes.ended(
            message,
            journey.intent,
            status=Status.SUPPRESSED,
            reason=Reason.OPTED_OUT,
            error=None,
            out=out,
        )
        [row] = rows_of(out)
        assert (row.part, row.status, row.reason) == (0, status, Reason.OPTED_OUT)


def test_a_further_way_that_is_stopped_leaves_no_row() -> None:
    """Unless something of it was sent, or may have been."""
    for in_doubt, parts_done, status in (
        (True, frozenset[int](), Status.UNCONFIRMED),
        (False, frozenset({1}), Status.DROPPED),
        (False, frozenset[int](), None),
    ):
        wire = Wire()
        message = wire.message(2)
        message.way, message.in_doubt, message.parts_done = 1, in_doubt, parts_done
        [journey] = wire.journeys(message)
        out = Effects()
        wire.outcomes.ended(
            message,
            journey.intent,
            status=Status.SUPPRESSED,
            reason=Reason.OPTED_OUT,
            error=None,
            out=out,
        )
        assert [(row.status, row.way) for row in rows_of(out)] == ([(status, 1)] if status else [])
        [done] = done_of(out)
        assert (done.way_ended, done.event is None) == (
            (0, True) if status else (message.account, False)
        )


def test_e79_a_throttled_part_comes_back_without_the_parts_that_went() -> None:
    wire = Wire()
    message = wire.message(3)
    out = wire.answer(wire.journeys(message)[0], OK, THROTTLED, INVALID_NUMBER)
    assert out.requeue == [message]
    assert (message.parts_done, message.cost, message.attempt) == (frozenset({1, 3}), 1, 0)
    [done] = done_of(out)
    assert done.event is not None
    assert (done.event.kind, done.event.detail["command_status"]) == (
        "throttled",
        "ESME_RTHROTTLED",
    )
    out = Effects()
    [journey] = wire.journeys(message)
    wire.outcomes.answered(wire.part(journey, 2), OK, b"2", NOW_MS, out)
    assert [row.part for row in rows_of(out)] == [2]


def test_e36_what_comes_back_is_told_in_the_order_of_the_answers() -> None:
    wire = Wire()
    messages = [wire.message() for _ in range(4)]
    out = Effects()
    for journey in wire.journeys(*messages):
        wire.outcomes.answered(wire.part(journey), THROTTLED, b"", NOW_MS, out)
    assert out.requeue == messages


def test_e37_the_newest_generation_that_was_throttled_is_told() -> None:
    wire = Wire()
    out = Effects()
    journeys = wire.journeys(*(wire.message() for _ in range(3)))
    for journey, generation in zip(journeys, (1, 3, 2), strict=True):
        part = wire.part(journey, generation=generation)
        wire.outcomes.answered(part, QUEUE_FULL, b"", NOW_MS, out)
    assert out.throttled_generation == 3
    assert out.reconnect is None


def test_a_connector_that_is_of_no_use_rests_as_long_as_the_worst_answer_says() -> None:
    wire = Wire()
    out = Effects()
    journeys = wire.journeys(*(wire.message() for _ in range(3)))
    for journey, status in zip(journeys, (NOT_BOUND, SUSPENDED, SYSTEM_ERROR), strict=True):
        wire.outcomes.answered(wire.part(journey), status, b"", NOW_MS, out)
    assert (out.reconnect, out.suspend_seconds) == ("ESME_RINVBNDSTS", 60.0)
    assert out.throttled_generation == -1
    assert all(done.retry_at is not None for done in done_of(out))


def test_unwritten_parts_cost_no_attempt_and_no_row() -> None:
    wire = Wire()
    message = wire.message(3)
    [journey] = wire.journeys(message)
    out = Effects()
    wire.outcomes.unwritten(journey, 3, NOW_MS, out)
    [done] = done_of(out)
    assert (done.requeued, done.rows, done.event, message.attempt) == (True, (), None, 0)
    assert out.requeue == [message]


def test_a_message_that_ends_before_the_wire_has_a_row_of_part_0() -> None:
    wire = Wire()
    message = wire.message(2)
    out = Effects()
    intent = wire.journeys(message)[0].intent
    wire.outcomes.ended(
        message, intent, status=Status.EXPIRED, reason=Reason.EXPIRED, error="late", out=out
    )
    [done] = done_of(out)
    [row] = done.rows
    assert (row.part, row.parts, row.status, row.reason) == (0, 2, Status.EXPIRED, Reason.EXPIRED)
    assert (row.error, row.submitted_at, done.intent) == ("late", None, intent)
