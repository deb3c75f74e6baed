"""Owns the frames that were read and not worked yet, given out in slices; and the fault, if the
stream has one. Must not decode them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from smpp.framing import FrameBuffer, FramingError


class Inbox:
    """Bounded by one read: whoever feeds it stops reading while ``len()`` is not 0."""

    __slots__ = ("_fault", "_frames", "_pending")

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._pending: deque[bytes] = deque()
        self._fault: str | None = None

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def fault(self) -> str | None:
        """Why no frame can come any more, once those before the fault have been taken (E61)."""
        return None if self._pending else self._fault

    def feed(self, data: bytes) -> None:
        """Cut what one read brought into frames."""
        try:
            self._pending.extend(self._frames.feed(data))
        except FramingError as error:
            self._pending.extend(error.frames)
            self._fault = error.reason

    def take(self, frames_max: int) -> Sequence[bytes]:
        """The next frames, in order, at most ``frames_max``."""
        pending = self._pending
        if len(pending) <= frames_max:
            self._pending = deque()
            return pending
        return [pending.popleft() for _ in range(frames_max)]
