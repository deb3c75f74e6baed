"""How each fault is done and undone, on what runs.

Owns the means. Must not choose a fault, nor judge what it has cost.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from benchmarks.faults.interposed import Wanted
from benchmarks.faults.postgres import Postgres
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.schedule import Fault
from benchmarks.faults.services import Service
from benchmarks.faults.world import POSTGRESQL, World

FULL_DISK = "full disk"
INTERPOSED = frozenset({FULL_DISK, "slow fsync", "clock step"})


def why_not(world: World, fault: Fault) -> str:
    """Why this cannot be done here; empty when it can."""
    if fault.kind == FULL_DISK and fault.target in world.disks:
        return ""
    if fault.kind in INTERPOSED and _target(world, fault).control is None:
        return "no compiler made the library for it"
    return ""


async def do(world: World, fault: Fault) -> None:
    """The fault, its hold, and its end: what is not alive then is started again."""
    await ACTS[fault.kind](world, fault)
    for service in reversed(world.services):
        await service.start()


def _target(world: World, fault: Fault) -> Service | Postgres:
    if fault.target == POSTGRESQL:
        return world.postgres
    [found] = [service for service in world.services if service.name == fault.target]
    return found


def _service(world: World, fault: Fault) -> Service:
    found = _target(world, fault)
    assert isinstance(found, Service)
    return found


def _proxy(world: World, fault: Fault) -> Proxy:
    return world.database_proxy if fault.target == POSTGRESQL else world.carrier_proxy


async def _kill(world: World, fault: Fault) -> None:
    target = _target(world, fault)
    await target.kill()
    await asyncio.sleep(fault.seconds)
    await target.start()


async def _pause(world: World, fault: Fault) -> None:
    target = _target(world, fault)
    target.pause()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        target.resume()


async def _restart(world: World, fault: Fault) -> None:
    target = _target(world, fault)
    await target.stop()
    await asyncio.sleep(fault.seconds)
    await target.start()


async def _interpose(world: World, fault: Fault, wanted: Wanted) -> None:
    target = _target(world, fault)
    target.want(wanted)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        target.want(Wanted())
    await target.start()


async def _full_disk(world: World, fault: Fault) -> None:
    disk = world.disks.get(fault.target)
    if disk is None:
        await _interpose(world, fault, Wanted(disk_full=True))
        return
    disk.fill()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        disk.free()
    await _target(world, fault).start()


async def _slow_fsync(world: World, fault: Fault) -> None:
    await _interpose(world, fault, Wanted(fsync_seconds=fault.amount))


async def _clock_step(world: World, fault: Fault) -> None:
    await _interpose(world, fault, Wanted(clock_seconds=fault.amount))


async def _cut(world: World, fault: Fault) -> None:
    for _ in range(round(fault.amount)):
        _proxy(world, fault).cut()
        await asyncio.sleep(fault.seconds / fault.amount)


async def _cut_in_a_copy(world: World, fault: Fault) -> None:
    proxy = _proxy(world, fault)
    proxy.copies_to_cut = round(fault.amount)
    await asyncio.sleep(fault.seconds)
    proxy.copies_to_cut = 0


async def _delay(world: World, fault: Fault) -> None:
    proxy = _proxy(world, fault)
    proxy.delay_seconds = fault.amount
    await asyncio.sleep(fault.seconds)
    proxy.delay_seconds = 0.0


async def _half_open(world: World, fault: Fault) -> None:
    """A carrier's dead session is the gateway's to find out. PostgreSQL's is found out by the
    kernel, which no proxy on this machine can keep from its acknowledgements.
    """
    proxy = _proxy(world, fault)
    proxy.half_open_now()
    await asyncio.sleep(fault.seconds)
    proxy.half_open = False
    if fault.target == POSTGRESQL:
        proxy.cut_dead()


async def _no_handles(world: World, fault: Fault) -> None:
    service = _service(world, fault)
    service.handles(0)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        if service.child.process.returncode is None:
            service.handles(None)


async def _reload_storm(world: World, fault: Fault) -> None:
    times = round(fault.amount)
    for number in range(times):
        world.configure(world.shape.rates[number % len(world.shape.rates)])
        world.gateway.child.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(fault.seconds / times)


ACTS: Mapping[str, Callable[[World, Fault], Awaitable[None]]] = MappingProxyType(
    {
        "kill -9": _kill,
        "SIGSTOP": _pause,
        "restart": _restart,
        FULL_DISK: _full_disk,
        "slow fsync": _slow_fsync,
        "clock step": _clock_step,
        "cut": _cut,
        "cut in a COPY": _cut_in_a_copy,
        "delay": _delay,
        "half-open": _half_open,
        "no handles": _no_handles,
        "reload storm": _reload_storm,
    }
)
