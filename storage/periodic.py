"""A background task that takes one step after the other until it is stopped.

Owns its start and its end, and what happens without a database: the task rests, and the step waits
for its next turn. Owns, too, the repetition of a bounded step within one turn. Must not know what a
step does. A step that was cut short has to be safe to begin again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from storage.faults import UNAVAILABLE, Fenced

_log = structlog.get_logger(__name__)

Ended = Callable[[asyncio.Task[None]], object]
REST_SECONDS = 0.1  # after a failed step, also where somebody wakes it


async def while_full(
    step: Callable[[], Awaitable[int]], rows_max: int, *, times_max: int | None = None
) -> None:
    """Take a step that works on up to `rows_max` rows until it finds fewer, `times_max` times at
    most (None: as often as it takes).
    """
    taken = 0
    while await step() >= rows_max:
        taken += 1
        if taken == times_max:
            return


def failed_in_a_row() -> dict[str, int]:
    """For each task of this event loop, how many steps have failed since the last good one.

    Of two with one name it is the larger number.
    """
    found: dict[str, int] = {}
    for task in asyncio.all_tasks():
        if isinstance(task, _Running):
            name = task.get_name()
            found[name] = max(task.periodic.failed, found.get(name, 0))
    return found


class PeriodicTask:
    """A task that is not yet started."""

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[object]],
        pause_seconds: Callable[[], float],
        *,
        ended: Ended,
        pause_first: bool = False,
    ) -> None:
        """`pause_seconds` is called after each step, also after a failed one.

        `ended` is told when the task has ended by itself, which it should not.
        """
        self._name = name
        self.failed = 0  # steps since the last good one
        self._step = step
        self._pause_seconds = pause_seconds
        self._ended = ended
        self._pause_first = pause_first
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = _Running(self, self._run(), self._name)
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Stop it, in the middle of a step if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def wake(self) -> None:
        """Cut the present pause short.

        During a step it changes nothing: what is new is then seen after the next pause.
        """
        self._wake.set()

    async def _run(self) -> None:
        if self._pause_first:
            await self._pause()
        waits = f"{self._name.replace(' ', '_')}_waits_for_database"
        while True:
            try:
                await self._step()
                self.failed = 0
            except Fenced:
                return  # another process has our work; whoever renews the term ends this one
            except UNAVAILABLE as error:
                self.failed += 1
                _log.warning(waits, error=repr(error))
                await asyncio.sleep(REST_SECONDS)
            await self._pause()

    async def _pause(self) -> None:
        seconds = self._pause_seconds()
        self._wake.clear()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


class _Running(asyncio.Task[None]):
    """A task that is known to the event loop, and by which its PeriodicTask is found."""

    def __init__(self, periodic: PeriodicTask, run: Coroutine[Any, Any, None], name: str) -> None:
        super().__init__(run, loop=asyncio.get_running_loop(), name=name)
        self.periodic = periodic
