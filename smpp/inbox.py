"""Owns the frames that were read and not worked yet, given out in slices; and the stream's fault.

Must not decode them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from smpp.framing import FrameBuffer, FramingError

# Far from the peer, a full window is answered in a burst after a silence. Its first slots need not
# wait until the last answer was looked at, so such a burst is worked in smaller slices. Near it,
# where reads follow each other, smaller slices cost more.
PDUS_PER_REFILL: Final = 25
SILENCE_SECONDS: Final = 0.005


class Inbox:
    """Bounded by one read: whoever feeds it stops reading while ``len()`` is not 0."""

    __slots__ = ("_after_silence", "_fault", "_frames", "_pending")

    def __init__(self) -> None:
        self._frames = FrameBuffer()
        self._pending: deque[bytes] = deque()
        self._fault: str | None = None
        self._after_silence = False

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def fault(self) -> str | None:
        """Why no frame can come any more, once those before the fault have been taken (E61)."""
        return None if self._pending else self._fault

    def feed(self, data: bytes, silence: float) -> None:
        """Cut what one read brought into frames; ``silence`` are the seconds since the last."""
        self._after_silence = silence >= SILENCE_SECONDS
        try:
            self._pending.extend(self._frames.feed(data))
        except FramingError as error:
            self._pending.extend(error.frames)
            self._fault = error.reason

    def take(self, frames_max: int, *, refilling: bool) -> Sequence[bytes]:
        """The next frames, in order, at most ``frames_max``; fewer of a burst that may make room in
        a full window (``refilling``).
        """
        if refilling and self._after_silence:
            frames_max = min(frames_max, PDUS_PER_REFILL)
        pending = self._pending
        if len(pending) <= frames_max:
            self._pending = deque()
            return pending
        return [pending.popleft() for _ in range(frames_max)]
