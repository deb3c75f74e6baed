"""The programs of other gateways: where they are, starting them, and their end.

Owns that, so that nothing stays behind. Must not know which gateway it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gateway.rehearsal.processes import free_port

# Not on the path of every account.
# RabbitMQ's in sbin would become another account.
MORE_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin")
STOP_SECONDS_MAX = 10.0


class PeerError(Exception):
    """A peer does not run, or not as it has to. One line."""


def program(name: str) -> str:
    """Where it is. Raises PeerError."""
    path = _found(name)
    if path is None:
        raise PeerError(f"{name} is not installed")
    return path


def installed(programs: Iterable[str]) -> bool:
    """Whether all of them are there."""
    return all(map(_found, programs))


def _found(name: str) -> str | None:
    path = os.pathsep.join([*MORE_FOLDERS, os.environ.get("PATH", os.defpath)])
    return shutil.which(name, path=path)


async def start(
    stack: contextlib.AsyncExitStack,
    folder: Path,
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    """A program in a group of its own, which is gone with the stack; what it says is in the folder.

    Raises PeerError.
    """
    path = program(name)
    with (folder / f"{name}.log").open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            path, *arguments,
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    stack.push_async_callback(_stop, process)
    return process


def free_ports(count: int) -> list[int]:
    """So many different ones of 127.0.0.1."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return sorted(ports)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to its group, and SIGKILL if that is not enough: nothing stays behind."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS_MAX), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
                break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
