"""What the work of a gateway takes: processor, peak memory, octets of the WAL, fsyncs.

Owns a gateway that is watched, from before its PostgreSQL starts until after its last session has
ended. Must not judge what was carried.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from benchmarks import gateways
from benchmarks.gateways import Processors
from benchmarks.result import Figures
from gateway.rehearsal.configuration import Connector, Route
from gateway.rehearsal.running import Running
from storage.pool import Connection, Database

_WAL_OCTETS = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
# PostgreSQL 18 counts them elsewhere than those before it.
_FSYNCS = "SELECT wal_sync FROM pg_stat_wal"
_FSYNCS_18 = "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
_VERSION_18 = 180_000
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class Watched:
    """A running gateway, and what its work takes between `begin` and `end`."""

    def __init__(
        self, running: Running, connection: Connection, beside: Mapping[str, Sequence[int]]
    ) -> None:
        """`beside`: further processes, by the name that their figures get."""
        self.running = running
        self.connection = connection
        self._beside = beside
        self._messages = 0
        self._figures: Figures = {}

    async def begin(self) -> None:
        """From here on it is counted; again to leave out what was so far."""
        self._octets = await self._asked(_WAL_OCTETS)
        self._fsyncs = await self._fsyncs_so_far()
        self._processors = Processors(gateways.processes_of(self.running) | dict(self._beside))

    async def end(self, messages: int) -> None:
        """So many messages were carried since `begin`."""
        used = self._processors.microseconds(messages)
        octets = await self._asked(_WAL_OCTETS) - self._octets
        self._messages = messages
        self._figures = used | {
            f"{name}_peak_mib": peak_mib(*pids)
            for name, pids in {"gateway": [self.running.pid], **self._beside}.items()
        }
        self._figures["wal_octets"] = round(octets / messages, 1)

    async def over(self) -> None:
        """The gateway has ended: PostgreSQL counts a session's fsyncs a second late, or then."""
        if self._messages:
            fsyncs = await self._fsyncs_so_far() - self._fsyncs
            self._figures["fsyncs"] = round(fsyncs / self._messages, 5)

    def figures(self) -> Figures:
        """All of them, once the gateway has ended."""
        return self._figures

    async def _fsyncs_so_far(self) -> int:
        number = self.connection.get_server_version().major * 10_000
        return await self._asked(_FSYNCS_18 if number >= _VERSION_18 else _FSYNCS)

    async def _asked(self, question: str) -> int:
        return int(await self.connection.fetchval(question))


@contextlib.asynccontextmanager
async def watched(
    folder: Path,
    connectors: Sequence[Connector],
    routes: Sequence[Route] = (),
    *,
    more: str = "",
    scopes: Sequence[str] = (),
    beside: Mapping[str, Sequence[int]] | None = None,
) -> AsyncIterator[Watched]:
    """A gateway with an embedded PostgreSQL, counted from its start until `end` is called."""
    database = await Database.open("embedded", folder / "data", application_name="benchmark")
    try:
        connection = await database.dedicated("figures").connection()
        async with gateways.running_with(folder, connectors, routes, more, scopes) as running:
            watching = Watched(running, connection, beside or {})
            await watching.begin()
            yield watching
        await watching.over()
    finally:
        await database.close()


def peak_mib(*pids: int) -> float:
    """The most memory that these processes have had, each at its own moment, added up."""
    found = 0
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        match = _PEAK.search(status)
        found += int(match[1]) if match else 0
    return round(found / 1024, 1)
