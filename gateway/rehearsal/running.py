"""A gateway as a process of its own, and an application with a key to it.

Owns its start, its addresses, its signals and its end. Must not ask it over HTTP (the client does),
nor write its configuration.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp

from gateway.rehearsal import processes
from gateway.rehearsal.client import Client, session_of
from gateway.rehearsal.processes import Child, RehearsalError, Start


class Running(Client):
    """A running gateway, and a client of one of its accounts."""

    def __init__(
        self, child: Child, config: Path, session: aiohttp.ClientSession, key: str
    ) -> None:
        words = child.ready.split()  # API http://… links http://…
        super().__init__(session, words[1], key)
        self.child = child
        self.config = config
        self.links = words[3]

    @property
    def address(self) -> str:
        """Host and port of its API."""
        return self.api.removeprefix("http://")

    @property
    def pid(self) -> int:
        """Its process."""
        return self.child.process.pid

    @property
    def postmaster(self) -> int:
        """Its embedded PostgreSQL's first process."""
        return postmaster(self.config.parent)

    def log(self) -> str:
        """What it has said so far, with what was said in earlier lives."""
        return self.child.log.read_text()

    def signal(self, number: int) -> None:
        """As an operator sends it."""
        self.child.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.child.process.kill()

    async def exit(self) -> int:
        """Wait for its end; the exit code."""
        return await self.child.process.wait()


@contextlib.asynccontextmanager
async def gateway(
    config: Path,
    *,
    key: str = "",
    named: str = "",
    scopes: Sequence[str] = (),
    start: Start = processes.with_an_interpreter,
) -> AsyncIterator[Running]:
    """A gateway with this configuration, drained and stopped with the block.

    Without a key it is given a new one, of the account `default`; the key of an earlier life is
    still good. Raises RehearsalError when its end is neither an orderly one nor a SIGKILL.
    """
    child = await serve(config, start=start)
    try:
        if not key:
            asked = ["--scopes", *scopes] if scopes else []
            name = named or f"rehearsal-{child.process.pid}"
            key = await create_key(config, name, *asked, start=start)
        async with session_of(key) as session:
            yield Running(child, config, session, key)
    finally:
        code = await child.stop()
    if code not in (0, -signal.SIGKILL):
        raise RehearsalError(f"the gateway ended with {code}: {processes.tail(child.log)}")


async def serve(config: Path, *, start: Start = processes.with_an_interpreter) -> Child:
    """A started gateway, for its starter to stop."""
    return await processes.started(
        "gateway",
        ["serve", "--config", str(config)],
        config.parent / "gateway.log",
        ready="smsgate ready:",
        start=start,
    )


async def create_key(
    config: Path, name: str, *arguments: str, start: Start = processes.with_an_interpreter
) -> str:
    """What `smsgate keys create NAME` prints; the gateway may be running."""
    command = ["keys", "create", name, "--config", str(config), *arguments]
    return await processes.printed(command, config.with_suffix(".keys.log"), start=start)


def postmaster(folder: Path) -> int:
    """The first process of the embedded PostgreSQL below this folder: its sessions are its
    children.
    """
    [file] = folder.rglob("postmaster.pid")
    return int(file.read_text().partition("\n")[0])
