"""Gzip (RFC 1952) as a stream, unpacked in slices.

Owns how much is unpacked at once. Must not decide how much may be unpacked in all, nor wait. Pure.
"""

from __future__ import annotations

import zlib

MEMBERS_MAX = 1000  # of one body; an empty one has 20 octets and costs as much as a full one
SLICE_BYTES = 128 << 10  # well below 5 ms of the event loop
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class GzipError(ValueError):
    """The octets are no gzip, or not all of it."""


class Gunzip:
    """One body. It may have several members, one behind another."""

    def __init__(self) -> None:
        self._packed = b""
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._members = 0
        self._begun = False  # the first octets of this member are there
        self._full = False  # the last slice was full: there may be more without more input

    def feed(self, packed: bytes) -> None:
        """Give it octets. Only when `waits` is False."""
        self._packed += packed

    @property
    def waits(self) -> bool:
        """Whether `slice` has something to work on."""
        return bool(self._packed) or self._full

    def slice(self) -> bytes:
        """The next octets of one member, at most SLICE_BYTES. Raises GzipError."""
        try:
            unpacked = self._member.decompress(self._packed, SLICE_BYTES)
        except zlib.error:
            raise GzipError("the body is not gzip, as its Content-Encoding says") from None
        self._begun = True
        if self._member.eof:
            self._members += 1
            if self._members > MEMBERS_MAX:
                raise GzipError(f"the gzip body has more than {MEMBERS_MAX} members")
            self._packed = self._member.unused_data
            self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._begun = self._full = False
        else:
            self._packed = self._member.unconsumed_tail
            self._full = len(unpacked) == SLICE_BYTES
        return unpacked

    def close(self) -> None:
        """The body has ended. Raises GzipError if it is not whole."""
        if self._begun:
            raise GzipError("the gzip body is cut off")
