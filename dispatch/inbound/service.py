"""Everything on the side that handsets talk to.

Owns the recorder and the intakes of all connectors. Also what happens without anybody texting:
messages with missing parts are stored after a while, and a dead process's parts are taken over.
Must not decide anything about a single message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import structlog

from dispatch.inbound import parts
from dispatch.inbound.confirmations import Confirmations, SendConfirmations
from dispatch.inbound.intake import InboundShared, MessageIntake
from dispatch.inbound.joining import Joining
from dispatch.inbound.opt_outs import Confirmation, OptOutPolicy
from dispatch.inbound.records import Received
from dispatch.inbound.violations import ViolationAudit
from recipients.just_stopped import JustStopped
from recipients.scopes import OptOutScopes
from smpp.client import Bind
from smpp.encoding import TextSettings
from smpp.events import Delivery
from smpp.reassembly import Assembled
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_log = structlog.get_logger(__name__)
TICK_SECONDS = 1.0
JOIN_TICKS = 2
TAKE_OVER_TICKS = 10
SLICE_ITEMS = 200
STORE_SECONDS = 5.0


class InboundService:
    """Messages from handsets, for every connector of this process."""

    def __init__(
        self,
        dedicated: Dedicated,
        shared: InboundShared,
        *,
        term: int,
        wall_ms: Callable[[], int],
        ended: Ended,
        stopped: JustStopped,
        audit_lag_seconds: float,
    ) -> None:
        """`ended` is told when the background task has ended by itself. `stopped` remembers on the
        sending side who has just opted out.
        """
        self._dedicated = dedicated
        self._shared = shared
        self._term = term
        self._wall_ms = wall_ms
        self._ticks = count(1)
        self._task = PeriodicTask(
            "inbound", self._tick, lambda: TICK_SECONDS, ended=ended, pause_first=True
        )
        self.intakes: dict[int, MessageIntake] = {}
        self.recorder = shared.recorder
        self.stopped = stopped
        self.confirmations = Confirmations()
        self.help_replies = Confirmations()
        self.violations = ViolationAudit(self._now(), timedelta(seconds=audit_lag_seconds))
        self._joining = Joining(dedicated, term, _store)
        self.recorder.owe = self._owe
        self.recorder.answered = self._answered
        self.recorder.committed = self._committed

    def indexes(self, number: str) -> Sequence[bytes]:
        """The keyed indexes of a number, the present one first."""
        return self._shared.vault.indexes(number)

    def intake(
        self, connector: int, country_code: str, text: TextSettings, name: str = ""
    ) -> MessageIntake:
        """The intake of a connector that is being built. `text`: how this carrier writes."""
        intake = MessageIntake(
            connector,
            self._shared,
            country_code=country_code,
            text=text,
            name=name,
            before=self.intakes.get(connector),
        )
        self.intakes[connector] = intake
        return intake

    def follow(self, policies: Mapping[int, OptOutPolicy], scopes: OptOutScopes) -> None:
        """What the accounts say of replies and opt-outs from now on."""
        self.recorder.opt_outs.policies = policies
        self.recorder.opt_outs.scopes = scopes
        self.stopped.covers = self.violations.covers = scopes.covers

    def connect(self, hand_over: SendConfirmations) -> None:
        """The way out for replies, once it is built."""
        self.confirmations.connect(hand_over)
        self.help_replies.connect(hand_over)

    async def start(self, connection: Connection) -> None:
        """Take over what waits for missing parts, before a carrier can send any. Then run the
        background task.
        """
        await self._take_over(connection)
        self._task.start()

    async def stop(self) -> None:
        """Store what came. What misses parts waits in the database."""
        await self._task.stop()
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self.recorder.close()
        except TimeoutError:
            # None of these was answered: the carrier sends them to the next start.
            _log.warning("inbound_not_stored", waiting=self.recorder.commits.waiting)

    async def expire(self) -> None:
        """Store what has waited too long for missing parts."""
        for intake in self.intakes.values():
            await _store(intake, intake.expired())

    async def _tick(self) -> None:
        tick = next(self._ticks)
        await self.expire()
        for replies in (self.confirmations, self.help_replies):
            await replies.send(self._wall_ms())
        if tick % JOIN_TICKS == 0:
            await self.join()
        if tick % TAKE_OVER_TICKS == 0:
            await self._look_around()

    async def join(self) -> None:
        """Bring together the parts of messages that reached several processes."""
        await self._joining.turn(self.intakes, self._now(), self._wall_ms())

    async def _look_around(self) -> None:
        connection = await self._dedicated.connection()
        await self._take_over(connection)
        await parts.purge(connection, self._now())
        await self.violations.look(connection, self._now())

    async def _take_over(self, connection: Connection) -> None:
        held = await parts.take_over(connection, list(self.intakes), self._term, self._now())
        for connector, intake in self.intakes.items():
            own = [part for part in held if part.row.connector == connector]
            await _store(intake, intake.restored(own, self._wall_ms()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)

    def _owe(self, owed: Sequence[Confirmation]) -> None:
        self.confirmations.owe([each for each in owed if each.to_whom == "opt_out"])
        self.help_replies.owe([each for each in owed if each.to_whom == "help"])

    def _answered(self, bind: Bind, delivery: Delivery, message: Received) -> None:
        self.intakes[message.connector].answered(bind, delivery, message)

    def _committed(self) -> None:
        for intake in self.intakes.values():
            intake.resume()


async def _store(intake: MessageIntake, gone: Sequence[Assembled]) -> None:
    for start in range(0, len(gone), SLICE_ITEMS):
        intake.late(gone[start : start + SLICE_ITEMS])
        await asyncio.sleep(0)
