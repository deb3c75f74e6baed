"""Owns the ids that the carrier gives out. Must not remember them."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from smpp.simulator.profile import Profile

FORMATS: Final = MappingProxyType(
    {
        "decimal": b"%d",
        "decimal_padded": b"%020d",
        "hex": b"%X",
        "hex_lower": b"%x",
        "hex_padded": b"%016X",
    }
)


class MessageIds:
    """Pairs of (id in the submit_sm_resp, id in the receipt), the same or in another base.

    ``first`` should be a time, so that a restarted simulator does not give an id a second time.
    """

    def __init__(self, profile: Profile, first: int) -> None:
        self._next = first
        self.take: Callable[[], tuple[bytes, bytes]] = self._take_number
        if profile.message_id_style == "uuid":
            self.take = self._take_uuid
            return
        self._format = FORMATS[profile.message_id_style]
        same = profile.receipt_id_style == "same"
        self._receipt_format = self._format if same else FORMATS[profile.receipt_id_style]

    def _take_number(self) -> tuple[bytes, bytes]:
        number = self._next
        self._next = number + 1
        message_id = self._format % number
        if self._receipt_format is self._format:
            return message_id, message_id
        return message_id, self._receipt_format % number

    def _take_uuid(self) -> tuple[bytes, bytes]:
        digits = os.urandom(16).hex()
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        message_id = "-".join(parts).encode("ascii")
        return message_id, message_id
