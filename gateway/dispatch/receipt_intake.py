"""What a carrier sends us: receipts on their way to the recorder, and the bound on how many may
wait.

Owns the way of deliver_sm to whoever stores them, and the answer when there is no room:
ESME_RX_T_APPN and no more reading, so that nothing is dropped. Must not write to the database and
must not answer ESME_ROK: the recorder does, after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from gateway.dispatch.receipt_reading import KnownId, ReceiptReader
from gateway.dispatch.recorder import Recorder
from gateway.dispatch.records import ReceiptArrived, StateLearned
from gateway.inbound.intake import MessageIntake
from smpp.client import Bind
from smpp.events import Delivery
from smpp.message_pdu import message_octets
from smpp.vocabulary import ESME_ROK, ESME_RX_R_APPN, ESME_RX_T_APPN

_DELIVERY_LOGS_MAX = 10

_log = structlog.get_logger(__name__)


class IntakeCounters(msgspec.Struct):
    """Plain counts for /metrics, since start."""

    receipts: int = 0
    deferred: int = 0  # answered ESME_RX_T_APPN: no room
    unreadable: int = 0
    inbound_refused: int = 0  # mobile-originated messages, where none are taken


class ReceiptIntake:
    """One connector's incoming side."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        reader: ReceiptReader,
        wall_ms: Callable[[], int],
        messages: MessageIntake | None = None,
    ) -> None:
        """`messages` takes what is no receipt; without it such is refused."""
        self.messages = messages
        self._recorder = recorder
        self.reader = reader
        self._wall_ms = wall_ms
        self._paused: set[Bind] = set()
        self.counters = IntakeCounters()

    def remember(self, known: Sequence[KnownId]) -> None:
        """Carrier ids just learned."""
        if known:
            self.reader.remember(known)

    def forget(self, bind: Bind) -> None:
        """This session is gone; the carrier will send what was not answered again."""
        self._paused.discard(bind)
        if self.messages is not None:
            self.messages.forget(bind)

    def take(self, bind: Bind, deliveries: Sequence[Delivery]) -> None:
        """deliver_sm and data_sm of one read."""
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
            arrived.append(ReceiptArrived(row, bind, delivery))
        self.counters.receipts += len(arrived)
        if arrived:
            self._recorder.record_receipts(arrived)
            understood = self.reader.understood()
            if understood:
                self._recorder.record([StateLearned(row) for row in understood])
        if inbound and self.messages is not None:
            self.messages.take(bind, inbound)
            inbound = []
        self._refuse(bind, unreadable, inbound)

    def resume(self) -> None:
        """Receipts were committed: read on where reading was paused, once half the room is free."""
        if self._paused and self._recorder.has_room_again():
            paused, self._paused = self._paused, set()
            for bind in paused:
                bind.resume_reading()

    def _refuse(
        self, bind: Bind, unreadable: Sequence[Delivery], inbound: Sequence[Delivery]
    ) -> None:
        """What cannot be stored. An unreadable receipt will not get better by being sent again, so
        it is taken.
        """
        counters = self.counters
        if unreadable:
            if counters.unreadable < _DELIVERY_LOGS_MAX:
                octets = message_octets(unreadable[0].pdu)[:80]
                _log.warning("receipt_unreadable", bind=bind.name, octets=octets.hex())
            counters.unreadable += len(unreadable)
            bind.acknowledge(unreadable, ESME_ROK)
        if inbound:
            if counters.inbound_refused < _DELIVERY_LOGS_MAX:
                _log.warning("inbound_message_refused", bind=bind.name)
            counters.inbound_refused += len(inbound)
            bind.acknowledge(inbound, ESME_RX_R_APPN)
