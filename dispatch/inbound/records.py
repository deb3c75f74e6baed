"""What a connector's intake hands to the inbound recorder.

Owns shapes only. Must not decide anything.
"""

from __future__ import annotations

import msgspec

from dispatch.raw.kept import Kept
from dispatch.raw.unclear import Unclear
from smpp.client import Bind
from smpp.decoding import Guess
from smpp.events import Delivery


class PartRow(msgspec.Struct, gc=False):
    """One row of `inbound_part`."""

    id: int
    connector: int
    from_enc: bytes
    destination: str
    reference: int
    total: int
    sequence: int
    data_coding: int
    octets: bytes


class Received(msgspec.Struct, gc=False):
    """A message, whole or as far as it came, whose account is not known yet.

    `held`: the ids of the `inbound_part` rows it was made of. `unclear`: why it may not be what it
    says. `read_as`: the alphabet of its text, where data_coding alone does not say it.
    `certainly_new`: equal content was answered on a session that lives, so the carrier is not
    repeating itself.
    `arrived`: monotonic seconds at which the last of it came.
    """

    id: int
    connector: int
    source: str
    destination: str
    text: str
    parts: int
    parts_missing: int
    fingerprint: bytes
    held: tuple[int, ...] = ()
    certainly_new: bool = False
    unclear: Unclear | None = None
    read_as: Guess | None = None
    arrived: float = 0.0


class Arrival(msgspec.Struct):
    """What one deliver_sm, or a timeout, brought. Stored in one transaction, then answered.

    `repeated`: held parts that turned out to be known; they go. `kept`: kept octet for octet.
    """

    bind: Bind | None = None
    delivery: Delivery | None = None
    part: PartRow | None = None
    messages: tuple[Received, ...] = ()
    repeated: tuple[int, ...] = ()
    kept: Kept | None = None
