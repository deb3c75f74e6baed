"""A connector of the gateway that takes messages from handsets, over a real database and a real
SMPP session, for the tests of this folder.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dispatch.inbound.intake import InboundShared, MessageIntake
from dispatch.inbound.opt_outs import OptOutPolicy, OptOuts
from dispatch.inbound.owners import SenderOwners
from dispatch.inbound.recorder import InboundRecorder
from dispatch.inbound.service import InboundService
from dispatch.wire.connector_dispatch import ConnectorDispatch
from recipients.just_stopped import JustStopped
from recipients.numbers.plan import NumberPlan
from smpp.encoding import TextSettings
from smpp.pdu import DataSm, DeliverSm
from smpp.text import encode_text
from smpp.vocabulary import TON_INTERNATIONAL
from tests.dispatch.on_the_wire import Carrier, sending
from tests.dispatch.world import CONNECTOR, VAULT, World, running, wall_ms

ACCOUNT = 3
HANDSET = "+8613812345678"
SENDER = "10690001"


@dataclass
class Now:
    """A clock that is put forward."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Inbound:
    """`now` is the clock that parts are waited for by."""

    world: World
    carrier: Carrier = field(default_factory=Carrier)
    now: Now = field(default_factory=Now)
    service: InboundService = field(init=False)
    dispatch: ConnectorDispatch = field(init=False)

    @property
    def intake(self) -> MessageIntake:
        return self.service.intakes[CONNECTOR]

    async def answers(self, pdus: Sequence[DeliverSm | DataSm]) -> list[int]:
        """The command_status that each of these got, once all have one."""
        before = len(self.carrier.answers)
        assert self.carrier.session is not None
        # A PDU that is sent twice has two sequence numbers.
        copies = [(copy.copy(pdu), n) for n, pdu in enumerate(pdus)]
        taken = self.carrier.session.deliver(copies)
        assert taken == len(pdus)
        await self.carrier.until(lambda: len(self.carrier.answers) == before + len(pdus))
        got = {answer.context: answer.command_status for answer in self.carrier.answers[before:]}
        return [got[n] for n in range(len(pdus))]

    async def rows(self) -> list[dict[str, Any]]:
        rows = await self.world.connection.fetch("SELECT * FROM inbound_message ORDER BY id")
        return [dict(row) for row in rows]

    async def texts(self) -> list[str]:
        return [row["text"] for row in await self.rows()]


def service(
    world: World,
    now: Now,
    *,
    owners: Iterable[tuple[int, Sequence[str]]] = ((ACCOUNT, (SENDER,)), (ACCOUNT + 1, ("SHOP",))),
    policies: Mapping[int, OptOutPolicy] | None = None,
    waiting_max: int = 1_000,
    text: TextSettings | None = None,
) -> InboundService:
    """As the gateway builds it, for one connector; not started."""
    stopped = JustStopped()
    recorder = InboundRecorder(
        world.database.dedicated("inbound"),
        vault=VAULT,
        ids=world.ids,
        term=world.term.term,
        owners=SenderOwners(owners),
        opt_outs=OptOuts(
            policies or {}, stopped=stopped, ids=world.ids, wall_ms=wall_ms, monotonic=now
        ),
        waiting_max=waiting_max,
        late_max=1_000,
        wall_ms=wall_ms,
    )
    built = InboundService(
        world.database.dedicated("inbound-parts"),
        InboundShared(recorder, world.ids, VAULT, NumberPlan(), now),
        term=world.term.term,
        wall_ms=wall_ms,
        ended=lambda _task: None,
        stopped=stopped,
        audit_lag_seconds=0.0,
    )
    built.intake(CONNECTOR, "", text or TextSettings())
    return built


@asynccontextmanager
async def receiving(database_url: str, *, window: int = 10, **how: Any) -> AsyncIterator[Inbound]:
    """Bound to a carrier; stopped as the gateway stops it."""
    async with running(database_url) as world:
        inbound = Inbound(world)
        inbound.service = service(world, inbound.now, **how)
        await inbound.service.start(world.connection)
        async with sending(
            world, inbound.carrier, window=window, stopped=inbound.service.stopped
        ) as dispatch:
            inbound.dispatch = dispatch
            dispatch.intake.messages = inbound.intake
            yield inbound
        async with asyncio.timeout(40):
            await inbound.service.stop()


def texted(
    text: str, *, source: str = HANDSET, destination: str = SENDER, reference: int = 7
) -> list[DeliverSm]:
    """The deliver_sm of one message, in order."""
    encoded = encode_text(text, reference=reference)
    return [
        DeliverSm(
            0,
            source_addr_ton=TON_INTERNATIONAL,
            source_addr=source.removeprefix("+").encode(),
            destination_addr=destination.encode(),
            esm_class=encoded.esm_class,
            data_coding=encoded.data_coding,
            short_message=part,
        )
        for part in encoded.parts
    ]
