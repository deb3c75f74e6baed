"""Owns what a carrier delivers: receipts (SMPP 3.4 appendix B) and inbound messages, as deliver_sm.

Must not decide when, or to which session.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from smpp import vocabulary
from smpp.pdu import DeliverSm, Tlvs
from smpp.simulator.fates import Fate
from smpp.simulator.receipt_text import ReceiptText, receipt_text

TEXT_OCTETS_MAX: Final = 20  # what appendix B repeats of the message


class Receipt(msgspec.Struct, gc=False):
    """One receipt, from the submit until it was acknowledged or given up."""

    system_id: str
    receipt_id: bytes
    source_addr_ton: int
    source_addr_npi: int
    source_addr: bytes
    dest_addr_ton: int
    dest_addr_npi: int
    destination_addr: bytes
    text: bytes
    fate: Fate
    submit_date: bytes
    with_tlvs: bool
    with_text: bool = True
    oddity: str | None = None
    esm_class: int = vocabulary.ESM_CLASS_DELIVERY_RECEIPT
    done_date: bytes = b""  # set when it falls due
    attempts: int = 0

    def deliver_sm(self) -> DeliverSm:
        """The PDU: from the handset back to whom the message came from."""
        fate = self.fate
        tlvs: Tlvs = ()
        if self.with_tlvs:
            tlvs = ((vocabulary.TLV_RECEIPTED_MESSAGE_ID, self.receipt_id + b"\0"),)
            if fate.message_state:
                tlvs += ((vocabulary.TLV_MESSAGE_STATE, bytes((fate.message_state,))),)
        return DeliverSm(
            0,
            source_addr_ton=self.dest_addr_ton,
            source_addr_npi=self.dest_addr_npi,
            source_addr=self.destination_addr,
            dest_addr_ton=self.source_addr_ton,
            dest_addr_npi=self.source_addr_npi,
            destination_addr=self.source_addr,
            esm_class=self.esm_class,
            short_message=self._text() if self.with_text else b"",
            tlvs=tlvs,
        )

    def _text(self) -> bytes:
        fate = self.fate
        fields = ReceiptText(
            self.receipt_id,
            fate.delivered,
            self.submit_date,
            self.done_date,
            fate.state,
            fate.error,
            self.text,
        )
        return receipt_text(fields, self.oddity)


class InboundMessage(msgspec.Struct, gc=False):
    """A message from a handset (mobile originated), held like a receipt until acknowledged."""

    system_id: str
    source_addr: bytes
    destination_addr: bytes
    short_message: bytes
    data_coding: int = vocabulary.DATA_CODING_DEFAULT
    esm_class: int = 0
    done_date: bytes = b""
    attempts: int = 0

    def deliver_sm(self) -> DeliverSm:
        """The PDU, source international, destination a short or long code."""
        return DeliverSm(
            0,
            source_addr_ton=vocabulary.TON_INTERNATIONAL,
            source_addr_npi=vocabulary.NPI_ISDN,
            source_addr=self.source_addr,
            destination_addr=self.destination_addr,
            esm_class=self.esm_class,
            data_coding=self.data_coding,
            short_message=self.short_message,
        )


Held = Receipt | InboundMessage


def wants_receipt(registered_delivery: int, fate: Fate) -> bool:
    """Whether registered_delivery (5.2.17) asks for a receipt of this end."""
    if not fate.state:
        return False
    if registered_delivery & 0x03 == vocabulary.REGISTERED_DELIVERY_FINAL:
        return True
    on_failure = registered_delivery & 0x03 == vocabulary.REGISTERED_DELIVERY_ON_FAILURE
    return on_failure and not fate.delivered


class MinuteStamp:
    """``YYMMDDhhmm`` in UTC, formatted once a minute instead of once a receipt."""

    __slots__ = ("_minute", "_octets")

    def __init__(self) -> None:
        self._minute = -1
        self._octets = b""

    def at(self, unix_seconds: float) -> bytes:
        """The minute that holds this moment."""
        minute = int(unix_seconds) // 60
        if minute != self._minute:
            self._minute = minute
            self._octets = time.strftime("%y%m%d%H%M", time.gmtime(minute * 60)).encode("ascii")
        return self._octets
