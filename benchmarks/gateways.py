"""The gateway to be measured, with its simulated carriers, as processes of their own.

Owns its start, its configuration, and what benchmarks ask of it. Must not measure or judge.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from gateway.rehearsal import processes
from gateway.rehearsal.client import DemoClient
from gateway.rehearsal.processes import Child

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

CONFIG = """\
[database]
data_dir = {data_dir}
[http]
listen = "127.0.0.1:0"
[links]
listen = "127.0.0.1:0"
"""


class BenchmarkFailed(Exception):
    """There is no figure; one line says why."""


@dataclass(frozen=True)
class Connector:
    """One connector and the route of the numbers that begin with `prefix` to it."""

    name: str
    port: int
    binds: int = 2
    window: int = 500
    rate: str = ""
    prefix: str = ""
    more: str = ""  # lines of TOML

    def toml(self) -> str:
        """Its sections of the configuration."""
        match = f"match = {{ prefix = [{json.dumps(self.prefix)}] }}" if self.prefix else ""
        return f"""\
[[connectors]]
name = "{self.name}"
host = "127.0.0.1"
port = {self.port}
system_id = "{self.name}"
password = "bench"
binds = {self.binds}
window = {self.window}
{f'rate = "{self.rate}"' if self.rate else ""}
{self.more}
[[routes]]
{match}
via = ["{self.name}"]
"""


@dataclass
class Running:
    """A running gateway and one application with a key to it."""

    address: str
    key: str
    client: DemoClient
    pid: int
    postmaster: int

    @property
    def authorization(self) -> str:
        """The header that requests need."""
        return f"Authorization: Bearer {self.key}"

    async def until_final(self, count: int) -> float:
        """Wait until so many parts have their final status committed. Returns the last one's
        time.perf_counter().

        Raises BenchmarkFailed when nothing moves any more.
        """
        before, moved_at = -1.0, time.perf_counter()
        while before < count:
            _, final = await self.client.submitted()
            if final != before:
                before, moved_at = final, time.perf_counter()
            if time.perf_counter() - moved_at > STALL_SECONDS_MAX:
                raise BenchmarkFailed(f"stalled at {before:.0f} of {count} receipts")
            await asyncio.sleep(POLL_SECONDS)
        return moved_at

    def resident_mib(self) -> float:
        """The gateway's memory, without PostgreSQL's."""
        return round(psutil.Process(self.pid).memory_info().rss / (1 << 20), 1)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that goes at the end."""
    with tempfile.TemporaryDirectory(prefix="smsgate-bench-") as name:
        path = Path(name)
        # Root's embedded PostgreSQL runs as another account, which must be able to pass the folder.
        path.chmod(0o711)
        yield path


@dataclass
class Carrier:
    """A running simulator."""

    child: Child
    ledger: Path
    port: int


@contextlib.asynccontextmanager
async def simulator(path: Path, profile: str) -> AsyncIterator[Carrier]:
    """A simulated carrier."""
    async with carriers(path, {"simulator": profile}) as [carrier]:
        yield carrier


@contextlib.asynccontextmanager
async def carriers(path: Path, profiles: Mapping[str, str]) -> AsyncIterator[list[Carrier]]:
    """One for each name and profile."""
    found: list[Carrier] = []
    async with contextlib.AsyncExitStack() as stack:
        for name, profile in profiles.items():
            ledger = path / f"{name}.jsonl"
            child = await processes.start_simulator(
                stack, path, profile=profile, ledger=ledger, name=name
            )
            found.append(Carrier(child, ledger, processes.port_of(child)))
        yield found


@contextlib.asynccontextmanager
async def running(
    path: Path, connectors: Sequence[Connector], more: str = ""
) -> AsyncIterator[Running]:
    """A gateway with these connectors and an embedded PostgreSQL, all of it gone at the end."""
    data = path / "data"
    config = path / "smsgate.toml"
    config.write_text(
        CONFIG.format(data_dir=json.dumps(str(data)))
        + more
        + "".join(connector.toml() for connector in connectors)
    )
    async with contextlib.AsyncExitStack() as stack:
        gateway = await processes.start_gateway(stack, config)
        key = await processes.run(["keys", "create", "bench", "--config", str(config)])
        session = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
        )
        url = gateway.ready.split()[1]
        yield Running(
            address=url.removeprefix("http://"),
            key=key,
            client=DemoClient(session, url),
            pid=gateway.process.pid,
            postmaster=postmaster(data),
        )


def messages(count: int, first: int = 0, **more: object) -> list[dict[str, object]]:
    """Messages of one part, each to a number of its own."""
    return [
        {"to": destination(n), "from": SENDER, "text": TEXT.format(n=n), **more}
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
        """Since the start, for each message."""
        return {name: round(each / messages * 1e6, 1) for name, each in self.used().items()}

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


def postmaster(data: Path) -> int:
    """The embedded PostgreSQL's first process: its sessions are its children."""
    [file] = data.glob("**/postmaster.pid")
    return int(file.read_text().partition("\n")[0])
