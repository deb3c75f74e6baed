"""The demo's processes: the simulator and the gateway, started like a user would start them.

Owns starting them, learning their addresses from their first line of output, and stopping them so
that nothing stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 45.0
LOG_TAIL_LINES = 5


class DemoError(Exception):
    """The demo cannot go on; one line says why."""


class Child(msgspec.Struct):
    """One started process, the words of its ready line, and where its log is."""

    name: str
    process: asyncio.subprocess.Process
    ready: str
    log: Path


async def start(name: str, arguments: Sequence[str], log: Path, *, ready: str) -> Child:
    """Start `smsgate <arguments>` and wait for the line that begins with `ready`. Raises
    DemoError, see until_ready.
    """
    with log.open("ab") as log_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.cli",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    return await until_ready(name, process, log, ready=ready)


async def until_ready(
    name: str, process: asyncio.subprocess.Process, log: Path, *, ready: str
) -> Child:
    """Wait for the line that begins with `ready`.

    Raises DemoError with the end of its log when the process ends first, or takes longer than
    START_SECONDS_MAX.
    """
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS_MAX):
            while line := (await process.stdout.readline()).decode():
                if line.startswith(ready):
                    return Child(name, process, line.removeprefix(ready).strip(), log)
    except TimeoutError:
        process.kill()
    await process.wait()
    raise DemoError(f"{name} did not start: {_tail(log)}")


async def start_both(
    stack: contextlib.AsyncExitStack,
    folder: Path,
    *,
    profile: str,
    ledger: Path,
    config_for: Callable[[int], str],
) -> tuple[Child, Child, Path]:
    """A simulator with this profile and a gateway in front of it, both stopped with the stack.

    `config_for` makes the gateway's configuration of the simulator's port. Returns simulator,
    gateway and the configuration's file.
    """
    simulator = await start_simulator(stack, folder, profile=profile, ledger=ledger)
    config_file = folder / "smsgate.toml"
    config_file.write_text(config_for(port_of(simulator)))
    gateway = await start_gateway(stack, config_file)
    return simulator, gateway, config_file


async def start_simulator(
    stack: contextlib.AsyncExitStack,
    folder: Path,
    *,
    profile: str,
    ledger: Path,
    name: str = "simulator",
) -> Child:
    """A simulator with this profile, stopped with the stack; its files in `folder` bear `name`."""
    profile_file = folder / f"{name}.toml"
    profile_file.write_text(profile)
    simulator = await start(
        name,
        ["simulate", "--port", "0", "--profile", str(profile_file), "--ledger", str(ledger)],
        folder / f"{name}.log",
        ready="simulator ready:",
    )
    stack.push_async_callback(stop, simulator)
    return simulator


async def start_gateway(stack: contextlib.AsyncExitStack, config_file: Path) -> Child:
    """A gateway with this configuration, stopped with the stack."""
    gateway = await start(
        "gateway",
        ["serve", "--config", str(config_file)],
        config_file.parent / "gateway.log",
        ready="smsgate ready:",
    )
    stack.push_async_callback(stop, gateway)
    return gateway


def port_of(simulator: Child) -> int:
    """Where a started simulator listens."""
    return int(simulator.ready.rpartition(":")[2])


async def stop(child: Child) -> int:
    """SIGTERM, and SIGKILL if that is not enough; returns the exit code."""
    if child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await child.process.wait()
        except TimeoutError:
            child.process.kill()
            await child.process.wait()
    assert child.process.returncode is not None
    return child.process.returncode


async def run(arguments: Sequence[str]) -> str:
    """Run one `smsgate` command to its end; returns what it printed. Raises DemoError with its
    complaint.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    if process.returncode:
        raise DemoError(complaint.decode(errors="replace").strip() or f"{arguments[0]} failed")
    return out.decode().strip()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-LOG_TAIL_LINES:]) or "it said nothing"
