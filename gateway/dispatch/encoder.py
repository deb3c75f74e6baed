"""From a ready message to its submit_sm PDUs.

Owns addresses, data_coding, concatenation reference and validity_period of what goes out. Pure.
"""

from __future__ import annotations

from datetime import timedelta

from gateway.dispatch.message import ReadyMessage
from smpp.addresses import address
from smpp.pdu import SubmitSm
from smpp.segmentation import PARTS_MAX
from smpp.text import encode_text
from smpp.times import relative

RECEIPT_REQUESTED = (
    1  # registered_delivery: receipt on success and failure (SMPP 3.4 section 5.2.17)
)


def concatenation_reference(message_id: int) -> int:
    """8 bits from the message id: the same at every attempt, so that missing parts still join
    (E79).

    Sums the sequence and the millisecond, so that messages made in a row get references in a row
    and 256 of them to one number differ (E78).
    """
    return (message_id + (message_id >> 14) + (message_id >> 22)) & 0xFF


def encode_message(message: ReadyMessage, now_ms: int) -> list[tuple[int, SubmitSm]]:
    """The parts that are still to be sent as (part number from 1, submit_sm), last part first.

    Raises what smpp.text.encode_text and smpp.addresses.address raise for what cannot be sent; both
    were checked before the message was accepted.
    """
    encoded = encode_text(
        message.text, reference=concatenation_reference(message.id), parts_max=PARTS_MAX
    )
    # No sender: the carrier puts its own (SMPP 3.4 section 5.2.5, all three fields null).
    source_ton, source_npi, source = address(message.sender) if message.sender else (0, 0, b"")
    dest_ton, dest_npi, destination = address(message.to)
    validity = b""
    if message.expires_at is not None:
        validity = relative(timedelta(seconds=max(1, (message.expires_at - now_ms) // 1000)))
    return [
        (
            number,
            SubmitSm(
                sequence_number=0,
                source_addr_ton=source_ton,
                source_addr_npi=source_npi,
                source_addr=source,
                dest_addr_ton=dest_ton,
                dest_addr_npi=dest_npi,
                destination_addr=destination,
                esm_class=encoded.esm_class,
                validity_period=validity,
                registered_delivery=RECEIPT_REQUESTED,
                data_coding=encoded.data_coding,
                short_message=octets,
            ),
        )
        for number, octets in reversed(list(enumerate(encoded.parts, start=1)))
        if number not in message.parts_done
    ]
