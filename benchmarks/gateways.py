"""The gateway to be measured: how it is configured, what is sent to it, what its work takes.

Owns what benchmarks ask of a running gateway. Must not judge.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from gateway.rehearsal.configuration import Configuration, Connector, Route
from gateway.rehearsal.running import Running, gateway

POLL_SECONDS = 0.05
STALL_SECONDS_MAX = 30.0
SENDER = "SHOP"
TEXT = "Your parcel {n} is on its way and will arrive tomorrow between 9 and 12."

# As quick as a carrier can be: answers and receipts at once, none held back until earlier ones are
# acknowledged.
INSTANT = """\
answer_latency_ms = 0
receipt_delay_ms = 0
receipt_window = 5000
scripted_destinations = false
directives = false
"""


def receipts_after(milliseconds: int) -> str:
    """The same, but for receipts that come so much later."""
    return INSTANT.replace("receipt_delay_ms = 0", f"receipt_delay_ms = {milliseconds}")


class BenchmarkFailed(Exception):
    """There is no figure; one line says why."""


def connector(
    name: str, port: int, binds: int = 2, window: int = 500, *, rate: str = ""
) -> Connector:
    """One to a carrier at this port."""
    pace = f'\nrate = "{rate}"' if rate else ""
    return Connector(name, port, f"binds = {binds}\nwindow = {window}{pace}")


async def until_final(running: Running, count: int) -> float:
    """Wait until so many parts have their final status committed. Returns the last one's
    time.perf_counter().

    Raises BenchmarkFailed when nothing moves any more.
    """

    async def final() -> float:
        return (await running.submitted())[1]

    return await until_counted(final, count, "receipts")


async def until_submitted(running: Running, count: int) -> float:
    """Wait until so many parts are written to the carrier. Returns and raises as until_final."""

    async def submitted() -> float:
        return (await running.submitted())[0]

    return await until_counted(submitted, count, "submits")


async def until_counted(
    counted: Callable[[], Awaitable[float]],
    wanted: float,
    what: str,
    patience: float = STALL_SECONDS_MAX,
) -> float:
    """Wait until so many are counted. Returns the time.perf_counter() of the last move.

    Raises BenchmarkFailed when nothing has moved for `patience` seconds.
    """
    before, moved_at = -1.0, time.perf_counter()
    while before < wanted:
        now = await counted()
        if now != before:
            before, moved_at = now, time.perf_counter()
        if time.perf_counter() - moved_at > patience:
            raise BenchmarkFailed(f"stalled at {before:.0f} of {wanted:.0f} {what}")
        await asyncio.sleep(POLL_SECONDS)
    return moved_at


def resident_mib(running: Running) -> float:
    """The gateway's memory, without PostgreSQL's."""
    return round(psutil.Process(running.pid).memory_info().rss / (1 << 20), 1)


def processes_of(running: Running) -> dict[str, list[int]]:
    """Whose processor time its work takes."""
    return {"gateway": [running.pid], "postgresql": [running.postmaster]}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="smsgate-bench-") as name:
        path = Path(name)
        # Root's embedded PostgreSQL runs as another account, which must be able to pass the folder.
        path.chmod(0o711)
        yield path


@contextlib.asynccontextmanager
async def running_with(
    path: Path,
    connectors: Sequence[Connector],
    routes: Sequence[Route] = (),
    more: str = "",
    scopes: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """A gateway with these connectors and an embedded PostgreSQL, all of it gone at the end.

    `scopes` of its key; without them the usual ones.
    """
    async with gateway(written(path, connectors, routes, more), scopes=scopes) as running:
        yield running


def written(
    path: Path, connectors: Sequence[Connector], routes: Sequence[Route] = (), more: str = ""
) -> Path:
    """Its configuration."""
    wanted = Configuration(data_dir=path / "data", connectors=connectors, routes=routes, more=more)
    return wanted.write(path / "smsgate.toml")


def messages(
    count: int, first: int = 0, *, text: str = TEXT, **more: object
) -> list[dict[str, object]]:
    """Messages of one part, each to a number of its own."""
    return [
        {"to": destination(n), "from": SENDER, "text": text.format(n=n), **more}
        for n in range(first, first + count)
    ]


def destination(number: int) -> str:
    """A different subscriber for each message."""
    return f"+86138{number % 10**8:08d}"


class Processors:
    """Processor seconds of the processes involved, PostgreSQL's sessions included."""

    def __init__(self, pids: Mapping[str, Sequence[int]]) -> None:
        """The children of each process count as well, also those that have ended."""
        self._processes = {
            name: [psutil.Process(pid) for pid in own] for name, own in pids.items()
        } | {"load": [psutil.Process()]}
        self._before = self._seconds()

    def used(self) -> dict[str, float]:
        """Since the start, in seconds."""
        now = self._seconds()
        return {name: round(now[name] - self._before[name], 3) for name in now}

    def microseconds(self, messages: int) -> dict[str, float]:
        """Since the start, for each message; as results name them."""
        return {f"{name}_us": round(each / messages * 1e6, 1) for name, each in self.used().items()}

    def _seconds(self) -> dict[str, float]:
        return {
            name: sum(map(_seconds_of, own)) if name != "load" else _own_seconds(own[0])
            for name, own in self._processes.items()
        }


def _own_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _seconds_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
        ended = float(times.children_user + times.children_system)
        return _own_seconds(process) + ended + sum(map(_seconds_of, process.children()))
    except psutil.NoSuchProcess:
        return 0.0
