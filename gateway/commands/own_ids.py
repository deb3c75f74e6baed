"""Ids that a command gives beside running gateways: of a term, and so of a node, of its own.

Owns that term's begin and end. Must not renew it, nor know what the ids are for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.app import wall_ms
from storage.ids import IdSource
from storage.pool import Connection
from storage.terms import HostIdentity, OwnerTerm


@asynccontextmanager
async def own_ids(connection: Connection) -> AsyncIterator[tuple[IdSource, OwnerTerm]]:
    """Ids, and the term that they are of. Raises NoNodeFree."""
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    try:
        yield IdSource(term.node, wall_ms), term
    finally:
        await term.release(connection)
