"""What the simulator's ledger says was really sent.

Owns the comparison of the carrier's own record with the gateway's report: nothing lost, nothing
twice. Must not start or ask anything.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from smpp.simulator.ledger import LedgerLine, read_ledger


class Judgement(msgspec.Struct, frozen=True):
    """`repeats`: submit_sm that carry what an earlier, accepted one carried."""

    submits: int
    accepted: int
    refused: int
    repeats: int


def judge(path: Path) -> Judgement:
    """Count the ledger. Number and text must make each part of each message unique."""
    lines = list(read_ledger(path))
    accepted = [line for line in lines if line.status == 0]
    seen = Counter(map(_what, accepted))
    return Judgement(
        submits=len(lines),
        accepted=len(accepted),
        refused=len(lines) - len(accepted),
        repeats=sum(count - 1 for count in seen.values()),
    )


def _what(line: LedgerLine) -> tuple[str, str, int, int | None]:
    return (line.destination, line.short_message, line.part, line.reference)
