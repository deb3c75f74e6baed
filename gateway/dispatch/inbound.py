"""What a carrier sends us: receipts on their way to the recorder, and the bound on how many may
wait.

Owns the parsing of deliver_sm into receipt rows, the memory of recent carrier ids, and the answer
when there is no room: ESME_RX_T_APPN and no more reading, so that nothing is dropped. Must not
write to the database and must not answer ESME_ROK: the recorder does, after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from dlr.ledger import ReceiptRow
from dlr.reasons import reason_of
from dlr.receipt import Receipt, parse_receipt
from gateway.dispatch.recorder import Recorder
from gateway.dispatch.records import ReceiptArrived
from gateway.inbound.intake import MessageIntake
from smpp.client import Bind
from smpp.events import Delivery
from smpp.message_pdu import message_octets
from smpp.tlv import tlv_value
from smpp.vocabulary import (
    ESME_ROK,
    ESME_RX_R_APPN,
    ESME_RX_T_APPN,
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
)

KNOWN_IDS_MAX = (
    100_000  # carrier ids without a final receipt kept in memory; older ones are found by index
)
_RECEIPT_TYPES = frozenset({0x04, 0x08, 0x20})  # esm_class bits 5-2 (SMPP 3.4 section 5.2.12)
_MESSAGE_TYPE_BITS = 0x3C
_DELIVERY_LOGS_MAX = 10
INTEGER_OCTETS_MAX = 4  # SMPP 3.4 section 3.1

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
        connector: int,
        recorder: Recorder,
        *,
        normalise: Callable[[str], str],
        wall_ms: Callable[[], int],
        messages: MessageIntake | None = None,
    ) -> None:
        """`messages` takes what is no receipt; without it such is refused."""
        self._connector = connector
        self.messages = messages
        self._recorder = recorder
        self._normalise = normalise
        self._wall_ms = wall_ms
        self._known: dict[str, int] = {}
        self._paused: set[Bind] = set()
        self.counters = IntakeCounters()

    def remember(self, known: Iterable[tuple[str, int]]) -> None:
        """Carrier ids just learned, so that their receipts need no index look-up."""
        self._known.update(known)
        for _ in range(len(self._known) - KNOWN_IDS_MAX):
            del self._known[next(iter(self._known))]

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
            if pdu.esm_class & _MESSAGE_TYPE_BITS not in _RECEIPT_TYPES:
                inbound.append(delivery)
                continue
            receipt = parse_receipt(
                message_octets(pdu),
                receipted_message_id=tlv_value(pdu.tlvs, TLV_RECEIPTED_MESSAGE_ID),
                message_state=tlv_integer(tlv_value(pdu.tlvs, TLV_MESSAGE_STATE)),
                network_error_code=tlv_value(pdu.tlvs, TLV_NETWORK_ERROR_CODE),
            )
            if receipt is None:
                unreadable.append(delivery)
                continue
            arrived.append(ReceiptArrived(self._row(receipt, received_at), bind, delivery))
        self.counters.receipts += len(arrived)
        if arrived:
            self._recorder.record_receipts(arrived)
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

    def _row(self, receipt: Receipt, received_at: datetime) -> ReceiptRow:
        carrier_id = self._normalise(receipt.carrier_id)
        return ReceiptRow(
            connector=self._connector,
            carrier_id=carrier_id,
            submission_id=self._known.get(carrier_id),
            status=receipt.status,
            reason=reason_of(receipt.status, receipt.error),
            error=receipt.error,
            done_at=receipt.done_at,
            received_at=received_at,
            alternate_id=None if receipt.text_id is None else self._normalise(receipt.text_id),
        )

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


def tlv_integer(value: bytes | None) -> int | None:
    """A TLV's value as unsigned integer; None when absent, empty or longer than any integer TLV."""
    return int.from_bytes(value, "big") if value and len(value) <= INTEGER_OCTETS_MAX else None
