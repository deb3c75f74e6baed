"""Owns the requests that we wrote and the peer has not answered.

That is their sequence numbers, contexts and deadlines. Must not know what the requests say, nor
read a clock.

Deadlines are handed in in order: a session's response timeout does not change, and its clock does
not go back. So the oldest request is always the first key of an insertion-ordered dict. Expiry
looks at the expired ones and one more, never at the whole window.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from smpp.vocabulary import SEQUENCE_NUMBER_MAX, SEQUENCE_NUMBER_MIN


class Numbered(Protocol):
    """A request PDU: all that the window touches is its sequence number."""

    sequence_number: int


Request = TypeVar("Request", bound=Numbered)

LATE_MAX: Final = 2_000  # expired requests whose answer would still be recognised, some 1 KB each


class Window:
    """At most ``capacity`` requests in flight, each with the caller's context.

    Also numbers the session's other requests (bind, enquire_link, unbind), for they share one
    sequence (SMPP 3.4 section 3.2). It goes from 1 to 0x7FFFFFFF, then from 1 again, and skips what
    is in flight (E67).
    """

    __slots__ = ("_entries", "_last_sequence", "_late", "capacity")

    def __init__(self, capacity: int, *, last_sequence: int = 0) -> None:
        if capacity < 1:
            raise ValueError(f"a window holds at least one request, not {capacity}")
        self.capacity = capacity
        self._last_sequence = last_sequence
        self._entries: dict[int, tuple[float, object]] = {}
        self._late: OrderedDict[int, object] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def free(self) -> int:
        """How many more requests fit; none while a capacity that was lowered is exceeded."""
        return max(0, self.capacity - len(self._entries))

    def next_sequence(self) -> int:
        """A number for one request that the window does not hold."""
        sequence = self._last_sequence
        while True:
            sequence = sequence + 1 if sequence < SEQUENCE_NUMBER_MAX else SEQUENCE_NUMBER_MIN
            if sequence not in self._entries:
                self._last_sequence = sequence
                return sequence

    def admit(self, batch: Sequence[tuple[Request, object]], deadline: float) -> list[Request]:
        """Number and hold as many (request, context) pairs as fit; return the numbered requests."""
        entries = self._entries
        sequence = self._last_sequence
        admitted: list[Request] = []
        for request, context in batch[: self.free]:
            sequence = sequence + 1 if sequence < SEQUENCE_NUMBER_MAX else SEQUENCE_NUMBER_MIN
            while sequence in entries:
                sequence = sequence + 1 if sequence < SEQUENCE_NUMBER_MAX else SEQUENCE_NUMBER_MIN
            request.sequence_number = sequence
            entries[sequence] = (deadline, context)
            admitted.append(request)
        self._last_sequence = sequence
        return admitted

    def withdraw(self, requests: Sequence[Numbered]) -> None:
        """Take back requests that were admitted but could not be written."""
        for request in requests:
            del self._entries[request.sequence_number]

    def settle(self, sequence: int) -> tuple[float, object] | None:
        """Take out the answered request: (deadline, context), or None if none is in flight."""
        return self._entries.pop(sequence, None)

    def settle_late(self, sequence: int) -> object | None:
        """The context of an expired request that is answered after all, once. Only the last
        LATE_MAX are known.
        """
        return self._late.pop(sequence, None)

    def next_deadline(self) -> float | None:
        """When the oldest request in flight expires."""
        for deadline, _ in self._entries.values():
            return deadline
        return None

    def expire(self, now: float) -> list[object]:
        """Take out the contexts of all requests whose deadline is not after ``now``."""
        expired: list[int] = []
        for sequence, (deadline, _) in self._entries.items():
            if deadline > now:
                break
            expired.append(sequence)
        contexts = [self._entries.pop(sequence)[1] for sequence in expired]
        self._late.update(zip(expired, contexts, strict=True))
        for _ in range(len(self._late) - LATE_MAX):
            self._late.popitem(last=False)
        return contexts

    def hand_over(self) -> list[object]:
        """Empty the window: the contexts of everything in flight, oldest first (E33)."""
        contexts = [context for _, context in self._entries.values()]
        self._entries.clear()
        return contexts
