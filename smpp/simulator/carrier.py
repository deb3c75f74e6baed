"""Owns the simulated carrier: an SMSC that answers, refuses, reports and forgets as its profile
says.

Must not be gentler than a real one: receipts come when they come, answers in their own time.

One handler serves all sessions. Latency, receipts and re-sending share one timetable and leave in
batches. So it keeps well ahead of the gateway it is the peer of.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from smpp import vocabulary
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import (
    BindRequest,
    DataSm,
    DataSmResp,
    MessageResponse,
    SubmitSmResp,
)
from smpp.server import ServerSession, ServerSettings, SmppServer
from smpp.session_timers import TimerSettings
from smpp.simulator.capture import CAPTURE_BYTES_MAX, Capture
from smpp.simulator.counters import SimulatorCounters
from smpp.simulator.deliveries import Deliveries
from smpp.simulator.directive import directive_in
from smpp.simulator.fates import Fate
from smpp.simulator.faults import Faults
from smpp.simulator.inbound import InboundTraffic
from smpp.simulator.ledger import Ledger
from smpp.simulator.message_ids import MessageIds
from smpp.simulator.outcomes import Chance, RateCeiling
from smpp.simulator.profile import Profile, status_number
from smpp.simulator.receipt_plan import ReceiptPlan
from smpp.simulator.receipts import Held, InboundMessage, Receipt
from smpp.simulator.timetable import Timetable
from smpp.simulator.wire import SpoiledWire
from smpp.tls import TlsServerSettings

SYSTEM_IDS_MAX: Final = 1000  # mailboxes are kept for ever, so there is an end to them
INBOUND_HELD_MAX: Final = 100_000  # beyond so much that is held, handsets stop writing
HELD_MAX: Final = 1_000_000  # receipts, about 0.5 GB; beyond it submits get ESME_RMSGQFUL
THROTTLED: Final = Fate(command_status=vocabulary.ESME_RTHROTTLED)
QUEUE_FULL: Final = Fate(command_status=vocabulary.ESME_RMSGQFUL)

# Whose answers, which, and when the submits came.
AnswersDue = tuple[ServerSession, list[MessageResponse], float]


class Simulator:
    """An SMSC on ``host:port``. ``credentials`` maps system_id to password; None lets anyone in.

    ``ledger_path`` gets a line for every submit, ``capture_path`` one for every PDU, both ways,
    until it holds ``capture_bytes_max``.
    """

    def __init__(
        self,
        profile: Profile,
        host: str,
        port: int,
        *,
        credentials: Mapping[str, str] | None = None,
        ledger_path: Path | None = None,
        capture_path: Path | None = None,
        capture_bytes_max: int = CAPTURE_BYTES_MAX,
        tls: TlsServerSettings | None = None,
    ) -> None:
        self.profile = profile
        self.counters = SimulatorCounters()
        self._credentials = credentials
        self._ledger_path = ledger_path
        self._ledger: Ledger | None = None
        self._capture_path = capture_path
        self._capture_bytes_max = capture_bytes_max
        self._capture: Capture | None = None
        self._bind_refusal = status_number(profile.bind_refusal)
        self._wire_chance = random.Random(f"{profile.seed} wire")
        self._chance = Chance(profile)
        self._ceiling = RateCeiling(profile.rate_per_second)
        self._ids = MessageIds(profile, time.time_ns() // 1000)
        self._running = False
        self._loop: asyncio.AbstractEventLoop
        self._timetable: Timetable[AnswersDue | Held]
        self._deliveries: Deliveries
        self._plan: ReceiptPlan
        self._inbound: InboundTraffic
        self.faults: Faults
        self.server = SmppServer(
            self,
            host,
            port,
            ServerSettings(
                system_id="simulator",
                window=profile.receipt_window,
                timers=TimerSettings(
                    enquire_link_seconds=60.0, response_seconds=profile.receipt_timeout_seconds
                ),
                tls=tls,
            ),
            self._wire,
        )

    @property
    def port(self) -> int:
        """The port it listens on, after ``start``."""
        return self.server.port

    @property
    def held(self) -> int:
        """Receipts and inbound messages that are planned, waiting or unacknowledged."""
        return self._deliveries.held

    async def start(self) -> None:
        """Listen. OSError when the address is taken, TlsError when one of its own files is wrong.

        LedgerError or CaptureError when a file cannot be written.
        """
        self._loop = asyncio.get_running_loop()
        self._timetable = Timetable(self._loop, self._on_due)
        self._deliveries = Deliveries(
            self.profile,
            self._loop,
            self.counters,
            lambda due, held: self._timetable.add(due, (held,)),
        )
        self._plan = ReceiptPlan(self.profile, self._chance, self._deliveries)
        self.faults = Faults(self.profile, self._loop)
        self._inbound = InboundTraffic(
            self.profile, self._loop, self._receivers, self._send_messages
        )
        try:
            if self._ledger_path is not None:
                self._ledger = Ledger(self._ledger_path)
            if self._capture_path is not None:
                self._capture = Capture(self._capture_path, time.time, self._capture_bytes_max)
            await self.server.start()
            self._running = True
        finally:
            if not self._running:
                self._close_files()
        self._inbound.start()

    async def stop(self) -> None:
        """Unbind everyone, forget what was planned, close the ledger."""
        if not self._running:
            return
        self._running = False
        self._inbound.stop()
        await self.server.stop()
        self._timetable.clear()
        self._deliveries.mailboxes.clear()
        self._close_files()

    def _close_files(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        if self._capture is not None:
            self._capture.close()
            self._capture = None

    def send_message(self, message: InboundMessage) -> None:
        """A handset writes to ``message.system_id``; held until that is bound to receive."""
        self._send_messages([message])

    def _send_messages(self, messages: list[InboundMessage]) -> None:
        self._deliveries.take_on_now(messages, time.time())

    def _receivers(self) -> list[str]:
        too_many = self._deliveries.held >= INBOUND_HELD_MAX
        return [] if too_many else self._deliveries.receivers()

    def _wire(self) -> SpoiledWire:
        return SpoiledWire(
            chance=self._wire_chance,
            malformed_share=self.profile.malformed_share,
            one_byte_writes=self.profile.one_byte_writes,
            capture=None if self._capture is None else self._capture.session(),
        )

    # --- ServerHandler: sessions -----------------------------------------------------------------

    def authenticate(self, request: BindRequest) -> int:
        """ESME_RINVSYSID, ESME_RINVPASWD, or ESME_RBINDFAIL beyond SYSTEM_IDS_MAX."""
        system_id = request.system_id.decode("ascii", "replace")
        if self._credentials is not None:
            password = self._credentials.get(system_id)
            if password is None:
                return vocabulary.ESME_RINVSYSID
            if password.encode() != request.password:
                return vocabulary.ESME_RINVPASWD
        mailboxes = self._deliveries.mailboxes
        if system_id not in mailboxes and len(mailboxes) >= SYSTEM_IDS_MAX:
            return vocabulary.ESME_RBINDFAIL
        if self.counters.binds_refused < self.profile.binds_refused:
            self.counters.binds_refused += 1
            return self._bind_refusal
        return vocabulary.ESME_ROK

    def bound(self, session: ServerSession) -> None:
        """A receiver gets what was held for its system_id."""
        self.faults.opened(session)
        if session.receives:
            self._deliveries.opened(session)

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """Unanswered receipts go to the next session."""
        self.faults.closed(session)
        self._deliveries.closed(session, in_flight)

    def writable(self, session: ServerSession) -> None:
        """A window or a socket has room again."""
        self._deliveries.mailbox(session.system_id).pump()

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        """deliver_sm_resp."""
        self._deliveries.answered(responses, self._loop.time())

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None:
        """A receipt that nobody acknowledged is sent again."""
        self._deliveries.send_again(contexts, self._loop.time())

    # --- ServerHandler: submits ------------------------------------------------------------------

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        """Decide, write the ledger, then answer (now or after the profile's latency)."""
        now = self._loop.time()
        wall = time.time()
        submit_date = self._deliveries.stamp.at(wall)
        ledger = self._ledger
        answers: list[MessageResponse] = []
        early: list[Receipt] = []
        for pdu in submits:
            fate = self._fate(pdu, now)
            status = fate.command_status
            message_id = b""
            if status == vocabulary.ESME_ROK:
                self.counters.accepted += 1
                message_id, receipt_id = self._ids.take()
                receipt = self._plan.plan(
                    session.system_id, pdu, receipt_id, fate, submit_date, now
                )
                if receipt is not None:
                    early.append(receipt)
            else:
                refused = self.counters.refused
                refused[status] = refused.get(status, 0) + 1
            if ledger is not None:
                ledger.add(session.system_id, wall, pdu, status, message_id)
            kind = DataSmResp if isinstance(pdu, DataSm) else SubmitSmResp
            answer = kind(pdu.sequence_number, status, message_id)
            if not self._held_back(session, answer, fate, now):
                answers.append(answer)
        self.counters.submits += len(submits)
        if ledger is not None:
            ledger.flush()
        if early:
            self._deliveries.take_on_now(early, wall)
        self.faults.submitted(session, len(submits))
        self._answer(session, answers, now)

    def _held_back(
        self, session: ServerSession, answer: MessageResponse, fate: Fate, now: float
    ) -> bool:
        """An answer that comes at a time of its own, or never."""
        after = fate.answer_after
        if after is None:
            if not self._chance.happens(self.profile.answers_lost_share):
                return False
            after = math.inf
        if math.isinf(after):
            self.counters.answers_lost += 1
        else:
            self._timetable.add(now + after, ((session, [answer], now),))
        return True

    def _fate(self, pdu: MessageRequest, now: float) -> Fate:
        if not self._ceiling.allows(now):
            return THROTTLED
        if self._deliveries.held >= HELD_MAX:
            return QUEUE_FULL
        if self.profile.directives and (scripted := directive_in(pdu)) is not None:
            return scripted
        return self._chance.fate(pdu.destination_addr)

    def _answer(self, session: ServerSession, answers: list[MessageResponse], now: float) -> None:
        chance = self._chance
        if not answers:
            return
        if chance.latency_max == 0:
            self._send_answers(session, answers, 0.0)
        elif chance.latency_is_fixed:
            self._timetable.add(now + chance.latency(), ((session, answers, now),))
        else:
            for answer in answers:
                self._timetable.add(now + chance.latency(), ((session, [answer], now),))

    def _send_answers(
        self, session: ServerSession, answers: list[MessageResponse], seconds: float
    ) -> None:
        self.counters.answers_sent += len(answers)
        self.counters.answer_seconds += seconds
        session.answer(answers)

    # --- what falls due --------------------------------------------------------------------------

    def _on_due(self, items: list[AnswersDue | Held]) -> None:
        now = self._loop.time()
        seconds: dict[ServerSession, float] = {}
        answers: dict[ServerSession, list[MessageResponse]] = {}
        held: list[Held] = []
        for item in items:
            if isinstance(item, tuple):
                session, responses, submitted_at = item
                answers.setdefault(session, []).extend(responses)
                waited = (now - submitted_at) * len(responses)
                seconds[session] = seconds.get(session, 0.0) + waited
            else:
                held.append(item)
        for session, responses in answers.items():
            self._send_answers(session, responses, seconds[session])
        if held:
            self._deliveries.due(held, time.time())
