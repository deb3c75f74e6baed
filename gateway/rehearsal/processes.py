"""The processes of a rehearsal: `smsgate` commands, started as a user would start them.

Owns starting one, learning from its first line of output where it listens, and stopping it so that
nothing stays behind. Must not know what a command does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 45.0
LOG_TAIL_LINES = 5

# Starts `smsgate <arguments>` in a session of its own, its standard error at the end of the log.
Start: TypeAlias = Callable[[Sequence[str], Path], Awaitable[asyncio.subprocess.Process]]


class RehearsalError(Exception):
    """The rehearsal cannot go on; one line says why."""


class Child:
    """One started process, the words of its ready line, and where its log is."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, ready: str, log: Path
    ) -> None:
        self.name = name
        self.process = process
        self.ready = ready
        self.log = log

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL if that is not enough; returns the exit code."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        assert self.process.returncode is not None
        return self.process.returncode


async def with_an_interpreter(
    arguments: Sequence[str],
    log: Path,
    *,
    module: str = "gateway.cli",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> asyncio.subprocess.Process:
    """A Start: `python -m gateway.cli`, or of another module, with more in its environment."""
    with log.open("ab") as log_file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )


async def started(
    name: str, arguments: Sequence[str], log: Path, *, ready: str, start: Start
) -> Child:
    """A process whose line that begins with `ready` has come.

    Raises RehearsalError with the end of its log when the process ends first, or takes longer than
    START_SECONDS_MAX.
    """
    process = await start(arguments, log)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while line := (await process.stdout.readline()).decode():
                if line.startswith(ready):
                    return Child(name, process, line.removeprefix(ready).strip(), log)
    except TimeoutError:
        process.kill()
    await process.wait()
    raise RehearsalError(f"{name} did not start: {tail(log)}")


async def printed(arguments: Sequence[str], log: Path, *, start: Start) -> str:
    """What a command prints that runs to its end. Raises RehearsalError with its complaint."""
    process = await start(arguments, log)
    assert process.stdout is not None
    out = await process.stdout.read()
    if await process.wait():
        raise RehearsalError(f"{' '.join(arguments[:2])} failed: {tail(log)}")
    return out.decode().strip()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def tail(log: Path) -> str:
    """The last lines of a log, as one."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-LOG_TAIL_LINES:]) or "it said nothing"
