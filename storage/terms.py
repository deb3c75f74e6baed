"""Owner terms: which process is which, who is dead, and the fence before a dead one's work is taken
over.

Owns `owner_term`. Must not know what a term owns. Time is the database's clock; a process that
renews must stop writing before its own idea of TTL_SECONDS since the last renewal began is over.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from storage.ids import NODES_MAX
from storage.sql import load

if TYPE_CHECKING:
    from storage.pool import Connection

SQL = load("storage")
TTL_SECONDS = 10.0
RENEW_SECONDS = 3.0
FENCE_SECONDS_MAX = 30.0  # a session that does not end in this time hangs in the kernel

_TTL = timedelta(seconds=TTL_SECONDS)


class TermLost(Exception):
    """Our term has ended: stop writing, another process has or will have our work."""


class NoNodeFree(Exception):
    """All 256 nodes are held: one line for the operator."""


class FenceFailed(Exception):
    """Sessions of a dead term do not end; its work must not be taken over. To be tried again."""


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """A process as others can check on it: `host` is the machine, its boot and its process
    namespace (two containers of one image share the first two, and both have a process 1).
    """

    host: str
    pid: int
    pid_started: str

    @classmethod
    def current(cls) -> HostIdentity:
        """Of this process. A fork is another process: ask again there."""
        machine = _text_of("/etc/machine-id") or socket.gethostname()
        boot = _text_of("/proc/sys/kernel/random/boot_id")
        try:
            namespace = os.readlink("/proc/self/ns/pid")
        except OSError:
            namespace = ""
        pid = os.getpid()
        return cls(f"{machine}/{boot}/{namespace}", pid, _started(pid) or "")

    def proves_gone(self, host: str, pid: int, pid_started: str) -> bool:
        """Whether that process can be seen from here, and is not there any more."""
        if host != self.host or not pid_started:
            return False
        return _started(pid) != pid_started


@dataclass(frozen=True, slots=True)
class OwnerTerm:
    """One life of a process: `node` (0..255) marks its ids, `term` (never used again) what it
    holds.
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

    async def renew(self, connection: Connection) -> int:
        """TTL_SECONDS more from now; also after it ran out, as long as nobody began to fence us.
        Returns how many terms are held, this one among them. Raises TermLost.
        """
        held: int | None = await connection.fetchval(SQL["renew_term"], self.term, _TTL)
        if held is None:
            raise TermLost(f"owner term {self.term} has ended")
        return held

    async def release(self, connection: Connection) -> None:
        """End the term ourselves, when nothing of it is under way any more."""
        await connection.execute(SQL["release_term"], self.term)


async def dead_terms(
    connection: Connection, host: HostIdentity, *, own_term: int | None = None
) -> list[int]:
    """Terms to be fenced, oldest first: run out, half fenced by somebody, or of a process on this
    host that is gone.

    `own_term` is left out: one's own late renewal is for `renew` to judge.
    """
    rows = await connection.fetch(SQL["open_terms"])
    return [
        row["term"]
        for row in rows
        if row["term"] != own_term
        and (row["expired"] or host.proves_gone(row["host"], row["pid"], row["pid_started"]))
    ]


async def fence(connection: Connection, term: int) -> None:
    """End a dead term: afterwards none of its transactions can commit any more, and its work may be
    taken over.

    First it is condemned (no renewal, no new session), then its sessions are terminated and waited
    for (a killed client's COMMIT was seen to land after its death), and only then it is marked as
    ended. Must not run inside a transaction. Several processes may fence one term at once. Raises
    FenceFailed.
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
    """When the process began, in clock ticks since boot (field 22 of /proc/<pid>/stat); None if it
    is gone.

    A zombie still has a line, but does nothing any more.
    """
    stat = _text_of(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return fields[19]
