"""From receipts that prove a number dead to its suppression, in the transaction that stores them.

Owns that step alone: what is proof is dlr/hygiene.py's, the table is storage's. What the sandbox
says proves nothing about a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from dlr import hygiene
from dlr.codes import CodesOfConnectors
from dlr.ledger import AppliedReceipt
from storage import sql, suppression
from storage.connectors import SANDBOX
from storage.crypto import NumberVault
from storage.pool import Connection

_SQL = sql.load("dispatch")


async def suppress_proven(
    connection: Connection,
    applied: Sequence[AppliedReceipt],
    codes: CodesOfConnectors,
    vault: NumberVault | None = None,
) -> int:
    """Suppress the recipients of which these receipts are proof; returns how many were new. The
    message may have been stored by the release before: `vault` knows today's index.
    """
    evidence = {
        receipt.message_id: receipt
        for receipt in applied
        if receipt.message_id is not None
        and receipt.row.connector != SANDBOX
        and hygiene.prunes(receipt, codes)
    }
    if not evidence:
        return 0
    rows = await connection.fetch(_SQL["recipients_of_messages"], list(evidence))
    return await suppression.add(
        connection,
        [
            hygiene.suppression_of(
                evidence[row["id"]],
                _index(row, vault),
                row["to_enc"],
            )
            for row in rows
        ],
    )


def _index(row: asyncpg.Record, vault: NumberVault | None) -> bytes:
    number = None if vault is None else vault.open_or_none(row["to_enc"])
    stored: bytes = row["to_idx"]
    return stored if vault is None or number is None else vault.index(number)
