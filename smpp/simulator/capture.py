"""Owns the capture: one JSON line for every PDU, both ways, for reading after a rehearsal.

Must not be trusted as a ledger: writes are buffered and the file has a size it stops at. The file
is readable by its owner only, for it holds numbers and texts; passwords are struck out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from smpp import vocabulary
from smpp.framing import FrameBuffer, FramingError
from smpp.pdu import BindRequest, PduError, decode, encode

BUFFER_BYTES: Final = 64 * 1024
CAPTURE_BYTES_MAX: Final = 256 * 1024 * 1024
BINDS: Final = frozenset(
    {vocabulary.BIND_TRANSMITTER, vocabulary.BIND_RECEIVER, vocabulary.BIND_TRANSCEIVER}
)
HEADER_OCTETS: Final = 16

Direction = Literal["in", "out"]


class CaptureError(Exception):
    """The file cannot be written."""


class CaptureLine(msgspec.Struct, gc=False):
    """One PDU. ``at`` is Unix time, ``session`` counts connections from 1, ``hex`` is the whole
    PDU.

    ``direction`` is the simulator's. ``fault`` says why a stream could not be read on.
    """

    at: float
    session: int
    direction: Direction
    command: str = ""
    status: str = ""
    sequence: int = 0
    hex: str = ""
    fault: str = ""


class Capture:
    """Appends to ``path`` until it holds ``bytes_max``; ``pdus_dropped`` counts what came after."""

    def __init__(
        self, path: Path, clock: Callable[[], float], bytes_max: int = CAPTURE_BYTES_MAX
    ) -> None:
        self.pdus_dropped = 0
        self._clock = clock
        self._bytes_max = bytes_max
        self._sessions = 0
        self._buffer = bytearray()
        self._encoder = msgspec.json.Encoder()
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise CaptureError(f"capture {path}: {error.strerror or error}") from error

    def session(self) -> SessionCapture:
        """For one more connection."""
        self._sessions += 1
        return SessionCapture(self, self._sessions)

    def add(self, session: int, direction: Direction, frame: bytes) -> None:
        """Note one PDU."""
        command_id, status, sequence = (
            int.from_bytes(frame[at : at + 4], "big") for at in (4, 8, 12)
        )
        self._write(
            CaptureLine(
                self._clock(),
                session,
                direction,
                vocabulary.command_name(command_id),
                vocabulary.status_name(status),
                sequence,
                _without_password(command_id, frame).hex(),
            )
        )

    def add_fault(self, session: int, direction: Direction, fault: str) -> None:
        """Note that a stream cannot be read on."""
        self._write(CaptureLine(self._clock(), session, direction, fault=fault))

    def _write(self, line: CaptureLine) -> None:
        octets = self._encoder.encode(line)
        if self._size + len(octets) + 1 > self._bytes_max:
            self.pdus_dropped += 1
            return
        self._size += len(octets) + 1
        self._buffer += octets
        self._buffer += b"\n"
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered. OSError when the disk is full."""
        octets = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while octets:
            octets = octets[os.write(self._file, octets) :]

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._file)


class SessionCapture:
    """Cuts the two streams of one connection into PDUs."""

    def __init__(self, capture: Capture, session: int) -> None:
        self._capture = capture
        self._session = session
        self._in = FrameBuffer()
        self._out = FrameBuffer()
        self._broken: set[Direction] = set()

    def received(self, data: bytes) -> None:
        """One read."""
        self._take("in", self._in, data)

    def sent(self, data: bytes) -> None:
        """One write."""
        self._take("out", self._out, data)

    def closed(self) -> None:
        """The connection is gone: what was captured is in the file."""
        self._capture.flush()

    def _take(self, direction: Direction, frames: FrameBuffer, data: bytes) -> None:
        if direction in self._broken:
            return
        fault = ""
        try:
            whole = frames.feed(data)
        except FramingError as error:
            whole, fault = error.frames, error.reason
            self._broken.add(direction)
        for frame in whole:
            self._capture.add(self._session, direction, frame)
        if fault:
            self._capture.add_fault(self._session, direction, fault)


def _without_password(command_id: int, frame: bytes) -> bytes:
    if command_id not in BINDS:
        return frame
    try:
        pdu = decode(frame)
    except PduError:
        return frame[:HEADER_OCTETS]
    if not isinstance(pdu, BindRequest):
        return frame[:HEADER_OCTETS]
    pdu.password = b"*" * len(pdu.password)
    return encode(pdu)
