"""How a benchmark runs its coroutine: on uvloop, and so that nothing it started outlives it.

Owns that, and the line of progress. Must not know a benchmark.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import TypeVar

import uvloop

T = TypeVar("T")


def run(coroutine: Coroutine[object, object, T]) -> T:
    """To its end. SIGTERM ends it as SIGINT does: what it started is taken down first."""

    async def cancelled_by_signals() -> T:
        task = asyncio.ensure_future(coroutine)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return uvloop.run(cancelled_by_signals())
    except asyncio.CancelledError:
        raise SystemExit("interrupted; everything that was started is stopped") from None


def say(line: str) -> None:
    """What is being done, for whoever waits."""
    print(line, file=sys.stderr, flush=True)
