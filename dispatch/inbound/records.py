"""What the intake of a connector hands to the inbound recorder.

Owns shapes only.
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
    """A message, whole or as far as it came, before anybody looked whom it is for.

    `held` are the ids of `inbound_part` that it was made of. `certainly_new`: the same content came
    before on a session that lives and was answered there, so the carrier is not repeating itself.
    `unclear`: why it may be something else than a message from a handset, or than what it says.
    `read_as`: in which alphabet its text was read, where data_coding alone does not say.
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


class Arrival(msgspec.Struct):
    """What one deliver_sm brought, or the passing of time: stored in one transaction, then
    answered.

    `repeated` are held parts that turned out to be known: they go. `kept`: to be kept octet for
    octet.
    """

    bind: Bind | None = None
    delivery: Delivery | None = None
    part: PartRow | None = None
    messages: tuple[Received, ...] = ()
    repeated: tuple[int, ...] = ()
    kept: Kept | None = None
