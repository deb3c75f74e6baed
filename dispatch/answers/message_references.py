"""user_message_reference: our own 16 bits on a submit_sm, which some carriers repeat in receipts.

Owns which number stands for which part. Pure; bounded by the number of numbers. Must not match by
the number alone: 16 bits are used again within seconds, so the recipient has to fit as well. It is
the last resort where an id matches nothing: the answer never came, or it named another id.
"""

from __future__ import annotations

from dlr.id_learning import same_subscriber

REFERENCES = 1 << 16  # SMPP 3.4 section 5.3.2.17
OCTETS = 2


class MessageReferences:
    """One connector's, of this life of the process."""

    def __init__(self, *, first: int) -> None:
        """`first` should differ from process to process."""
        self._next = first % REFERENCES
        self._parts: dict[int, tuple[int, str]] = {}

    def give(self, submission_id: int, to: str) -> bytes:
        """The next number, as the TLV holds it; whoever had it before is forgotten."""
        reference = self._next
        self._parts[reference] = (submission_id, to)
        self._next = (reference + 1) % REFERENCES
        return reference.to_bytes(OCTETS, "big")

    def find(self, value: bytes, number: str) -> int | None:
        """The submission that a receipt about `number` means by this TLV."""
        if len(value) != OCTETS:
            return None
        found = self._parts.get(int.from_bytes(value, "big"))
        if found is None or not same_subscriber(found[1], number):
            return None
        return found[0]
