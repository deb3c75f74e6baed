"""Which deliveries are kept octet for octet, and the record of one.

Owns that choice, which follows a connector's `keep_raw`. Must not encrypt or store (rows.py). Pure.
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
    """Whether a delivery is kept at once.

    "unclear" keeps what was not understood as it stood, and all that is no receipt: only the octets
    tell how it was meant. "all" keeps everything, other policies nothing.
    """
    if policy == "unclear":
        return unclear is not None or not receipt
    return policy == "all"
