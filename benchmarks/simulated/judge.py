"""Whether a world kept its promises: nothing lost, nothing doubled in silence, nothing stuck.

Owns what must be true, at each moment and at the end. Must not run anything. It compares what the
carrier saw with what the store holds, and believes neither gateway nor schedule.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from benchmarks.simulated.carrier import Carrier, Taken, part_of
from benchmarks.simulated.clock import Life, VirtualLoop
from benchmarks.simulated.gateway import RATE
from benchmarks.simulated.store import Store, Stored
from dlr.status import Status, outranks
from smpp.pdu import SubmitSm, decode
from smpp.vocabulary import SUBMIT_SM

STATES: Final = {
    "DELIVRD": Status.DELIVERED, "UNDELIV": Status.UNDELIVERED, "EXPIRED": Status.EXPIRED,
}  # fmt: skip
SUBMITS: Final = SUBMIT_SM.to_bytes(4, "big")
ROUNDING: Final = 1e-6
OF_THE_CARRIER: Final = (Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.EXPIRED)


class Judge:
    """Implements the carrier's witness. `faults`: what was broken, in order of time."""

    def __init__(self, loop: VirtualLoop, store: Store) -> None:
        self.faults: list[str] = []
        self._loop = loop
        self._store = store
        self._numbers: dict[int, int] = {}  # of the message -> its id
        self._tokens: defaultdict[Life, tuple[float, float]] = defaultdict(
            lambda: (float(RATE.burst), 0.0)
        )

    def accepted(self, stored: Stored) -> None:
        """The client has its 202."""
        self._numbers[stored.number] = stored.id

    def fault(self, kind: str, what: str) -> None:
        """Something was broken now."""
        self.faults.append(f"{kind}: {what} at {self._loop.time():.3f} s")

    # --- at each moment --------------------------------------------------------------------------

    def acknowledged(self, taken: Taken) -> None:
        """Before its receipt was answered, it was committed."""
        if taken.state and not self._known(taken):
            self.fault("receipt lost", f"{taken.carrier_id} of message {taken.part[0]}")

    def written(self, life: Life, data: bytes) -> None:
        """Before its first byte an intent named a message. No more goes than the rate and one
        burst.
        """
        submits = [frame for frame in frames(data) if frame[4:8] == SUBMITS]
        if not submits:
            return
        named = self._store.named()
        for frame in submits:
            pdu = decode(frame)
            assert isinstance(pdu, SubmitSm)
            number, part = part_of(pdu)
            if self._numbers[number] not in named:
                self.fault("unnamed", f"message {number} part {part} goes without an intent")
        parts = len(submits)
        level, since = self._tokens[life]
        now = self._loop.time()
        level = min(RATE.burst, level + (now - since) * RATE.per_second) - parts
        self._tokens[life] = level, now
        if level < -ROUNDING:
            self.fault("too fast", f"{-level:.2f} parts above the rate")

    def _known(self, taken: Taken) -> bool:
        rows = self._store.submission.rows.values()
        told = any(
            row.carrier_id == taken.carrier_id and row.receipt_at is not None for row in rows
        )
        return told or any(
            row.carrier_id == taken.carrier_id for row in self._store.parked.rows.values()
        )

    # --- at the end ------------------------------------------------------------------------------

    def settled(self, carrier: Carrier) -> bool:
        """Whether nothing is left to be done."""
        return (
            not self._store.outbox.rows
            and not self._store.intent.rows
            and not self._left()
            and all(taken.acknowledged or not taken.state for taken in carrier.taken)
        )

    def end(self, carrier: Carrier) -> None:
        """Everything that must be true when nothing happens any more."""
        for row in self._store.outbox.rows.values():
            number = self._store.message.rows[row.id].number
            self.fault("stuck", f"message {number} of {row.owner or 'nobody'} in the outbox")
        for intent in self._store.intent.rows.values():
            self.fault("stuck", f"an intent of {len(intent.message_ids)} messages")
        for taken in carrier.taken:
            if taken.state and not taken.acknowledged:
                self.fault("stuck", f"receipt {taken.carrier_id} of message {taken.part[0]}")
        for stored in self._store.message.rows.values():
            if stored.id not in self._store.outbox.rows:
                for what in self._of_message(stored, carrier):
                    self.fault(*what)
        for carrier_id in self._left():
            self.fault("stuck", f"receipt {carrier_id} is parked beside its submit")

    def _left(self) -> list[str]:
        """Parked receipts that would change a submit that is there."""
        if not self._store.parked.rows:
            return []
        status = {row.carrier_id: row.status for row in self._store.submission.rows.values()}
        return [
            row.carrier_id
            for row in self._store.parked.rows.values()
            if outranks(row.status, status.get(row.carrier_id, row.status))
        ]

    def _of_message(self, stored: Stored, carrier: Carrier) -> Iterator[tuple[str, str]]:
        rows = self._store.results(stored.id)
        doubts = sum(
            json.loads(event.detail).get("policy") == "resend"
            for event in self._store.event.rows.values()
            if event.message_id == stored.id and event.kind == "in_doubt"
        )
        ended_here = any(row.part == 0 for row in rows)
        for number in range(1, stored.parts + 1):
            part = (stored.number, number)
            name = f"message {stored.number} part {number}"
            best = max((row.status for row in rows if row.part == number), default=None)
            times = carrier.accepted[part]
            if best is None and not ended_here:
                yield "lost", f"{name} has no result"
            if times > 1 + doubts:
                yield "doubled", f"{name}: {times} times at the carrier, {doubts} times in doubt"
            if best in OF_THE_CARRIER and not times:
                yield "made up", f"{name} is {Status(best).label}, and the carrier never had it"
            if best == Status.REJECTED and part not in carrier.refused:
                yield "made up", f"{name} is rejected, and the carrier never refused it"
        told = {taken.carrier_id: taken for taken in carrier.taken}
        for row in rows:
            taken = told.get(row.carrier_id or "")
            wanted = None if taken is None else STATES.get(taken.state, Status.SENT)
            if wanted is not None and row.status != wanted:
                label = Status(row.status).label
                yield "wrong", f"message {stored.number}: {label}, told {wanted.label}"


def frames(data: bytes) -> Iterator[bytes]:
    """The PDUs of a write, which has whole ones."""
    place = 0
    while place < len(data):
        end = place + int.from_bytes(data[place : place + 4], "big")
        yield data[place:end]
        place = end
