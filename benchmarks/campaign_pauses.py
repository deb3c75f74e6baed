"""Pauses of a campaign that is being sent: how long after each the carrier still gets something.

Owns the turns of pause and resume, and reading the ledger as it grows. Must not know a campaign.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from benchmarks.faults.lines import Lines
from benchmarks.gateways import BenchmarkFailed

QUIET_SECONDS = 0.3  # without a submit: it stands
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 10.0


class _Line(msgspec.Struct):
    at: float


async def pauses_ms(
    ledger: Path, move: Callable[[str], Awaitable[None]], count: int
) -> list[float]:
    """From each request to pause until the last submit that came after it; 0 where none came."""
    lines = Lines(ledger)
    found = []
    for _ in range(count):
        await _grows(lines)
        asked = time.time()
        await move("pause")
        last = await _last(lines)
        found.append(max(0.0, last - asked) * 1000)
        await move("resume")
    return found


async def _grows(lines: Lines) -> None:
    lines.new()
    until = time.monotonic() + PATIENCE_SECONDS
    while not lines.new():
        if time.monotonic() > until:
            raise BenchmarkFailed("nothing is sent, so there is nothing to pause")
        await asyncio.sleep(POLL_SECONDS)


async def _last(lines: Lines) -> float:
    """The moment of the last submit; 0 if there was none."""
    last, moved = 0.0, time.monotonic()
    while time.monotonic() - moved < QUIET_SECONDS:
        if new := lines.new():
            last, moved = msgspec.json.decode(new[-1], type=_Line).at, time.monotonic()
        if last and time.monotonic() - moved > PATIENCE_SECONDS:
            raise BenchmarkFailed("it is paused, and submits go on")
        await asyncio.sleep(POLL_SECONDS)
    return last
