"""Receipts as they pass between carrier and gateway: what was written, and what was acknowledged.

Owns that record, which outlives the carrier's process and the gateway's. Must not change an octet.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from smpp import vocabulary
from smpp.framing import FrameBuffer, FramingError
from smpp.pdu import DeliverSm, DeliverSmResp, PduError, decode, tlv_value

STATES: Mapping[int, str] = MappingProxyType(
    {
        vocabulary.MessageState.DELIVERED: "DELIVRD",
        vocabulary.MessageState.UNDELIVERABLE: "UNDELIV",
    }
)


class Receipts:
    """Final states by the carrier's message id."""

    def __init__(self) -> None:
        self.offered: defaultdict[str, set[str]] = defaultdict(set)
        self.acknowledged: defaultdict[str, set[str]] = defaultdict(set)
        self.pressing: set[str] = set()  # offered by the carrier that lives, and not acknowledged

    def carrier_died(self) -> None:
        """What it had not got rid of, it has forgotten."""
        self.pressing.clear()

    def ear(self) -> _Session:
        """For one connection, in which the gateway is the client."""
        return _Session(self)


class _Session:
    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self._written, self._answers = FrameBuffer(), FrameBuffer()
        self._open: dict[int, tuple[str, str]] = {}

    def from_server(self, data: bytes) -> None:
        """The carrier wrote."""
        for pdu in _read(self._written, data):
            if not isinstance(pdu, DeliverSm):
                continue
            message_id = tlv_value(pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID)
            state = tlv_value(pdu.tlvs, vocabulary.TLV_MESSAGE_STATE)
            if message_id is not None and state is not None and state[0] in STATES:
                said = message_id.rstrip(b"\0").decode(), STATES[state[0]]
                self._open[pdu.sequence_number] = said
                self._receipts.offered[said[0]].add(said[1])
                self._receipts.pressing.add(said[0])

    def from_client(self, data: bytes) -> None:
        """The gateway wrote."""
        for pdu in _read(self._answers, data):
            if isinstance(pdu, DeliverSmResp):
                said = self._open.pop(pdu.sequence_number, None)
                if said is not None and pdu.command_status == vocabulary.ESME_ROK:
                    self._receipts.acknowledged[said[0]].add(said[1])
                    self._receipts.pressing.discard(said[0])


def _read(frames: FrameBuffer, data: bytes) -> list[object]:
    found: list[object] = []
    with contextlib.suppress(FramingError, PduError):
        found.extend(map(decode, frames.feed(data)))
    return found
