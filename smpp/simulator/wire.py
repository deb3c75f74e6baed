"""Owns what happens to octets between a simulated session and its socket: captured, spoiled, or
lost. Must not decide when a session goes bad: faults does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from smpp import vocabulary
from smpp.simulator.capture import SessionCapture

# A number that no window reaches, so that an answer to one of these is never taken for another's.
SEQUENCE: Final = 0x7FFFFFF0


def _frame(command_id: int, body: bytes) -> bytes:
    head = (16 + len(body), command_id, 0, SEQUENCE)
    return b"".join(number.to_bytes(4, "big") for number in head) + body


# Whole frames (the stream goes on) whose content is wrong, each in another way (E62 to E66).
MALFORMED: Final = (
    _frame(vocabulary.DELIVER_SM, b"\0\1\1861"),  # ends inside an address
    _frame(vocabulary.DELIVER_SM, b"\0" * 16 + b"\xff"),  # sm_length beyond the end
    _frame(vocabulary.DELIVER_SM, b"\0" * 17 + b"\x00\x1e\x00\x40id"),  # a TLV beyond the end
    _frame(0x00000FFF, b"what"),  # a command that nobody knows
    _frame(vocabulary.SUBMIT_SM_RESP, b"no end"),  # a message_id without its NUL
    _frame(vocabulary.GENERIC_NACK, b""),  # for nothing that was sent
    _frame(vocabulary.ENQUIRE_LINK, b"body"),  # a body where none belongs
)


class SpoiledWire:
    """One session's octets. ``dead``: what comes is thrown away, and nothing leaves."""

    def __init__(
        self,
        *,
        chance: random.Random,
        malformed_share: float,
        one_byte_writes: bool,
        capture: SessionCapture | None,
    ) -> None:
        self.dead = False
        self.malformed_sent = 0
        self._chance = chance
        self._malformed_share = malformed_share
        self._one_byte_writes = one_byte_writes
        self._capture = capture
        self._first = True  # the bind_resp: nothing precedes or follows it

    def received(self, data: bytes) -> bytes:
        """What the session is to see of a read."""
        if self._capture is not None:
            self._capture.received(data)
        return b"" if self.dead else data

    def sending(self, data: bytearray) -> Iterable[bytes | bytearray]:
        """What is to be written for it; ``data`` is whole PDUs."""
        if self.dead:
            return ()
        spoil = self._malformed_share > 0 and not self._first
        if spoil and self._chance.random() < self._malformed_share:
            data += self._chance.choice(MALFORMED)
            self.malformed_sent += 1
        self._first = False
        if self._capture is not None:
            self._capture.sent(bytes(data))
        if not self._one_byte_writes:
            return (data,)
        octets = bytes(data)
        return [octets[at : at + 1] for at in range(len(octets))]

    def closed(self) -> None:
        """The connection is gone."""
        if self._capture is not None:
            self._capture.closed()
