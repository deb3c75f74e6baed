"""A kept delivery as people read it: its fields, and its text as it is decoded today.

Owns that view. Must not mask anything: the API decides who sees it at all. Nothing that a carrier
sent makes it raise. Pure.
"""

from __future__ import annotations

import msgspec

from smpp.encoding import TextSettings
from smpp.events import MessageRequest
from smpp.pdu import DataSm, DeliverSm, PduError, decode
from smpp.user_data import readings, user_data


class DecodedTlv(msgspec.Struct, frozen=True):
    """A TLV: its tag, such as 0x001E, and its value in hexadecimal."""

    tag: str
    value: str


class DecodedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a deliver_sm or data_sm. Addresses as they came. `guessed_header`: its text has
    a header that esm_class does not tell of.
    """

    command: str
    esm_class: int
    data_coding: int
    source: str
    source_ton: int
    source_npi: int
    destination: str
    text: str
    guessed_header: bool
    tlvs: tuple[DecodedTlv, ...]


def pdu_of(frame: bytes) -> MessageRequest | None:
    """The PDU in a frame; None where there is none, or not a whole one."""
    try:
        pdu = decode(frame)
    except PduError:
        return None
    return pdu if isinstance(pdu, (DeliverSm, DataSm)) else None


def decoded(pdu: MessageRequest, settings: TextSettings) -> DecodedDelivery:
    """The fields and the text of a delivery."""
    data = user_data(pdu)
    return DecodedDelivery(
        command="data_sm" if isinstance(pdu, DataSm) else "deliver_sm",
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        source=pdu.source_addr.decode("latin-1"),
        source_ton=pdu.source_addr_ton,
        source_npi=pdu.source_addr_npi,
        destination=pdu.destination_addr.decode("latin-1"),
        text=next(iter(readings(data, pdu.data_coding, settings))),
        guessed_header=data.guessed,
        tlvs=tuple(DecodedTlv(f"0x{tag:04X}", value.hex()) for tag, value in pdu.tlvs),
    )
