"""The audit row of what an operator did by a command.

Owns its form. Must not decide what is worth one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from storage import audit
from storage.audit import AuditEntry
from storage.ids import NODE_BITS, SEQUENCE_BITS, id_at
from storage.pool import Connection
from web.edge.keys import OPERATOR

ID_TAIL_BITS = NODE_BITS + SEQUENCE_BITS


async def note(connection: Connection, action: str, detail: Mapping[str, object]) -> None:
    """Append it, inside the caller's transaction. A command has no node, so chance ends its id."""
    made = id_at(await connection.fetchval("SELECT now()")) | secrets.randbits(ID_TAIL_BITS)
    await audit.append(connection, [AuditEntry(made, 0, OPERATOR, action, None, detail)])
