"""The cut at the beginning of the audit chain: old rows go, and a new row says so.

Owns where the chain is cut. Must not know how long rows are kept (retention.py), nor cut what is
not whole: whoever changed a row would be rid of the proof.

The place of the cut is anchored first. Then one transaction deletes the rows, appends the row CUT
and moves the beginning. So a process that dies has cut all of a step, or nothing.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

import structlog

from storage import sql
from storage.audit import CUT, JOB, AuditEntry, append
from storage.audit_anchor import Anchors
from storage.audit_check import Checker
from storage.ids import IdSource, id_at, time_of
from storage.pool import Connection
from storage.retention import ROWS_PER_STEP_MAX

_SQL = sql.load("storage")
_log = structlog.get_logger(__name__)


class AuditCut:
    """Cuts in steps. Only one process at a time may."""

    def __init__(self, ids: IdSource, anchors: Anchors) -> None:
        self._ids = ids
        self._anchors = anchors

    async def step(self, connection: Connection, before: datetime) -> int:
        """Cut up to ROWS_PER_STEP_MAX rows that are older than `before`, and returns how many.

        A younger row ends the cut, also where older ones stand behind it.
        """
        bound = id_at(before)
        rows = await connection.fetch(_SQL["audit_beginning"], ROWS_PER_STEP_MAX)
        old = list(takewhile(lambda row: row["id"] < bound, rows))
        if not old:
            return 0
        first, last = old[0], old[-1]
        checker = Checker(first["cut_seq"], first["cut_hash"], ())
        for row in old:
            checker.row(row)
        if checker.verdict.faults:
            _log.error("audit_not_cut", not_whole_at=checker.verdict.faults[0].seq)
            return 0
        identifier = self._ids.next()
        await self._anchors.write(last["seq"], last["hash"], time_of(identifier))
        detail = {
            "last": last["seq"],
            "hash": last["hash"].hex(),
            "until": f"{before:%Y-%m-%dT%H:%M:%SZ}",
            "rows": len(old),
        }
        async with connection.transaction():
            await connection.execute(_SQL["audit_cut_rows"], first["seq"], last["seq"])
            await append(connection, [AuditEntry(identifier, 0, JOB, CUT, None, detail)])
            # The head is locked last in every transaction.
            await connection.execute(_SQL["audit_move_beginning"], last["seq"], last["hash"])
        return len(old)
