"""Leases of processes (owner terms): who is alive, who is dead, and fencing before a take-over.

Owns the table `owner_term`. Must not know what a process holds under its term. All moments are of
the database's clock. A process counts TTL_SECONDS from the start of its last renewal. When they are
over by its own clock, it must have stopped writing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from storage.ids import NODES_MAX
from storage.sql import load

if TYPE_CHECKING:
    from storage.pool import Connection

SQL = load("storage")
TTL_SECONDS = 10.0
RENEW_SECONDS = 3.0
FENCE_SECONDS_MAX = 30.0  # a session that outlives this hangs in the kernel

_TTL = timedelta(seconds=TTL_SECONDS)


class TermLost(Exception):
    """Our term has ended: stop writing. Another process has our work, or will have it."""


class NoNodeFree(Exception):
    """All 256 nodes are held. The message is one line for the operator."""


class FenceFailed(Exception):
    """Database sessions of a dead term do not end. Its work must not be taken over yet; try
    again.
    """


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """A process, in a form that another process can check.

    `host` names the machine, its boot and its process namespace. The namespace is needed because
    two containers of one image share the other two, and both have a process 1.
    """

    host: str
    pid: int
    pid_started: str

    @classmethod
    def current(cls) -> HostIdentity:
        """The identity of this process. A fork is another process and must ask again."""
        machine = _text_of("/etc/machine-id") or socket.gethostname()
        boot = _text_of("/proc/sys/kernel/random/boot_id")
        try:
            namespace = os.readlink("/proc/self/ns/pid")
        except OSError:
            namespace = ""
        pid = os.getpid()
        return cls(f"{machine}/{boot}/{namespace}", pid, _started(pid) or "")

    def proves_gone(self, host: str, pid: int, pid_started: str) -> bool:
        """Whether that process ran where we can see it, and is gone. False when it cannot be
        seen.
        """
        if host != self.host or not pid_started:
            return False
        return _started(pid) != pid_started


@dataclass(frozen=True, slots=True)
class Renewal:
    """`held`: terms, the renewed one among them. `now`: the database's clock."""

    held: int
    now: datetime


@dataclass(frozen=True, slots=True)
class OwnerTerm:
    """One life of one process. `node` (0..255) is part of the ids it makes; a later process may get
    it. `term` marks the rows it holds, and is never used again.
    """

    node: int
    term: int

    @classmethod
    async def acquire(cls, connection: Connection, host: HostIdentity) -> OwnerTerm:
        """A new term on the lowest free node. Raises NoNodeFree."""
        for _attempt in range(NODES_MAX):
            row = await connection.fetchrow(
                SQL["acquire_term"], host.host, host.pid, host.pid_started, _TTL
            )
            if row is not None:
                return cls(row["node"], row["term"])
            if await connection.fetchval(SQL["nodes_held"]) >= NODES_MAX:
                break
        raise NoNodeFree(
            f"all {NODES_MAX} nodes are held: stop some gateways, or wait for dead ones"
        )

    async def renew(self, connection: Connection) -> Renewal:
        """Extend the term to TTL_SECONDS from now.

        A term that ran out is still renewed, as long as nobody has begun to fence it. Raises
        TermLost.
        """
        row = await connection.fetchrow(SQL["renew_term"], self.term, _TTL)
        if row is None:
            raise TermLost(f"owner term {self.term} has ended")
        return Renewal(row["held"], row["now"])

    async def release(self, connection: Connection) -> None:
        """End the term ourselves. Nothing may be under way in it any more."""
        await connection.execute(SQL["release_term"], self.term)


async def terms_held(connection: Connection) -> int:
    """How many processes share the database, as far as it knows, ours included."""
    held: int = await connection.fetchval(SQL["nodes_held"])
    return held


async def dead_terms(
    connection: Connection, host: HostIdentity, *, own_term: int | None = None
) -> list[int]:
    """The terms to be fenced, oldest first.

    A term is dead if it ran out, if somebody half fenced it, or if its process on this host is
    gone. `own_term` is left out: renew() judges one's own late renewal.

    A clock that was set back makes no term live longer than TTL_SECONDS from this look on.
    """
    await connection.execute(SQL["terms_not_beyond"], _TTL)
    rows = await connection.fetch(SQL["open_terms"])
    return [
        row["term"]
        for row in rows
        if row["term"] != own_term
        and (row["expired"] or host.proves_gone(row["host"], row["pid"], row["pid_started"]))
    ]


async def fence(connection: Connection, term: int) -> None:
    """End a dead term. Afterwards none of its transactions can commit, and its work may be taken
    over.

    First the term is condemned: it gets no renewal and no new session. Then its sessions are
    terminated and waited for, because a killed client's COMMIT can land after its death. Only then
    is the term marked as ended.

    Must not run inside a transaction. Several processes may fence one term at once. Raises
    FenceFailed after FENCE_SECONDS_MAX.
    """
    await connection.execute(SQL["condemn_term"], term)
    try:
        async with asyncio.timeout(FENCE_SECONDS_MAX):
            while await connection.fetchval(SQL["terminate_sessions"], f"smsgate:{term}"):
                pass  # the statement itself waits for them; once more, to see that none is left
    except TimeoutError as error:
        raise FenceFailed(f"sessions of owner term {term} do not end") from error
    await connection.execute(SQL["release_term"], term)


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _started(pid: int) -> str | None:
    """When the process began, in clock ticks since boot: field 22 of /proc/<pid>/stat. None if it
    is gone.

    A zombie still has a line there, but counts as gone.
    """
    stat = _text_of(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return fields[19]
