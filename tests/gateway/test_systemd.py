"""What systemd hears, over a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import Systemd

QUEUE = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())


class Listener:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    async def hears(self) -> list[str]:
        """The lines of the next datagram."""
        data = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        return data.decode().splitlines()

    async def hears_until(self, line: str) -> list[str]:
        """All lines up to this one."""
        found: list[str] = []
        async with asyncio.timeout(30):
            while line not in found:
                found += await self.hears()
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest) -> Iterator[Listener]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "notify")
        made = Listener(path if request.param == "path" else f"@smsgate-test-{os.getpid()}")
        yield made
        made.close()


async def test_a_life_is_told(systemd: Listener) -> None:
    environ = {"NOTIFY_SOCKET": systemd.address, "OTHER": "1"}
    told = Systemd.of(environ)
    assert environ == {"OTHER": "1"}, "what we start must not speak for us"
    told.starting()
    assert await systemd.hears() == ["STATUS=starting"]
    assert await systemd.hears() == ["EXTEND_TIMEOUT_USEC=30000000"]
    told.ready("API http://127.0.0.1:8080")
    assert await systemd.hears() == ["READY=1", "STATUS=API http://127.0.0.1:8080"]
    told.reloading()
    reloading, moment = await systemd.hears()
    assert reloading == "RELOADING=1"
    assert moment.startswith("MONOTONIC_USEC=")
    told.stopping()
    assert await systemd.hears() == ["STOPPING=1", "STATUS=draining"]
    assert await systemd.hears() == ["EXTEND_TIMEOUT_USEC=30000000"]
    told.close()


async def test_the_watchdog_is_fed_from_the_event_loop_twice_as_often_as_asked(
    systemd: Listener,
) -> None:
    environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20000"}
    told = Systemd.of({**environ, "WATCHDOG_PID": str(os.getpid())})
    told.starting()
    loop = asyncio.get_running_loop()
    await systemd.hears_until("WATCHDOG=1")
    began = loop.time()
    for _ in range(3):
        await systemd.hears_until("WATCHDOG=1")
    assert loop.time() - began >= 2 * 0.01
    told.close()


async def test_what_is_meant_for_another_process_is_left_alone(systemd: Listener) -> None:
    told = Systemd.of(
        {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    )
    told.starting()
    told.ready("here")
    assert "WATCHDOG=1" not in await systemd.hears_until("STATUS=here")
    told.close()


async def test_without_one_or_with_a_dead_one_nothing_happens(systemd: Listener) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": systemd.address}):
        told = Systemd.of(dict(environ))
        systemd.close()
        told.starting()
        told.ready("here")
        told.close()


async def test_what_has_to_arrive_arrives_also_where_nobody_listened_for_a_while(
    systemd: Listener,
) -> None:
    told = Systemd.of({"NOTIFY_SOCKET": systemd.address})
    for number in range(QUEUE + 5):
        told.ready(str(number))
    said = await systemd.hears_until(f"STATUS={QUEUE + 4}")
    assert [line for line in said if line.startswith("STATUS=")] == [
        f"STATUS={number}" for number in range(QUEUE + 5)
    ]
    told.close()
