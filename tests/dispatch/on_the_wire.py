"""A carrier that answers as it is told, and one connector of the gateway bound to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.message_references import MessageReferences
from dispatch.answers.outcomes import Elsewhere, Outcomes, stays
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.message import ReadyMessage
from dispatch.outbox.handover import Handover
from dispatch.queue.batch_pace import BatchPace
from dispatch.queue.pace import Pace
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.routes.detours import Detours
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.wire_profile import WireProfile
from dlr.codes import Codes
from ratelimit.spec import RateSpec
from recipients.just_stopped import JustStopped
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.client import BindState
from smpp.events import MessageRequest
from smpp.pdu import SubmitSm, SubmitSmResp
from smpp.server import ServerSession
from smpp.vocabulary import status_name
from tests.dispatch.world import CLOCK, CONNECTOR, VAULT, World
from tests.smpp.recording import Handler, eventually, serving

UDH_OCTETS = 6
PROFILE = WireProfile()
Reaction = Callable[[SubmitSm], int | None]
MANNERS = ReceiptManners(codes=Codes("map"))


def accept_all(_submit: SubmitSm) -> int | None:
    return 0


def say_nothing(_submit: SubmitSm) -> int | None:
    return None


class Carrier(Handler):
    """`react` gives the status of each submit_sm, or None for no answer now. `sessions_of` says on
    which of its sessions each came."""

    def __init__(self, react: Reaction = accept_all) -> None:
        super().__init__()
        self.react = react
        self.before: Callable[[], object] = lambda: None  # whenever something came, first of all
        self.identify: Callable[[SubmitSm], str] = carrier_id
        self.submitted: list[SubmitSm] = []
        self.sessions: list[ServerSession] = []
        self.sessions_of: list[ServerSession] = []
        self.unanswered: list[tuple[ServerSession, SubmitSm]] = []

    def bound(self, session: ServerSession) -> None:
        self.sessions.append(session)
        super().bound(session)

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        self.before()
        super().submits(session, submits)

    def answer(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        for pdu in submits:
            assert isinstance(pdu, SubmitSm)
            self.submitted.append(pdu)
            self.sessions_of.append(session)
            status = self.react(pdu)
            if status is None:
                self.unanswered.append((session, pdu))
            else:
                self.respond(session, pdu, status)

    def respond(self, session: ServerSession, pdu: SubmitSm, status: int = 0) -> None:
        identifier = b"" if status else self.identify(pdu).encode()
        session.answer([SubmitSmResp(pdu.sequence_number, status, identifier)])

    def answer_oldest(self, count: int = 1, status: int = 0) -> None:
        """Answer what it has kept waiting longest."""
        for _ in range(count):
            self.respond(*self.unanswered.pop(0), status)

    @property
    def texts(self) -> list[str]:
        """What came, in order; the parts of a long message without their header."""
        return [text_of(pdu) for pdu in self.submitted]

    async def came(self, count: int) -> None:
        await self.until(lambda: len(self.submitted) >= count)


def text_of(pdu: SubmitSm) -> str:
    octets = pdu.short_message
    return octets[UDH_OCTETS if pdu.esm_class & 0x40 else 0 :].decode("latin-1")


def part_of(pdu: SubmitSm) -> int:
    return pdu.short_message[5]


def carrier_id(pdu: SubmitSm) -> str:
    part = part_of(pdu) if pdu.esm_class & 0x40 else 1
    return f"{pdu.destination_addr.decode()}-{part}"


@asynccontextmanager
async def sending(
    world: World,
    carrier: Carrier,
    *,
    window: int = 10,
    binds: int = 1,
    rate: RateSpec | None = None,
    capacity_parts: int = 1_000,
    response_timeout_seconds: float = 60.0,
    stopped: JustStopped | None = None,
    elsewhere: Elsewhere = stays,
    profile: WireProfile = PROFILE,
    manners: ReceiptManners = MANNERS,
    references: MessageReferences | None = None,
    batches: BatchPace | None = None,
) -> AsyncIterator[ConnectorDispatch]:
    """A connector that is bound to the carrier."""
    dispatch = connector(
        world,
        rate=rate,
        capacity_parts=capacity_parts,
        stopped=stopped,
        elsewhere=elsewhere,
        profile=profile,
        manners=manners,
        references=references,
        batches=batches,
    )
    async with serving(carrier) as server:
        settings = BindSettings(
            host="127.0.0.1",
            port=server.port,
            system_id="shop",
            password="secret",
            window=window,
            response_timeout_seconds=response_timeout_seconds,
            reconnect_seconds_min=0.01,
            reconnect_seconds_max=0.05,
            bind_attempts_per_minute_max=1_000,
            unbind_timeout_seconds=1.0,
        )
        pool = BindPool("sim", settings, binds, dispatch)
        dispatch.start(pool)
        await eventually(lambda: all(bind.state is BindState.BOUND for bind in pool.binds))
        try:
            yield dispatch
        finally:
            await dispatch.stop(0.0)
            await world.recorder.commits.drain()


def connector(
    world: World,
    *,
    rate: RateSpec | None = None,
    capacity_parts: int = 1_000,
    stopped: JustStopped | None = None,
    elsewhere: Elsewhere = stays,
    profile: WireProfile = PROFILE,
    manners: ReceiptManners = MANNERS,
    references: MessageReferences | None = None,
    batches: BatchPace | None = None,
) -> ConnectorDispatch:
    """As the gateway wires one; not started."""
    reader = ReceiptReader(CONNECTOR, manners, references=references)
    dispatch = ConnectorDispatch(
        "sim",
        CONNECTOR,
        batches=BatchPace() if batches is None else batches,
        ready=ReadyQueue[ReadyMessage](capacity_parts),
        pace=Pace(rate, CLOCK.monotonic_ns()),
        profile=profile,
        outcomes=Outcomes(
            CONNECTOR,
            policy=OutcomePolicy(),
            ids=world.ids,
            normalise=reader.answer_id,
            status_name=status_name,
            elsewhere=elsewhere,
        ),
        intake=ReceiptIntake(world.recorder, reader=reader, wall_ms=CLOCK.wall_ms),
        intents=world.intents,
        recorder=world.recorder,
        ids=world.ids,
        clock=CLOCK,
        down=set(),
        stopped=stopped,
    )
    world.after_commit.append(dispatch.recorded)
    return dispatch


def handover(
    world: World,
    connectors: Mapping[int, ConnectorDispatch],
    detours: Detours,
    *,
    configured_away: Collection[int] = (),
) -> Handover:
    """As the gateway wires it; not started."""
    return Handover(
        world.database.dedicated("handover"),
        connectors,
        detours,
        vault=VAULT,
        ids=world.ids,
        monotonic=time.monotonic,
        backlog=lambda _connector, _category: None,
        configured_away=lambda: configured_away,
        ended=asyncio.Task.cancelled,
    )


def push(dispatch: ConnectorDispatch, messages: Sequence[ReadyMessage]) -> None:
    """Hand over committed messages, as the accepter does."""
    for message in messages:
        assert dispatch.ready.reserve(message.cost, message.category)
    dispatch.push(messages)
