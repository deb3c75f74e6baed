"""Whether a run adds up: nothing lost, nothing doubled, no receipt missing, none late.

Owns that judgement, of the carrier's ledger against what was accepted, and of the receipts against
both. Must not start anything. A run that does not add up has no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.receipt_sink import ReceiptSink
from dlr.status import Status
from gateway.rehearsal.simulator import Simulator
from smpp.simulator.ledger import LedgerLine
from storage import sql
from storage.pool import Connection

LATE_SECONDS = 30.0  # from the submit to the receipt, beyond the carrier's own delay
DELIVERED_BIT = 1  # of the kind that Kannel calls back with

_SQL = sql.load("benchmarks")


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages of a run went wrong in which way; all nought: it adds up.

    `lost` never came to the carrier, `doubled` came again, `strange` were never accepted. `untold`
    have no receipt, `late` have one that came too late, `told_twice` have several.
    """

    lost: int
    doubled: int
    strange: int
    untold: int
    told_twice: int
    late: int

    def must_add_up(self) -> None:
        """BenchmarkFailed unless all are nought."""
        wrong = {name: n for name, n in msgspec.structs.asdict(self).items() if n}
        if wrong:
            said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in wrong.items())
            raise BenchmarkFailed(f"the run does not add up: {said}")


def judged(
    accepted: Iterable[str],
    carried: Mapping[str, list[float]],
    told: Iterable[tuple[str, float]],
    late_seconds: float = LATE_SECONDS,
) -> Judged:
    """Messages are known by their destinations, one each.

    `carried`: when each came to the carrier. `told`: each receipt that was stored or called back,
    with its moment. Moments are seconds since 1970.
    """
    owed = set(accepted)
    receipts = Counter[str]()
    late = 0
    for destination, at in told:
        receipts[destination] += 1
        late += destination in carried and at - carried[destination][0] > late_seconds
    return Judged(
        lost=sum(destination not in carried for destination in owed),
        doubled=sum(len(moments) - 1 for moments in carried.values()),
        strange=sum(destination not in owed for destination in carried),
        untold=sum(not receipts[destination] for destination in owed),
        told_twice=sum(count - 1 for count in receipts.values()),
        late=late,
    )


def carried_by(ledger: Iterable[LedgerLine]) -> dict[str, list[float]]:
    """When each destination's message was accepted by the carrier."""
    found: dict[str, list[float]] = {}
    for line in ledger:
        if line.status == 0:
            found.setdefault(line.destination, []).append(line.at)
    return found


async def ours_adds_up(
    accepted: Iterable[str],
    carrier: Simulator,
    connection: Connection,
    late_seconds: float = LATE_SECONDS,
) -> None:
    """The ledger against what the gateway has stored. BenchmarkFailed where they disagree."""
    ledger = carrier.ledger()
    destinations = {line.message_id: line.destination for line in ledger if line.status == 0}
    stored = await connection.fetch(_SQL["delivered"], int(Status.DELIVERED))
    if unknown := sum(carrier_id not in destinations for carrier_id, _ in stored):
        raise BenchmarkFailed(f"{unknown} are delivered under ids that the carrier never gave")
    told = [(destinations[carrier_id], at) for carrier_id, at in stored]
    judged(accepted, carried_by(ledger), told, late_seconds).must_add_up()


def peers_adds_up(messages: Iterable[int], carrier: Simulator, sink: ReceiptSink) -> None:
    """The same of a peer that calls its receipts back. BenchmarkFailed."""
    told = [
        (bare(number), sink.called_at[number])
        for (number, state), calls in sink.reported.items()
        if state == DELIVERED_BIT
        for _ in range(calls)
    ]
    judged(map(bare, messages), carried_by(carrier.ledger()), told).must_add_up()


def bare(number: int) -> str:
    """The destination of this message as the carrier's ledger has it."""
    return gateways.destination(number).removeprefix("+")
