"""A stop ends, whatever its steps wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway import stopping
from gateway.stopping import Stopping


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "HARD_SECONDS", 0.05)


class Steps:
    """Steps that say when they began and ended; those named `stuck` never end by themselves."""

    def __init__(self, *names: str) -> None:
        self.log: list[str] = []
        self.begun = {name: asyncio.Event() for name in names}

    def of(self, name: str) -> Callable[[], asyncio.Future[None]]:
        return lambda: asyncio.ensure_future(self._run(name))

    async def _run(self, name: str) -> None:
        self.begun[name].set()
        try:
            if name.startswith("stuck"):
                await asyncio.Event().wait()
            self.log.append(name)
        except asyncio.CancelledError:
            self.log.append(f"{name} cut short")
            raise

    def all(self) -> dict[str, Callable[[], asyncio.Future[None]]]:
        return {name: self.of(name) for name in self.begun}


async def test_steps_that_end_are_waited_for_in_order() -> None:
    steps = Steps("http", "sending", "database")
    assert await Stopping().run(steps.all(), 60.0) == []
    assert steps.log == ["http", "sending", "database"]


async def test_o7_what_does_not_end_is_cut_short_and_the_rest_goes_on() -> None:
    steps = Steps("http", "stuck one", "stuck two", "database")
    assert await Stopping().run(steps.all(), 0.0) == ["stuck one", "stuck two"]
    assert steps.log == ["http", "stuck one cut short", "stuck two cut short", "database"]


async def test_o7_who_asks_twice_waits_no_longer() -> None:
    steps = Steps("stuck one", "stuck two", "database")
    stop = Stopping()
    running = asyncio.create_task(stop.run(steps.all(), 3600.0))
    await steps.begun["stuck one"].wait()
    stop.hurry()
    assert await running == ["stuck one", "stuck two"]
    assert steps.log[-1] == "database"


async def test_an_error_of_a_step_is_no_lateness() -> None:
    async def fails() -> None:
        raise TimeoutError("the step's own")

    with pytest.raises(TimeoutError, match="the step's own"):
        await Stopping().run({"http": fails}, 60.0)
