"""A stop in steps, each with an end: first politely, then hard.

Owns the deadlines. Must not know what a step does. What a step does not finish in time is left to
the next start, which finds it in the database as after a kill.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import structlog

HARD_SECONDS = 2.0  # of each step, once the time of all is over

_log = structlog.get_logger(__name__)


class Stopping:
    """One stop."""

    def __init__(self) -> None:
        self._hurry = asyncio.Event()
        self._until: float | None = None
        self._step: asyncio.Timeout | None = None

    async def patience(self, seconds: float) -> None:
        """Wait so many seconds before the first step, unless somebody hurries."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def hurry(self) -> None:
        """Somebody has asked twice: no more patience."""
        self._hurry.set()
        if self._until is not None:
            self._until = asyncio.get_running_loop().time()
            if self._step is not None and not self._step.expired():
                self._step.reschedule(self._until + HARD_SECONDS)

    async def run(
        self, steps: Mapping[str, Callable[[], Awaitable[object]]], seconds: float
    ) -> list[str]:
        """Run one step after the other, with `seconds` for all before it gets hard.

        Returns those that were not finished.
        """
        loop = asyncio.get_running_loop()
        self._until = loop.time() + (0.0 if self._hurry.is_set() else seconds)
        overdue: list[str] = []
        for name, step in steps.items():
            scope = self._step = asyncio.timeout_at(max(self._until, loop.time() + HARD_SECONDS))
            try:
                async with scope:
                    await step()
            except TimeoutError:
                if not scope.expired():
                    raise
                overdue.append(name)
                _log.error("stop_step_overdue", step=name)
        return overdue
