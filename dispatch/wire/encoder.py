"""From a message to its submit_sm PDUs, as one carrier wants them (SMPP 3.4 section 4.4.1).

Owns addresses, data_coding, concatenation reference, TLVs and validity_period of what goes out.
Must not pack octets nor write. Pure.
"""

from __future__ import annotations

import msgspec

from dispatch.message import ReadyMessage
from dispatch.wire.wire_profile import SubmitFields, WireProfile
from smpp.custom_tlvs import merged
from smpp.encoding import submit_parts
from smpp.pdu import SubmitSm
from smpp.segmentation import PARTS_MAX
from smpp.times import absolute_seconds, relative_seconds
from smpp.vocabulary import TLV_USER_MESSAGE_REFERENCE


class BegunDifferently(ValueError):
    """Some parts went out under other text settings. A phone would not join the rest with them."""


class Encoded(msgspec.Struct, gc=False):
    """The submit_sm of one message.

    `unsent`: those still to be sent as (part number from 1, submit_sm), last part first. `total`:
    how many there are. `segments`: how many parts a phone gets for each. That is 1, except for a
    message_payload, which the carrier cuts.
    """

    unsent: list[tuple[int, SubmitSm]]
    total: int
    segments: int

    @property
    def parts(self) -> int:
        """Parts of the whole message, as a phone gets them and an operator counts them."""
        return self.total * self.segments

    @property
    def cost(self) -> int:
        """Parts still to be sent."""
        return len(self.unsent) * self.segments


def refer(submit_sm: SubmitSm, reference: bytes) -> None:
    """Put our own user_message_reference on it, unless its message states one."""
    others = [each for each in submit_sm.tlvs if each[0] != TLV_USER_MESSAGE_REFERENCE]
    submit_sm.tlvs = ((TLV_USER_MESSAGE_REFERENCE, reference), *others)


def concatenation_reference(message_id: int) -> int:
    """The reference that joins the parts of a message: 16 bits, made from its id.

    It is the same at every attempt of every process, so missing parts still join (E79). A header
    may take the lower 8 bits. It adds sequence and millisecond of the id. So messages made in a row
    get references in a row, and 256 of them to one number differ (E78).
    """
    return (message_id + (message_id >> 14) + (message_id >> 22)) & 0xFFFF


def encode_message(message: ReadyMessage, profile: WireProfile, now_ms: int) -> Encoded:
    """The submit_sm of this message, for this carrier.

    Raises TooManyParts, Unencodable or AddressError for what the carrier cannot be sent. Raises
    BegunDifferently.
    """
    parts = submit_parts(
        message.text,
        profile.text,
        concatenation_reference(message.id),
        parts_max=PARTS_MAX,
    )
    total, segments = len(parts), parts[0].segments
    if message.parts_done and total * segments != message.parts:
        raise BegunDifferently(f"begun in {message.parts} parts, and {total * segments} here")
    # Without a sender the carrier puts its own (SMPP 3.4 section 5.2.5, all three fields null).
    source_ton, source_npi, source = (
        profile.addresses.source_address(message.sender) if message.sender else (0, 0, b"")
    )
    dest_ton, dest_npi, destination = profile.addresses.destination_address(message.to)
    fields = profile.fields
    validity = _validity_period(message.expires_at, fields, now_ms)
    options = message.options
    tlvs = profile.tlvs if options is None else merged(profile.tlvs, options.tlvs)
    unsent = [
        (
            number,
            # Positional, in the order of the wire: with keywords it takes a quarter longer.
            SubmitSm(
                0,
                fields.service_type,
                source_ton,
                source_npi,
                source,
                dest_ton,
                dest_npi,
                destination,
                part.esm_class | fields.esm_class,
                fields.protocol_id,
                fields.priority_flags[message.category],
                b"",  # schedule_delivery_time
                validity,
                fields.registered_delivery,
                0,  # replace_if_present_flag
                part.data_coding,
                0,  # sm_default_msg_id
                part.short_message,
                part.tlvs + tlvs,
            ),
        )
        for number, part in (
            ((1, parts[0]),) if total == 1 else reversed(list(enumerate(parts, start=1)))
        )
        if number not in message.parts_done
    ]
    return Encoded(unsent, total, segments)


def _validity_period(expires_at: int | None, fields: SubmitFields, now_ms: int) -> bytes:
    if expires_at is None or fields.validity == "none":
        return b""
    if fields.validity == "absolute":
        return absolute_seconds(expires_at // 1000)
    return relative_seconds(max(1, (expires_at - now_ms) // 1000))
