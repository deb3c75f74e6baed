"""user_message_reference: our own 16 bits on a submit_sm, which some carriers repeat in receipts.

Owns which number stands for which part. Must not match by the number alone: it comes again within
seconds, so the recipient has to fit too. Pure; bounded by the 65 536 numbers.

It is the last resort where an id matches nothing: the answer never came, or named another id.
"""

from __future__ import annotations

from dlr.id_learning import same_subscriber

REFERENCES = 1 << 16  # SMPP 3.4 section 5.3.2.17
OCTETS = 2


class MessageReferences:
    """The references of one connector, since this process started."""

    def __init__(self, *, first: int) -> None:
        """`first` (0 to 65 535) should differ from process to process."""
        self._next = first % REFERENCES
        self._parts: dict[int, tuple[int, str]] = {}

    def give(self, submission_id: int, to: str) -> bytes:
        """The next number, as the TLV holds it. The part that had it before is forgotten."""
        reference = self._next
        self._parts[reference] = (submission_id, to)
        self._next = (reference + 1) % REFERENCES
        return reference.to_bytes(OCTETS, "big")

    def find(self, value: bytes, number: str) -> int | None:
        """The submission that a receipt about `number` means by this TLV; None if there is none."""
        if len(value) != OCTETS:
            return None
        found = self._parts.get(int.from_bytes(value, "big"))
        if found is None or not same_subscriber(found[1], number):
            return None
        return found[0]
