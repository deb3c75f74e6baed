"""The judge finds what is broken on purpose: each bug is planted into the real parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from benchmarks.simulated.connections import MemoryDatabase
from benchmarks.simulated.schedule import Answer, Fate, Kind, Schedule, Step
from benchmarks.simulated.shrinking import shrink
from benchmarks.simulated.world import run
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.recorder import Recorder
from dispatch.answers.records import ReceiptArrived
from dispatch.dispatcher import Dispatcher
from dispatch.message import ReadyMessage
from dispatch.outbox.claims import Claims
from dispatch.queue.pace import Pace
from dispatch.wire.intents import IntentWriter
from dispatch.wire.planner import Planner
from smpp.client import Bind
from storage.group_commit import GroupCommit

MESSAGES = tuple(Step(1_000 + 10 * n, Kind.MESSAGE, number=n, parts=2) for n in range(1, 6))
THROTTLED = Step(1_000, Kind.MESSAGE, number=9, fates=(Fate(answer=Answer.THROTTLED),))


def kinds(schedule: Schedule) -> set[str]:
    """What is broken in this world."""
    return {fault.partition(":")[0] for fault in run(schedule).faults}


def test_nothing_is_found_where_nothing_is_planted() -> None:
    assert kinds((THROTTLED, *MESSAGES)) == set()


def test_a_message_that_is_forgotten_when_the_carrier_throttles_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Planner, "returned", lambda self, messages: None)
    assert kinds((THROTTLED, *MESSAGES)) == {"stuck"}


def test_a_message_whose_row_goes_before_its_result_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if a row of the outbox were taken out with its claim."""
    real = Claims.hand_over

    def dropped(self: Claims, dispatch: Any, messages: list[ReadyMessage]) -> int:
        store = cast("MemoryDatabase", self._dedicated._database).store
        for message in messages:
            store.outbox.delete(message.id)
        store.commit()
        return real(self, dispatch, [])

    monkeypatch.setattr(Claims, "hand_over", dropped)
    away = Step(100, Kind.CARRIER_DIES, 2.0)
    assert "lost" in kinds((away, *MESSAGES))


def test_what_is_written_twice_is_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Bind.submit

    def twice(self: Bind, batch: Sequence[Any]) -> int:
        real(self, batch)
        return real(self, batch)

    monkeypatch.setattr(Bind, "submit", twice)
    assert "doubled" in kinds(MESSAGES[:1])


def test_parts_that_are_sent_again_although_they_were_taken_are_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first part of two is taken, the second one is tried again: then both are sent."""

    async def none_done(self: Claims, database: object, rows: object) -> dict[int, object]:
        return {}

    monkeypatch.setattr(Claims, "_parts_done", none_done)
    fates = (Fate(answer=Answer.BUSY),)
    half = Step(1_000, Kind.MESSAGE, number=9, parts=2, fates=fates, fated_part=2)
    assert "doubled" in kinds((half,))


def test_bytes_that_go_before_their_intent_are_unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def opens_nothing(self: IntentWriter, intents: Sequence[Any], attempt: int) -> list[Any]:
        return [{} for _ in intents]

    monkeypatch.setattr(IntentWriter, "_flush", opens_nothing)
    real = IntentWriter.__init__

    def made(self: IntentWriter, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        self.commits = GroupCommit(self._flush, name="intent")

    monkeypatch.setattr(IntentWriter, "__init__", made)
    assert "unnamed" in kinds(MESSAGES)


def test_a_receipt_that_is_answered_before_it_is_stored_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Recorder.record_receipts

    def at_once(self: Recorder, arrived: Sequence[ReceiptArrived]) -> None:
        for each in arrived:
            each.bind.acknowledge([each.delivery])
        real(self, arrived)

    monkeypatch.setattr(Recorder, "record_receipts", at_once)
    assert "receipt lost" in kinds((*MESSAGES, Step(1_505, Kind.DATABASE_SLOW, 5.0)))


def test_a_receipt_that_is_dropped_is_stuck_or_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReceiptIntake, "take", lambda self, bind, deliveries: None)
    assert "stuck" in kinds(MESSAGES)


def test_a_pace_that_is_not_kept_is_too_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "available", lambda self, now_ns: 100)
    assert "too fast" in kinds(MESSAGES)


def test_what_a_stop_keeps_for_itself_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    async def keeps(self: Dispatcher, connection: object) -> None:
        self._term = -1

    monkeypatch.setattr(Dispatcher, "give_back", keeps)
    monkeypatch.setattr("benchmarks.simulated.gateway.recover", _nothing)
    found = kinds((Step(900, Kind.CARRIER_DIES, 60.0), *MESSAGES, Step(1_100, Kind.RESTART, 1.0)))
    assert found <= {"stuck"}


async def _nothing(*_: object, **__: object) -> None:
    """Nothing is taken over."""


def test_a_failing_schedule_is_shortened_to_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planner, "returned", lambda self, messages: None)
    schedule = (*MESSAGES[:2], THROTTLED, Step(1_500, Kind.CUT), *MESSAGES[2:])
    schedule = tuple(sorted(schedule, key=lambda step: step.at_ms))
    assert shrink(schedule, lambda tried: "stuck" in kinds(tried)) == (THROTTLED,)
