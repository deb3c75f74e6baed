"""Owns one SMPP session without its socket: bytes in, batches out, bytes to send (SMPP 3.4 section
2.2).

Must not touch a socket, a timer, or a log. ``now`` (seconds of any clock that does not go back) is
an argument. The same machine is the ESME's and the SMSC's side.

Nothing that the peer sends raises. An unreadable body is answered once and the session goes on
(E65). An unreadable stream (E61) ends the session with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from smpp import refusals, vocabulary
from smpp.events import Batch, Closing, MessageRequest, Request, SessionCounters, SubmitResponse
from smpp.inbox import Inbox
from smpp.message_pdu import decode_broken_message
from smpp.pdu import (
    BindRequest,
    BindResp,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    MessageResponse,
    Pdu,
    PduError,
    ShortMessage,
    Unbind,
    UnbindResp,
    decode,
    encode_many,
)
from smpp.queries import Asked, query_response
from smpp.session_states import (
    BIND_STEPS,
    EARLY_MAX,
    INWARD,
    INWARD_TYPES,
    NO_TYPES,
    OUTWARD,
    TAKEN_ALL_THE_SAME,
    TRANSITIONS,
    Role,
    State,
    Step,
)
from smpp.session_timers import (
    Clocks,
    Timer,
    TimerSettings,
    first_due,
)
from smpp.window import Window

PDUS_PER_SLICE: Final = 200  # as many as one callback may work through (a few ms at most)
PEER_DRAIN_SECONDS: Final = 5.0  # how long an unbind from the peer may wait for the window (E55)


class SessionMachine:
    """One session from connect to close.

    After each call: send ``take_output()``; when ``closing`` is set, close the connection. Between
    calls ``deadline()`` says when ``expire`` has work. ``has_more`` means that a read brought more
    than one slice: call ``receive(b"", now)`` again before feeding more.
    """

    def __init__(
        self,
        role: Role,
        timers: TimerSettings,
        *,
        window: int,
        now: float,
        authenticate: refusals.Authenticate = refusals.refuse_every_bind,
        system_id: bytes = b"",
        counters: SessionCounters | None = None,
        last_sequence: int = 0,
    ) -> None:
        self.role = role
        self.timers = timers
        self.state = State.OPEN
        self.closing: Closing | None = None
        self.window = Window(window, last_sequence=last_sequence)
        self.unanswered = 0  # the peer's messages that we have not answered yet
        self.bind_status: int | None = None  # ESME: what the SMSC said to our bind
        self.peer_bind: BindRequest | None = None  # SMSC: who is bound
        self.counters = counters if counters is not None else SessionCounters()
        self._system_id = system_id
        self._authenticate = authenticate
        self._clocks = Clocks(opened_at=now, heard_at=now)
        self._inbox = Inbox()
        self._output = bytearray()
        self._accepted = NO_TYPES  # message types that are taken in this state
        self._held = INWARD_TYPES[role] if State.OPEN in TAKEN_ALL_THE_SAME[role] else NO_TYPES
        self._early: list[MessageRequest] = []  # these came before the bind_resp
        self._may_send = False
        self._bind_step: Step | None = None
        self._bind_sequence = -1  # none yet, and no number that a peer can send
        self._peer_unbind_sequence: int | None = None

    # --- what the shell asks ---------------------------------------------------------------------

    @property
    def has_more(self) -> bool:
        """PDUs of an earlier read wait for their slice."""
        return len(self._inbox) > 0

    @property
    def bound(self) -> bool:
        """Bound and not yet unbinding."""
        return self.state in (State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX)

    @property
    def free_slots(self) -> int:
        """How many requests ``submit`` would take now; 0 unless bound in a direction that sends."""
        return self.window.free if self._may_send else 0

    def take_output(self) -> bytearray:
        """What must be written now; the caller owns it."""
        output, self._output = self._output, bytearray()
        return output

    def deadline(self) -> float | None:
        """When ``expire`` has something to do, if nothing happens before."""
        due = self._due()
        return None if due is None else due[0]

    # --- our own steps ---------------------------------------------------------------------------

    def start_bind(self, request: BindRequest) -> None:
        """ESME: ask to be bound; the answer shows as ``Batch.bound`` or ``bind_status``."""
        request.sequence_number = self._bind_sequence = self.window.next_sequence()
        self._bind_step = BIND_STEPS[request.command_id]
        self._write(request)

    def submit(self, batch: Sequence[tuple[Request, object]], now: float) -> int:
        """Number and write as many (request, context) pairs as the window takes; returns how many.

        Raises ValueError for a field that its place cannot hold, with nothing taken.
        """
        if not self._may_send:
            return 0
        admitted = self.window.admit(batch, now + self.timers.response_seconds)
        try:
            encode_many(admitted, self._output)
        except (TypeError, ValueError):
            self.window.withdraw(admitted)
            raise
        return len(admitted)

    def answer(self, responses: Sequence[MessageResponse], now: float) -> None:
        """Write responses to the peer's messages; too late (closed) is silently nothing."""
        if self.state is State.CLOSED:
            return
        encode_many(responses, self._output)
        self.unanswered = max(0, self.unanswered - len(responses))
        self._advance_unbinding(now)

    def start_unbind(self, now: float, drain_seconds: float) -> None:
        """Stop sending; unbind once the window is empty and all is answered, or time is up."""
        if self.bound:
            self._clocks.drain_until = now + drain_seconds
            self._move(Step.UNBIND)
            self._advance_unbinding(now)
        elif self.state is State.OPEN:
            self._close("closed before the bind", graceful=True)

    def abandon(self, reason: str) -> None:
        """The owner cuts the connection; ``connection_lost`` follows."""
        self._close(reason, graceful=False)

    def connection_lost(self, reason: str) -> list[object]:
        """The connection is gone: the contexts of all that was in flight, whole (E33)."""
        self._close(reason, graceful=False)
        return self.window.hand_over()

    # --- the peer's steps ------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> Batch:
        """Take what one read brought; ``has_more`` tells whether the slice did not take them all.

        Hand over a batch's responses before its requests, so that a receipt in the same read finds
        its message id known. Once closed only responses count: what was read is an answer (E33).
        """
        batch = Batch()
        if data:
            self._inbox.feed(data, now - self._clocks.heard_at)
        frames = self._inbox.take(PDUS_PER_SLICE, refilling=not self.window.free)
        batch.worked = len(frames)
        if frames:
            self._clocks.heard_at = now
            self._clocks.enquired_at = None
        for frame in frames:
            try:
                pdu = decode(frame)
            except PduError as error:
                message = self._on_malformed(frame, error)
                if message is None:
                    continue
                pdu = message
            if isinstance(pdu, MessageResponse):
                self._on_response(pdu, batch)
            elif type(pdu) in self._accepted and isinstance(pdu, (ShortMessage, DataSm)):
                batch.requests.append(pdu)
            else:
                self._on_control(pdu, batch)
        if self.state is State.BOUND_TX and self.role is Role.ESME:
            self.counters.taken_on_transmitter += len(batch.requests)
        self.unanswered += len(batch.requests)
        if self._inbox.fault is not None:
            self._close(self._inbox.fault, graceful=False)
        self._advance_unbinding(now)
        return batch

    def _on_malformed(self, frame: bytes, error: PduError) -> DeliverSm | DataSm | None:
        """Take what can be read of a message for us although its end is broken. Answer all else."""
        self.counters.pdus_malformed += 1
        message = decode_broken_message(frame) if self.role is Role.ESME else None
        if message is None and (answer := refusals.answer_to_malformed(error)) is not None:
            self._write(answer)
        return message

    def _on_response(self, pdu: MessageResponse, batch: Batch) -> None:
        entry = self.window.settle(pdu.sequence_number)
        if entry is None:
            self.counters.responses_unmatched += 1
            if (late := self.window.settle_late(pdu.sequence_number)) is not None:
                batch.late.append(SubmitResponse(late, pdu.command_status, pdu.message_id))
        elif type(entry[1]) is Asked:
            batch.queried.append(query_response(entry[1], pdu, pdu.command_status))
        else:
            batch.responses.append(SubmitResponse(entry[1], pdu.command_status, pdu.message_id))

    def _on_control(self, pdu: Pdu, batch: Batch) -> None:
        match pdu:
            case EnquireLink():  # in any state, before the bind too (E56)
                self.counters.enquire_links_answered += 1
                self._write(EnquireLinkResp(pdu.sequence_number))
            case EnquireLinkResp():
                pass  # that it came is what counts, and receive() has noted that
            case GenericNack():
                self._on_generic_nack(pdu, batch)
            case BindRequest():
                self._on_bind(pdu, batch)
            case BindResp():
                self._on_bind_response(pdu.sequence_number, pdu.command_status, batch)
            case Unbind():
                self._on_unbind(pdu)
            case UnbindResp() if self._clocks.unbind_sent_at is not None:
                self._close("unbound", graceful=True)
            case ShortMessage() | DataSm() if type(pdu) in self._held:
                self._hold(pdu)
            case _:
                self._on_unexpected(pdu)

    def _hold(self, pdu: MessageRequest) -> None:
        self.counters.taken_before_bind += 1
        if len(self._early) < EARLY_MAX:
            self._early.append(pdu)
        else:
            self._write(refusals.response_to(pdu, vocabulary.ESME_RX_T_APPN))

    def _on_unexpected(self, pdu: Pdu) -> None:
        refusal = refusals.refusal_to(pdu)
        if refusal is None:
            self.counters.responses_unmatched += 1
        else:
            self.counters.requests_refused += 1
            self._write(refusal)

    def _on_generic_nack(self, pdu: GenericNack, batch: Batch) -> None:
        status = pdu.command_status or vocabulary.ESME_RUNKNOWNERR  # a refusal is never a success
        if pdu.sequence_number == self._bind_sequence and self.state is State.OPEN:
            self._on_bind_response(pdu.sequence_number, status, batch)
            return
        entry = self.window.settle(pdu.sequence_number)
        if entry is None:
            self.counters.nacks_unmatched += 1
        elif type(entry[1]) is Asked:
            batch.queried.append(query_response(entry[1], pdu, status))
        else:
            batch.responses.append(SubmitResponse(entry[1], status, b""))

    def _on_bind(self, pdu: BindRequest, batch: Batch) -> None:
        if self.state is not State.OPEN:
            self._write(refusals.bind_response(pdu, vocabulary.ESME_RALYBND, self._system_id))
            return
        status = self._authenticate(pdu)
        self._write(refusals.bind_response(pdu, status, self._system_id))
        if status == vocabulary.ESME_ROK:
            self.peer_bind = pdu
            batch.bound = True
            self._move(BIND_STEPS[pdu.command_id])
        elif self.role is Role.SMSC:
            self._close(f"bind refused: {vocabulary.status_name(status)}", graceful=True)

    def _on_bind_response(self, sequence: int, status: int, batch: Batch) -> None:
        if (
            self.state is not State.OPEN
            or self._bind_step is None
            or sequence != self._bind_sequence
        ):
            self.counters.responses_unmatched += 1
            return
        self.bind_status = status
        if status == vocabulary.ESME_ROK:
            batch.bound, batch.requests = True, self._early
            self._move(self._bind_step)
        else:
            self._close(f"bind refused: {vocabulary.status_name(status)}", graceful=True)

    def _on_unbind(self, pdu: Unbind) -> None:
        if self._clocks.unbind_sent_at is not None or self.state is State.OPEN:
            self._write(UnbindResp(pdu.sequence_number))
            self._close("unbound by the peer", graceful=True)
            return
        self._peer_unbind_sequence = pdu.sequence_number
        drain_until = self._clocks.heard_at + PEER_DRAIN_SECONDS
        if self._clocks.drain_until is None or drain_until < self._clocks.drain_until:
            self._clocks.drain_until = drain_until
        if self.bound:
            self._move(Step.UNBIND)

    # --- time ------------------------------------------------------------------------------------

    def expire(self, now: float) -> list[object]:
        """Act on every timer that is due: the contexts of requests that were not answered in time.

        The caller has made sure that what lay in the socket was read before (E31).
        """
        expired: list[object] = []
        while (due := self._due()) is not None and due[0] <= now:
            match due[1]:
                case Timer.RESPONSE:
                    expired += self.window.expire(now)
                    self._advance_unbinding(now)
                case Timer.ENQUIRE_LINK:
                    self._clocks.enquired_at = now
                    self.counters.enquire_links_sent += 1
                    self._write(EnquireLink(self.window.next_sequence()))
                case Timer.DRAIN:
                    self._finish_unbinding(now)
                case Timer.BIND:
                    self._close(f"not bound in {self.timers.bind_seconds:g} s", graceful=False)
                case Timer.SILENCE:
                    silent = now - self._clocks.heard_at
                    self._close(f"nothing heard for {silent:.0f} s", graceful=False)
                case Timer.INACTIVITY:
                    idle = self.timers.inactivity_seconds
                    self._close(f"inactive for {idle:g} s", graceful=True)
                case Timer.UNBIND:
                    self._close("unbind was not answered", graceful=False)
        return expired

    def _due(self) -> tuple[float, Timer] | None:
        return first_due(self.state, self._clocks, self.timers, self.window.next_deadline())

    # --- transitions -----------------------------------------------------------------------------

    def _move(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state][step]
        self._held = NO_TYPES
        if self.bound:
            row = TRANSITIONS[self.state]
            self._may_send = OUTWARD[self.role] in row
            taken = INWARD[self.role] in row or self.state in TAKEN_ALL_THE_SAME[self.role]
            self._accepted = INWARD_TYPES[self.role] if taken else NO_TYPES
        else:
            self._may_send = False
            if self.state is State.CLOSED:
                self._accepted = NO_TYPES

    def _close(self, reason: str, *, graceful: bool) -> None:
        if self.closing is not None:
            return  # the first reason is the one that matters
        self._move(Step.CLOSE)
        self.closing = Closing(reason, graceful)

    def _advance_unbinding(self, now: float) -> None:
        if self.state is not State.UNBINDING or self._clocks.unbind_sent_at is not None:
            return
        if not (len(self.window) or self.unanswered or self._inbox):
            self._finish_unbinding(now)

    def _finish_unbinding(self, now: float) -> None:
        if self._peer_unbind_sequence is not None:
            self._write(UnbindResp(self._peer_unbind_sequence))
            self._close("unbound by the peer", graceful=True)
        else:
            self._clocks.unbind_sent_at = now
            self._write(Unbind(self.window.next_sequence()))

    def _write(self, pdu: Pdu) -> None:
        if self.state is not State.CLOSED:
            encode_many((pdu,), self._output)
