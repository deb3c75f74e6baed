"""Is a delivery a receipt, or did a handset write it?

Owns that decision for deliver_sm and data_sm (SMPP 3.4 section 5.2.12). Must not read what a
receipt says. Pure.

Strong evidence decides before weak. First comes what a handset cannot set, then the receipt bits of
esm_class, then the text.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from dlr.receipt import Likeness
from smpp.vocabulary import (
    ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT,
    ESM_CLASS_DELIVERY_RECEIPT,
    ESM_CLASS_INTERMEDIATE_NOTIFICATION,
    ESM_CLASS_MANUAL_ACKNOWLEDGEMENT,
    ESM_CLASS_MESSAGE_TYPE_MASK,
)

# Bits 2 and 5 alone; 0x18 is the end of a conversation, not two acknowledgements.
RECEIPT_BITS: Final = ESM_CLASS_DELIVERY_RECEIPT | ESM_CLASS_INTERMEDIATE_NOTIFICATION
_ACKNOWLEDGEMENTS: Final = frozenset(
    {ESM_CLASS_DELIVERY_ACKNOWLEDGEMENT, ESM_CLASS_MANUAL_ACKNOWLEDGEMENT}
)


class DeliveryKind(Enum):
    """What a delivery is."""

    RECEIPT = "receipt"
    MESSAGE = "message"


class TlvEvidence(msgspec.Struct, frozen=True):
    """What the TLVs of a delivery say that only a carrier can set: a message and its state."""

    names_message: bool = False  # receipted_message_id
    repeats_reference: bool = False  # user_message_reference, which handsets set, too
    gives_state: bool = False  # message_state


NO_TLVS: Final = TlvEvidence()


def kind_of(
    esm_class: int,
    tlvs: TlvEvidence,
    text: Callable[[], Likeness],
    *,
    without_esm_class: bool,
) -> DeliveryKind:
    """The kind of a delivery. `text` is called only where nothing stronger decides.

    `without_esm_class`: this carrier is known to send receipts without the receipt bits.
    """
    said = (
        bool(esm_class & RECEIPT_BITS)
        or _by_tlvs(tlvs, text)
        or _by_text(esm_class & ESM_CLASS_MESSAGE_TYPE_MASK, text, without_esm_class)
    )
    return DeliveryKind.RECEIPT if said else DeliveryKind.MESSAGE


def _by_tlvs(tlvs: TlvEvidence, text: Callable[[], Likeness]) -> bool:
    """A receipt has a state and says whose it is. If one of them is missing, the text must
    have it.
    """
    if tlvs.gives_state:
        return tlvs.names_message or tlvs.repeats_reference or text() >= Likeness.NAMED
    return tlvs.names_message and text() >= Likeness.STATED


def _by_text(kind: int, text: Callable[[], Likeness], without_esm_class: bool) -> bool:
    """What a handset acknowledges may be any text. Without any mark, the text must be beyond
    doubt.
    """
    if kind in _ACKNOWLEDGEMENTS:
        return text() >= Likeness.NAMED
    return kind == 0 and without_esm_class and text() is Likeness.CERTAIN
