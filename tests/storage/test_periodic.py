"""A background task: one step after the other, whatever becomes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from storage.faults import DatabaseDown, Fenced
from storage.periodic import PeriodicTask, failed_in_a_row, while_full

NEVER = 3_600.0


class Steps:
    """What a step does, one after the other; then nothing."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self.outcomes = list(outcomes)
        self.taken = 0
        self.ended: list[str] = []
        self.changed = asyncio.Event()

    async def step(self) -> None:
        self.taken += 1
        self.changed.set()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome

    def end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self.ended.append("canceled" if task.cancelled() else repr(error))
        self.changed.set()

    def every(self, seconds: float, *, pause_first: bool = False) -> PeriodicTask:
        return PeriodicTask(
            "steps", self.step, lambda: seconds, ended=self.end, pause_first=pause_first
        )

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not done():
                self.changed.clear()
                await self.changed.wait()


async def test_a_step_that_finds_no_database_is_taken_again() -> None:
    steps = Steps(DatabaseDown("away"), ConnectionResetError(), None)
    task = steps.every(0.0)
    task.start()
    await steps.until(lambda: steps.taken >= 4)
    await task.stop()
    taken = steps.taken
    assert steps.ended == ["canceled"]
    await asyncio.sleep(0)
    assert steps.taken == taken


async def test_without_a_database_it_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there was more to do at once, and where somebody wakes it all the time."""
    monkeypatch.setattr("storage.periodic.REST_SECONDS", NEVER)
    steps = Steps(*[DatabaseDown("trying again soon")] * 1_000)
    task = steps.every(0.0)
    task.start()
    for _ in range(100):
        task.wake()
        await asyncio.sleep(0)
    assert steps.taken == 1
    await task.stop()


async def test_a_task_that_fails_each_time_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a step is good again, and no longer than it runs."""
    monkeypatch.setattr("storage.periodic.REST_SECONDS", 0.0)
    steps = Steps(None, DatabaseDown("away"), DatabaseDown("away"), None)
    task = steps.every(NEVER)
    assert failed_in_a_row() == {}
    task.start()
    await steps.until(lambda: steps.taken == 1)
    for taken, failed in ((2, 1), (3, 2), (4, 0)):
        await woken(steps, task, taken)
        await asyncio.sleep(0)
        assert failed_in_a_row() == {"steps": failed}
    await task.stop()
    assert failed_in_a_row() == {}


@pytest.mark.parametrize("error", [Fenced("its term has ended"), ZeroDivisionError("a defect")])
async def test_what_ends_it_is_told(error: Exception) -> None:
    """Without an exception after a take-over: whoever renews the term ends the process."""
    steps = Steps(error)
    task = steps.every(0.0)
    task.start()
    await steps.until(lambda: bool(steps.ended))
    assert steps.ended == [repr(None if isinstance(error, Fenced) else error)]
    assert steps.taken == 1
    await task.stop()


async def test_it_is_woken_from_a_pause_also_from_the_first() -> None:
    steps = Steps()
    task = steps.every(NEVER, pause_first=True)
    await task.stop()  # not started: nothing to stop
    task.start()
    await woken(steps, task, 1)
    await woken(steps, task, 2)
    await task.stop()


async def woken(steps: Steps, task: PeriodicTask, taken: int) -> None:
    for _ in range(5):  # it has come to its pause
        await asyncio.sleep(0)
    assert steps.taken == taken - 1
    task.wake()
    await steps.until(lambda: steps.taken == taken)


@pytest.mark.parametrize(
    ("found", "times_max", "taken"),
    [((5, 5, 4), None, 3), ((0,), None, 1), ((7, 0), 9, 2), ((5, 5, 5, 5), 3, 3), ((5,), 1, 1)],
)
async def test_a_bounded_step_is_taken_while_it_is_full(
    found: tuple[int, ...], times_max: int | None, taken: int
) -> None:
    left = list(found)

    async def step() -> int:
        return left.pop(0)

    await while_full(step, 5, times_max=times_max)
    assert len(found) - len(left) == taken
