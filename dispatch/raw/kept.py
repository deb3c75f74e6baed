"""Which deliveries are kept octet for octet, and the record of one.

Owns that choice, as a connector's `keep_raw` says. Pure. Must not seal or store (rows.py).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dispatch.raw.unclear import Unclear
from smpp.events import MessageRequest

KeepRaw = Literal["unclear", "all", "none"]


class Kept(msgspec.Struct, gc=False):
    """One delivery to be kept. `receipt`: it was taken for one."""

    id: int
    connector: int
    receipt: bool
    unclear: Unclear | None
    pdu: MessageRequest


def keeps(policy: KeepRaw, unclear: Unclear | None, *, receipt: bool) -> bool:
    """Whether a delivery is kept at once. A receipt that is parked is kept unless nothing is; what
    handsets write is kept, since nothing but its octets tells how it was meant.
    """
    if policy == "unclear":
        return unclear is not None or not receipt
    return policy == "all"
