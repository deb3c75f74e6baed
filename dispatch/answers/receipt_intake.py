"""One connector's incoming receipts, on their way to the recorder.

Owns the way of deliver_sm and data_sm to whoever stores them, and the bound on how many wait. When
there is no room it answers ESME_RX_T_APPN and reads no more, so nothing is dropped. Must not write
to the database. Must not answer ESME_ROK: the recorder does, after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from dispatch.answers.receipt_reading import ReceiptReader
from dispatch.answers.recorder import Recorder
from dispatch.answers.records import KnownId, ReceiptArrived, StateLearned
from dispatch.inbound.intake import MessageIntake
from dispatch.raw.kept import KeepRaw, Kept, keeps
from dispatch.raw.unclear import Unclear
from dlr.receipt_rows import ReceiptRow
from smpp.client import Bind
from smpp.events import Delivery
from smpp.message_pdu import message_octets
from smpp.vocabulary import ESME_RX_R_APPN, ESME_RX_T_APPN

_DELIVERY_LOGS_MAX = 10
_TLVS_LOGGED_MAX = 10

_log = structlog.get_logger(__name__)


class IntakeCounters(msgspec.Struct):
    """Plain counts for /metrics, since start."""

    receipts: int = 0
    deferred: int = 0  # answered ESME_RX_T_APPN: no room
    unreadable: int = 0  # kept as messages from handsets, marked so
    receipt_like: int = 0  # messages whose text is a receipt's, and nothing else says so
    guessed: int = 0  # receipts that were read otherwise than their fields say
    inbound_refused: int = 0  # mobile-originated messages, where none are taken


class ReceiptIntake:
    """The incoming side of one connector."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        reader: ReceiptReader,
        wall_ms: Callable[[], int],
        messages: MessageIntake | None = None,
    ) -> None:
        """`messages` takes what is no receipt. Without it such deliveries are refused."""
        self.messages = messages
        self._recorder = recorder
        self.reader = reader
        self._wall_ms = wall_ms
        self._paused: set[Bind] = set()
        self._keep_raw: KeepRaw = "unclear"
        self.counters = IntakeCounters()

    def remember(self, known: Sequence[KnownId]) -> None:
        """Remember carrier ids that were just learned."""
        if known:
            self.reader.remember(known)

    def forget(self, bind: Bind) -> None:
        """The session is gone. The carrier sends again what was not answered."""
        self._paused.discard(bind)
        if self.messages is not None:
            self.messages.forget(bind)

    def take(self, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        """Take deliver_sm and data_sm of one read."""
        room = max(0, self._recorder.room_for_receipts())
        if room < len(deliveries):
            late = deliveries[room:]
            deliveries = deliveries[:room]
            self.counters.deferred += len(late)
            bind.acknowledge(late, ESME_RX_T_APPN)
            if bind not in self._paused:
                self._paused.add(bind)
                bind.pause_reading()
        arrived: list[ReceiptArrived] = []
        unreadable: list[Delivery] = []
        inbound: list[Delivery] = []
        received_at = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        for delivery in deliveries:
            pdu = delivery.pdu
            if not self.reader.is_receipt(pdu):
                inbound.append(delivery)
                continue
            row = self.reader.row(pdu, received_at)
            if row is None:
                unreadable.append(delivery)
                continue
            if row.guessed or row.unknown_state is not None or self._keep_raw != "unclear":
                arrived.append(self._out_of_the_ordinary(bind, delivery, row))
            else:
                arrived.append(ReceiptArrived(row, bind, delivery, keep_parked=True))
        self.counters.receipts += len(arrived)
        if arrived:
            self._recorder.record_receipts(arrived)
            understood = self.reader.understood()
            if understood:
                self._recorder.record([StateLearned(row) for row in understood])
        if inbound or unreadable:
            self._keep(bind, inbound, unreadable)

    def resume(self) -> None:
        """Receipts were committed. Reading that was paused goes on once half the room is free."""
        if self._paused and self._recorder.has_room_again():
            paused, self._paused = self._paused, set()
            for bind in paused:
                bind.resume_reading()

    def keep_raw(self, policy: KeepRaw) -> None:
        """Change which deliveries are kept octet for octet from now on."""
        self._keep_raw = policy
        if self.messages is not None:
            self.messages.keep_raw = policy

    def _out_of_the_ordinary(
        self, bind: Bind, delivery: Delivery, row: ReceiptRow
    ) -> ReceiptArrived:
        """Handle a delivery that is not what it says, or whose connector keeps raw octets
        otherwise.
        """
        unclear = None
        if row.guessed or row.unknown_state is not None:
            unclear = self._unclear(bind, row)
        kept = None
        if keeps(self._keep_raw, unclear, receipt=True):
            # If it is parked, its row there has the same id.
            row.parked_id = self._recorder.new_id()
            kept = Kept(row.parked_id, row.connector, True, unclear, delivery.pdu)
        return ReceiptArrived(row, bind, delivery, unclear, kept, self._keep_raw != "none")

    def _unclear(self, bind: Bind, row: ReceiptRow) -> Unclear:
        """Count an unclear delivery. A state's word is logged the first time."""
        if row.unknown_state is None:
            self.counters.guessed += 1
            return Unclear.GUESSED
        new = self.reader.unknown_words.count(row.unknown_state)
        if new is not None:
            remedy = "say in receipt_states of the connector what it means"
            _log.warning("receipt_state_unknown", bind=bind.name, state=new, remedy=remedy)
        return Unclear.UNKNOWN_WORD

    def _keep(
        self, bind: Bind, inbound: Sequence[Delivery], unreadable: Sequence[Delivery]
    ) -> None:
        """Store what is no receipt, and what claims to be one and cannot be read.

        Sending it again would not make it better, and whoever wrote it may have meant something. So
        it becomes a row before it is answered.
        """
        counters = self.counters
        if unreadable:
            if counters.unreadable < _DELIVERY_LOGS_MAX:
                pdu = unreadable[0].pdu
                _log.warning(
                    "receipt_unreadable",
                    bind=bind.name,
                    esm_class=pdu.esm_class,
                    data_coding=pdu.data_coding,
                    octets=len(message_octets(pdu)),
                    tlvs=[tag for tag, _ in pdu.tlvs[:_TLVS_LOGGED_MAX]],
                )
            counters.unreadable += len(unreadable)
        if self.messages is None:
            self._refuse(bind, [*inbound, *unreadable])
            return
        alike: list[Delivery] = []
        plain: list[Delivery] = []
        for delivery in inbound:
            (alike if self.reader.reads_as_receipt(delivery.pdu) else plain).append(delivery)
        if plain:
            self.messages.take(bind, plain)
        if alike:
            if counters.receipt_like == 0:
                remedy = "if the carrier leaves esm_class out, set receipts_without_esm_class"
                _log.warning("message_reads_as_receipt", bind=bind.name, remedy=remedy)
            counters.receipt_like += len(alike)
            self.messages.take(bind, alike, Unclear.RECEIPT_LIKE)
        if unreadable:
            self.messages.take(bind, unreadable, Unclear.UNREADABLE)

    def _refuse(self, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        """Answer messages from handsets where nobody stores them."""
        if deliveries:
            if self.counters.inbound_refused < _DELIVERY_LOGS_MAX:
                _log.warning("inbound_message_refused", bind=bind.name)
            self.counters.inbound_refused += len(deliveries)
            bind.acknowledge(deliveries, ESME_RX_R_APPN)
