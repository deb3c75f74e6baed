"""Owns cutting a TCP stream into PDU frames, by command_length alone.

Must not look behind the length, except to name what a wrong one looks like. SMPP 3.4 section 3.2.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

COMMAND_LENGTH: Final = Struct(">I")
COMMAND_LENGTH_MIN: Final = 16
# A whole message_payload (65 535 octets), every other field and some TLVs.
PDU_BYTES_MAX: Final = 70_000


class FramingError(Exception):
    """The stream holds no PDU boundary any more. Only closing the connection is left (E61).

    ``frames`` are the whole PDUs before the fault in the same read. Answers among them are good,
    and must not be lost with the connection.
    """

    def __init__(self, reason: str, frames: list[bytes]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.frames = frames


class FrameBuffer:
    """Collects reads of any size and gives back whole frames. Holds less than one PDU between."""

    __slots__ = ("_broken", "_needed", "_pending", "pdu_bytes_max")

    def __init__(self, pdu_bytes_max: int = PDU_BYTES_MAX) -> None:
        self.pdu_bytes_max = pdu_bytes_max
        self._pending = bytearray()
        self._needed = COMMAND_LENGTH.size
        self._broken = ""

    @property
    def pending(self) -> int:
        """Octets held of a PDU that is not whole yet, at most ``pdu_bytes_max`` - 1."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, in order.

        Raises FramingError at a command_length under 16 or over ``pdu_bytes_max``, as soon as its
        four octets are there, and from then on at every call.
        """
        if self._broken:
            raise FramingError(self._broken, [])
        pending = self._pending
        if pending:
            # Grown in place: a large PDU that comes one octet a read costs linear time (E68).
            pending += data
            if len(pending) < self._needed:
                return []
            data = bytes(pending)
            pending.clear()
        frames: list[bytes] = []
        offset = 0
        size = len(data)
        while size - offset >= COMMAND_LENGTH.size:
            (length,) = COMMAND_LENGTH.unpack_from(data, offset)
            if not COMMAND_LENGTH_MIN <= length <= self.pdu_bytes_max:
                self._broken = _fault(data[offset : offset + COMMAND_LENGTH.size], length)
                raise FramingError(self._broken, frames)
            end = offset + length
            if end > size:
                self._needed = length
                break
            frames.append(data[offset:end])
            offset = end
        else:
            self._needed = COMMAND_LENGTH.size
        if offset < size:
            pending += data[offset:]
        return frames


def _fault(octets: bytes, length: int) -> str:
    if octets.isascii() and octets.decode("ascii").isprintable():
        word = octets.decode("ascii")
        return f"the peer speaks no SMPP: its data reads {word!r} where a command_length belongs"
    if octets[0] == 0x16 and octets[1] == 0x03:
        return "the peer speaks TLS on a port without TLS"
    return f"command_length is {length}"
