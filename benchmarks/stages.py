"""What one message costs at each stage: microseconds of processor, ours and PostgreSQL's.

Owns that measurement. Must not use stand-ins: they are the real stages on real data. They run one
after the other in this process, and what one brings forth is what the next works on. The carrier is
a process of its own, the database an embedded one.

A stage's figure is processor time, so a busy machine changes it little. The wall clock stands
beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.stage_wire import Wire
from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.journey import InDoubt, Intent, Journey, OutboundPart
from dispatch.message import ReadyMessage
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.wire.encoder import encode_message
from dispatch.wire.wire_profile import WireProfile
from gateway import garbage
from gateway.app import Gateway
from gateway.config import load_config
from gateway.rehearsal.running import postmaster
from messages.models import Prepared, Verdict
from smpp.pdu import SubmitSm
from smpp.vocabulary import status_name

FLUSH_MESSAGES = 500
SLICE_MESSAGES = 200
MESSAGES_MAX = 10_000  # the carrier sends no more receipts that were not acknowledged yet
STAGES_SECONDS_MAX = 120.0


class Stage(msgspec.Struct):
    """Microseconds for each message."""

    name: str
    gateway: float
    postgresql: float
    wall: float


class Stopwatch:
    """Notes what each stage took."""

    def __init__(self, messages: int, postmaster: int) -> None:
        self._messages = messages
        self._postgresql = Processors({"postgresql": [postmaster]})
        self.stages: list[Stage] = []
        self._began = self._now()

    def start(self) -> None:
        """A stage begins."""
        self._began = self._now()

    def note(self, name: str) -> None:
        """It has ended, and the next one begins."""
        took = [
            (now - then) / self._messages * 1e6
            for now, then in zip(self._now(), self._began, strict=True)
        ]
        self.stages.append(Stage(name, *(round(each, 2) for each in took)))
        self.start()

    def less(self, name: str, *others: str) -> None:
        """Take off what was in this stage once more, though others stand for it."""
        by_name = {stage.name: stage for stage in self.stages}
        stage = by_name[name]
        for other in (by_name[each] for each in others):
            stage.gateway = round(max(0.0, stage.gateway - other.gateway), 2)
            stage.wall = round(max(0.0, stage.wall - other.wall), 2)

    def _now(self) -> tuple[float, float, float]:
        return time.process_time(), self._postgresql.used()["postgresql"], time.perf_counter()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many messages go through all stages."""
    parser.add_argument("--messages", type=int, default=MESSAGES_MAX)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The table."""
    return run_to_end(_run(min(arguments.messages, MESSAGES_MAX)))


async def _run(messages: int) -> dict[str, object]:
    with gateways.folder() as folder:
        async with asyncio.timeout(STAGES_SECONDS_MAX), Wire.to_a_carrier(messages) as wire:
            stages = await measure(folder, wire, messages)
    for line in table(stages):
        say(line)
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "accept_flush_messages": FLUSH_MESSAGES,
        "slice_messages": SLICE_MESSAGES,
        "rounds": {
            stage.name: [
                {
                    "gateway_us": stage.gateway,
                    "postgresql_us": stage.postgresql,
                    "wall_us": stage.wall,
                }
            ]
            for stage in stages
        },
    }


def table(stages: Sequence[Stage]) -> list[str]:
    """For people, with the sum."""
    total = Stage(
        "together",
        *(
            round(sum(getattr(stage, name) for stage in stages), 2)
            for name in ("gateway", "postgresql", "wall")
        ),
    )
    head = f"{'microseconds for each message':<44}{'gateway':>10}{'postgresql':>12}{'wall':>10}"
    return [head] + [
        f"{stage.name:<44}{stage.gateway:>10.2f}{stage.postgresql:>12.2f}{stage.wall:>10.2f}"
        for stage in (*stages, total)
    ]


async def measure(folder: Path, wire: Wire, messages: int) -> list[Stage]:
    """Take so many messages through all stages."""
    # Nobody listens there: what is accepted stays in the outbox, and the stages are ours to run.
    config = gateways.written(folder, [gateways.connector("bench", 1, binds=1)])
    gateway = Gateway(load_config(config, {}), environ={})
    try:
        await gateway.start()
        garbage.settle()
        stages = _Stages(gateway, wire, messages, postmaster(folder))
        await stages.accept()
        await stages.send()
        await stages.receive()
        return stages.watch.stages
    finally:
        await gateway.stop()


class _Stages:
    """The messages on their way."""

    def __init__(self, gateway: Gateway, wire: Wire, messages: int, postmaster: int) -> None:
        self._gateway = gateway
        self._wire = wire
        self._count = messages
        self._connector = gateway.rooms.registry.connectors["bench"]
        self.watch = Stopwatch(messages, postmaster)
        self._ready: list[ReadyMessage] = []
        self._intents: list[Intent] = []

    async def accept(self) -> None:
        """Decode and validate, seal, flush and commit."""
        gateway, watch = self._gateway, self.watch
        service = gateway.rooms.edge
        account = next(iter(service.accounts.values()))
        raws = [msgspec.json.encode(body) for body in gateways.messages(self._count)]
        now_ms = gateway.rooms.clock.wall_ms()
        watch.start()
        checked = [service.validator.check(raw, account, now_ms=now_ms) for raw in raws]
        watch.note("decode and validate")
        prepared = [each for each in checked if isinstance(each, Prepared)]
        if len(prepared) != self._count:
            raise BenchmarkFailed("a message was refused")
        watch.start()
        for each in prepared:
            gateway.rooms.vault.seal(each.to)
        watch.note("seal the number")
        indexes = [gateway.rooms.vault.index(each.to) for each in prepared]
        watch.note("index the number")
        watch.start()
        ids: list[int] = []
        for first in range(0, self._count, FLUSH_MESSAGES):
            chunk = prepared[first : first + FLUSH_MESSAGES]
            for verdict in await gateway.rooms.accepter.accept(chunk, batch_id=None):
                assert isinstance(verdict, Verdict)
                ids.append(verdict.id)
        watch.note("flush and commit")
        watch.less("flush and commit", "seal the number", "index the number")
        self._ready = [
            ReadyMessage(
                id=message_id,
                category=each.category,
                account=each.account,
                parts=each.parts,
                cost=each.parts,
                to=each.to,
                to_idx=index,
                sender=each.sender,
                text=each.text,
            )
            for message_id, each, index in zip(ids, prepared, indexes, strict=True)
        ]

    async def send(self) -> None:
        """Ready queue, intent, encode, write."""
        gateway, watch = self._gateway, self.watch
        queue: ReadyQueue[ReadyMessage] = ReadyQueue(self._count * 2)
        watch.start()
        taken: list[list[ReadyMessage]] = []
        for first in range(0, self._count, SLICE_MESSAGES):
            chunk = self._ready[first : first + SLICE_MESSAGES]
            for message in chunk:
                queue.reserve(message.cost, message.category)
            queue.push_reserved(chunk, first)
        while len(queue):
            taken.append(queue.take(SLICE_MESSAGES, 0))
        watch.note("ready queue")
        self._intents = [
            Intent(
                gateway.rooms.ids.next(), self._connector, group, len(group), InDoubt(len(group))
            )
            for group in taken
        ]
        watch.start()
        for intent in self._intents:
            [result] = await gateway.rooms.dispatcher.intents.commit(intent)
            if isinstance(result, BaseException):
                raise result
        watch.note("intent")
        now_ms = gateway.rooms.clock.wall_ms()
        profile = WireProfile()
        journeys = [
            Journey(message, intent, message.cost)
            for intent in self._intents
            for message in intent.messages
        ]
        watch.start()
        parts: list[tuple[SubmitSm, object]] = []
        for journey in journeys:
            [(number, submit_sm)] = encode_message(journey.message, profile, now_ms).unsent
            journey.submits = 1
            parts.append(
                (submit_sm, OutboundPart(journey, number, gateway.rooms.ids.next(), now_ms, 0))
            )
        watch.note("encode")
        for first in range(0, self._count, SLICE_MESSAGES):
            self._wire.submit(parts[first : first + SLICE_MESSAGES])
        watch.note("pack and write")

    async def receive(self) -> None:
        """Answers and receipts from the wire, what they mean, and the recorder."""
        gateway, watch, wire = self._gateway, self.watch, self._wire
        await wire.done.wait()
        watch.note("read answers and receipts off the wire")
        recorder = gateway.rooms.dispatcher.recorder
        reader = ReceiptReader(self._connector, ReceiptManners())
        outcomes = Outcomes(
            self._connector,
            policy=OutcomePolicy(),
            ids=gateway.rooms.ids,
            normalise=reader.answer_id,
            status_name=status_name,
        )
        intake = ReceiptIntake(recorder, reader=reader, wall_ms=gateway.rooms.clock.wall_ms)
        watch.start()
        slices: list[Effects] = []
        for first in range(0, self._count, SLICE_MESSAGES):
            effects = Effects()
            now_ms = gateway.rooms.clock.wall_ms()
            for response in wire.answers[first : first + SLICE_MESSAGES]:
                part = response.context
                assert isinstance(part, OutboundPart)
                outcomes.answered(
                    part, response.command_status, response.message_id, now_ms, effects
                )
            intake.remember(effects.known)
            slices.append(effects)
        watch.note("decide on the answers")
        # Results and receipts come in turns, as from a carrier that reports at once.
        for number, effects in enumerate(slices):
            recorder.record(effects.records)
            first = number * SLICE_MESSAGES
            intake.take(wire.bind, wire.receipts[first : first + SLICE_MESSAGES])
        watch.note("parse the receipts")
        await recorder.close()
        watch.note("recorder")
        if recorder.counters.submissions != self._count or recorder.receipts_waiting:
            raise BenchmarkFailed(f"the recorder stored {recorder.counters}")
