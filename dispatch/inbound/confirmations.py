"""Confirmations: the one reply to who has just opted out, and to who asks for help.

Owns what is owed of one of the two, and its bound. Must not write to the wire: it hands an ordinary
message to the accepter. That goes once, in spite of a suppression (`MessageOptions.exempt`).

It is sent after the commit. A process that dies in between owes it no more; that is better than to
send it twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import structlog

from dispatch.inbound.opt_outs import Confirmation
from storage.faults import Overloaded, StorageDown

OWED_MAX = 10_000
SLICE_ITEMS = 100

_log = structlog.get_logger(__name__)


class SendConfirmations(Protocol):
    """Hands confirmations to the accepter."""

    async def __call__(self, confirmations: Sequence[Confirmation], now_ms: int) -> int:
        """Returns how many were taken; the others never will be. Raises Overloaded, StorageDown."""


class Confirmations:
    """The confirmations that are owed, until `send` hands them over."""

    def __init__(self) -> None:
        self._owed: deque[Confirmation] = deque()
        self._hand_over: SendConfirmations | None = None
        self.sent = 0
        self.dropped = 0

    def connect(self, hand_over: SendConfirmations) -> None:
        """Set the way out, once it is built."""
        self._hand_over = hand_over

    def owe(self, confirmations: Sequence[Confirmation]) -> None:
        """Owe these: their opt-outs are committed."""
        room = OWED_MAX - len(self._owed)
        self._owed.extend(confirmations[:room])
        self.dropped += max(0, len(confirmations) - room)

    async def send(self, now_ms: int) -> None:
        """Hand over the next ones that are owed."""
        if self._hand_over is None or not self._owed:
            return
        batch = [self._owed.popleft() for _ in range(min(SLICE_ITEMS, len(self._owed)))]
        try:
            taken = await self._hand_over(batch, now_ms)
        except (Overloaded, StorageDown) as error:
            _log.warning("opt_out_replies_wait", error=str(error))
            self._owed.extendleft(reversed(batch))
            return
        self.sent += taken
        self.dropped += len(batch) - taken
