"""Numbers that a receipt proves dead are suppressed, in the transaction that stores the receipt.

Owns that step. Must not decide what is proof (dlr/hygiene.py does) nor write the table itself
(storage does). A receipt of the sandbox proves nothing about a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from dlr import hygiene
from dlr.codes import CodesOfConnectors
from dlr.ledger import AppliedReceipt
from dlr.webhooks.changes import Happened, happened, tell
from storage import sql, suppression
from storage.crypto import NumberVault
from storage.ids import IdSource, format_id
from storage.names import SANDBOX
from storage.pool import Connection
from storage.suppression import Key, Suppression

_SQL = sql.load("dispatch")


async def suppress_proven(
    connection: Connection,
    applied: Sequence[AppliedReceipt],
    codes: CodesOfConnectors,
    vault: NumberVault | None = None,
    ids: IdSource | None = None,
) -> int:
    """Suppress the recipients that these receipts prove dead. Returns how many were new.

    The release before may have stored the message under another index; `vault` gives today's.
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
    entries = [
        hygiene.suppression_of(evidence[row["id"]], _index(row, vault), row["to_enc"])
        for row in rows
    ]
    new = await suppression.add_new(connection, entries)
    if ids is not None:
        await tell(connection, _pruned(entries, new, evidence), ids)
    return len(new)


def _pruned(
    entries: Sequence[Suppression], new: set[Key], evidence: Mapping[int, AppliedReceipt]
) -> list[Happened]:
    """What webhooks tell of those that are new: the account whose message was the proof, and none
    that has nothing to do with the number.
    """
    first = {entry.key: entry for entry in reversed(entries)}
    return [
        happened(
            "recipient.pruned",
            evidence[message].account,
            evidence[message].row.received_at,
            {
                "scope": "all",
                "category": "all",
                "source": "receipt",
                "reason": evidence[message].reason.label,
                "evidence": format_id("msg", message),
            },
            number=first[key].to_enc,
        )
        for key in sorted(new)
        if (message := first[key].message_id) is not None
    ]


def _index(row: asyncpg.Record, vault: NumberVault | None) -> bytes:
    number = None if vault is None else vault.open_or_none(row["to_enc"])
    stored: bytes = row["to_idx"]
    return stored if vault is None or number is None else vault.index(number)
