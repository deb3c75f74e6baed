"""Owns the simulated carrier: an SMSC that answers, refuses, reports and forgets as its profile
says. Must not be gentler than a real one: receipts come when they come, answers in their own time.

One handler for all sessions; latency, receipts and re-sending share one timetable and leave in
batches, so that it keeps well ahead of the gateway it is the peer of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from smpp import vocabulary
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import (
    BindRequest,
    DataSm,
    DataSmResp,
    MessageResponse,
    ShortMessage,
    SubmitSmResp,
)
from smpp.server import ServerSession, ServerSettings, SmppServer
from smpp.session_timers import TimerSettings
from smpp.simulator.counters import SimulatorCounters
from smpp.simulator.deliveries import Deliveries
from smpp.simulator.ledger import Ledger
from smpp.simulator.message_ids import MessageIds
from smpp.simulator.outcomes import Chance, Fate, RateCeiling
from smpp.simulator.profile import Profile
from smpp.simulator.receipts import TEXT_OCTETS_MAX, Held, InboundMessage, Receipt, wants_receipt
from smpp.simulator.timetable import Timetable

SYSTEM_IDS_MAX: Final = 1000  # mailboxes are kept for ever, so there is an end to them
HELD_MAX: Final = 1_000_000  # receipts, about 0.5 GB; beyond it submits get ESME_RMSGQFUL
THROTTLED: Final = Fate(command_status=vocabulary.ESME_RTHROTTLED)
QUEUE_FULL: Final = Fate(command_status=vocabulary.ESME_RMSGQFUL)

# Whose answers, which, and when the submits came.
AnswersDue = tuple[ServerSession, list[MessageResponse], float]


class Simulator:
    """An SMSC on ``host:port``. ``credentials`` maps system_id to password; None lets anyone in."""

    def __init__(
        self,
        profile: Profile,
        host: str,
        port: int,
        *,
        credentials: Mapping[str, str] | None = None,
        ledger_path: Path | None = None,
    ) -> None:
        self.profile = profile
        self.counters = SimulatorCounters()
        self._credentials = credentials
        self._ledger_path = ledger_path
        self._ledger: Ledger | None = None
        self._chance = Chance(profile)
        self._ceiling = RateCeiling(profile.rate_per_second)
        self._ids = MessageIds(profile, time.time_ns() // 1000)
        self._running = False
        self._loop: asyncio.AbstractEventLoop
        self._timetable: Timetable[AnswersDue | Held]
        self._deliveries: Deliveries
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
            ),
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
        """Listen. OSError when the address is taken, LedgerError when the ledger cannot be."""
        self._loop = asyncio.get_running_loop()
        self._timetable = Timetable(self._loop, self._on_due)
        self._deliveries = Deliveries(
            self.profile,
            self._loop,
            self.counters,
            lambda due, held: self._timetable.add(due, (held,)),
        )
        if self._ledger_path is not None:
            self._ledger = Ledger(self._ledger_path)
        await self.server.start()
        self._running = True

    async def stop(self) -> None:
        """Unbind everyone, forget what was planned, close the ledger."""
        if not self._running:
            return
        self._running = False
        await self.server.stop()
        self._timetable.clear()
        self._deliveries.mailboxes.clear()
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def send_message(self, message: InboundMessage) -> None:
        """A handset writes to ``message.system_id``; held until that is bound to receive."""
        self._deliveries.take_on_now([message], time.time())

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
        return vocabulary.ESME_ROK

    def bound(self, session: ServerSession) -> None:
        """A receiver gets what was held for its system_id."""
        if session.receives:
            self._deliveries.opened(session)

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """Unanswered receipts go to the next session."""
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
        counters = self.counters
        ledger = self._ledger
        answers: list[MessageResponse] = []
        early: list[Receipt] = []
        for pdu in submits:
            fate = self._fate(pdu, now)
            status = fate.command_status
            message_id = b""
            if status == vocabulary.ESME_ROK:
                counters.accepted += 1
                message_id, receipt_id = self._ids.take()
                if wants_receipt(pdu.registered_delivery, fate):
                    receipt = self._receipt(session, pdu, receipt_id, fate, submit_date)
                    self._plan(receipt, now, early)
            else:
                counters.refused[status] = counters.refused.get(status, 0) + 1
            if ledger is not None:
                ledger.add(session.system_id, wall, pdu, status, message_id)
            kind = DataSmResp if isinstance(pdu, DataSm) else SubmitSmResp
            answers.append(kind(pdu.sequence_number, status, message_id))
        counters.submits += len(submits)
        if ledger is not None:
            ledger.flush()
        if early:
            self._deliveries.take_on_now(early, wall)
        self._answer(session, answers, now)

    def _fate(self, pdu: MessageRequest, now: float) -> Fate:
        if not self._ceiling.allows(now):
            return THROTTLED
        if self._deliveries.held >= HELD_MAX:
            return QUEUE_FULL
        return self._chance.fate(pdu.destination_addr)

    def _receipt(
        self,
        session: ServerSession,
        pdu: MessageRequest,
        receipt_id: bytes,
        fate: Fate,
        submit_date: bytes,
    ) -> Receipt:
        text = b""
        if isinstance(pdu, ShortMessage) and pdu.data_coding == 0 and pdu.esm_class == 0:
            text = pdu.short_message[:TEXT_OCTETS_MAX]
        return Receipt(
            session.system_id,
            receipt_id,
            source_addr_ton=pdu.source_addr_ton,
            source_addr_npi=pdu.source_addr_npi,
            source_addr=pdu.source_addr,
            dest_addr_ton=pdu.dest_addr_ton,
            dest_addr_npi=pdu.dest_addr_npi,
            destination_addr=pdu.destination_addr,
            text=text,
            fate=fate,
            submit_date=submit_date,
            with_tlvs=self.profile.receipt_tlvs,
        )

    def _plan(self, receipt: Receipt, now: float, early: list[Receipt]) -> None:
        """Into the timetable, or into ``early``; some a second time."""
        chance = self._chance
        if chance.happens(self.profile.receipts_duplicated_share):
            again = msgspec.structs.replace(receipt)
            self._deliveries.take_on(again, now + self._receipt_delay())
        if chance.happens(self.profile.receipts_early_share):
            early.append(receipt)
        else:
            self._deliveries.take_on(receipt, now + self._receipt_delay())

    def _receipt_delay(self) -> float:
        """From the submit: a receipt that is not "early" is never due before its answer."""
        return self._chance.latency_max + self._chance.receipt_delay()

    def _answer(self, session: ServerSession, answers: list[MessageResponse], now: float) -> None:
        chance = self._chance
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
