"""A loop whose time passes only while nobody has anything to do, and lives that can end at once.

Owns virtual time, and what belongs to which life: every callback and task. Must not know what runs
on it. A life that is killed runs no line more, as after kill -9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, Final, Protocol, TypeVarTuple
from unittest.mock import patch

from smpp.client import Bind
from smpp.server import ServerSession

BEGAN_MS: Final = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp()) * 1000
# Who asks a clock or chance past the loop: the same then, and every run is the same again.
_CLOCKS: Final = ("storage.group_commit.time", "storage.pool.time")
_CHANCES: Final = ("smpp.client.random",)
# They stand in sets, whose order else follows from where in memory they lie.
_IN_SETS: Final = (Bind, ServerSession)


class Life:
    """What one process runs, from its start to its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = False


Ts = TypeVarTuple("Ts")

OUTSIDE: Final = Life("outside")
_LIFE: ContextVar[Life] = ContextVar("life", default=OUTSIDE)


class _Passing:
    """Stands where a loop asks the system for what is ready: nothing ever is, and time passes."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise RuntimeError("nobody will ever have anything to do again")
        self.now += timeout
        return ()


class Net(Protocol):
    """What carries bytes between lives."""

    def listen(self, port: int, listener: Callable[[], asyncio.Protocol]) -> None:
        """Take connections to this port."""

    def deafen(self, port: int) -> None:
        """Take none any more."""

    async def connect(self, make: Callable[[], asyncio.Protocol], port: int) -> None:
        """Connect to it."""


class Listening:
    """What asyncio calls a server."""

    def __init__(self, network: Net, port: int) -> None:
        self.sockets = (self,)
        self._network = network
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        """Its address."""
        return "memory", self._port

    def close(self) -> None:
        """Take no connections any more."""
        self._network.deafen(self._port)


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without a system below it. `time()` begins at 0, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Passing()
        self._clock_resolution = 1e-9
        self.set_exception_handler(self._failed)
        self.network: Net
        self.failures: list[str] = []  # what a callback raised; there should be none

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._selector.now

    def hold_up(self, seconds: float) -> None:
        """Let time pass within a callback, as when the process does not get the processor."""
        self._selector.now += seconds

    def _process_events(self, event_list: object) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, and never for a life that is over."""
        if self.is_closed():  # what is left of a world is being collected
            return asyncio.Handle(callback, (), self)
        return super().call_soon(_in_life(callback, context), *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, and never for a life that is over."""
        return super().call_at(when, _in_life(callback, context), *args, context=context)

    async def create_connection(  # type: ignore[override]
        self, make: Callable[[], asyncio.Protocol], host: str, port: int, **_: object
    ) -> None:
        """Over the network of this loop. Raises OSError where nobody listens."""
        await self.network.connect(make, port)

    async def create_server(  # type: ignore[override]
        self, make: Callable[[], asyncio.Protocol], host: str, port: int, **_: object
    ) -> Listening:
        """On the network of this loop."""
        self.network.listen(port, make)
        return Listening(self.network, port)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None:
            self.failures.append(f"{context['message']}: {error!r}")


def _in_life(callback: Callable[[*Ts], object], context: Context | None) -> Callable[[*Ts], object]:
    life = _LIFE.get() if context is None else context.get(_LIFE, OUTSIDE)
    if life is OUTSIDE:
        return callback

    def run(*args: *Ts) -> None:
        if not life.ended:
            callback(*args)

    return run


def begin(life: Life, line: Callable[[], object]) -> None:
    """Run a line of a life: its first, or what reaches it from outside. What it sets going belongs
    to it.
    """
    context_of(life).run(line)


def context_of(life: Life) -> Context:
    """A context for what reaches a life from outside."""
    context = Context()
    context.run(_LIFE.set, life)
    return context


def current() -> Life:
    """Whose line runs now."""
    return _LIFE.get()


def _places() -> Callable[[object], int]:
    """A hash that is the same in every run: how many things were hashed before."""
    made = count(1)

    def place(thing: object) -> int:
        known: int | None = vars(thing).get("_place")
        if known is None:
            known = vars(thing)["_place"] = next(made)
        return known

    return place


@contextmanager
def virtual_time(loop: VirtualLoop, chance: Random) -> Iterator[None]:
    """Whoever does not ask the loop for the time, or asks for chance, gets what this run has."""
    clock = SimpleNamespace(
        perf_counter=loop.time, monotonic=loop.time, time=lambda: BEGAN_MS / 1000 + loop.time()
    )
    with ExitStack() as stack:
        for name in _CLOCKS:
            stack.enter_context(patch(name, clock))
        for name in _CHANCES:
            stack.enter_context(patch(name, chance))
        place = _places()
        for kind in _IN_SETS:
            stack.enter_context(patch.object(kind, "__hash__", place))
        yield
