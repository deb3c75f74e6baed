"""The proof for one number: who said what, when, and what stands because of it.

Owns that collection: consents, replies that opted out or in, complaints, suppressions, and what was
changed of them. It is what an authority or a court is shown. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from recipients import complaints, consent
from recipients.consent import RecordedConsent
from recipients.suppression_desk import SuppressionView, shown
from storage import sql, suppression
from storage.crypto import NumberVault
from storage.ids import ID_MAX
from storage.reading import reading
from storage.suppression import EVERY_ACCOUNT

_SQL = sql.load("recipients")
ROWS_MAX = 1_000  # of each kind


class ProofReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that opted out or in, and the message it answered."""

    id: int
    kind: str
    destination: str
    text: str | None
    answers: int | None
    answered_text: str | None


class ProofComplaint(msgspec.Struct, frozen=True, kw_only=True):
    """A complaint."""

    reference: str
    source: str
    source_name: str | None
    text: str | None
    at: datetime
    message_id: int | None


class ProofChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the suppression list, as it was put on record."""

    id: int
    actor: str
    action: str
    category: int | None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The latest first, at most ROWS_MAX of each kind; `complete`: that is all there is."""

    consents: Sequence[RecordedConsent]
    replies: Sequence[ProofReply]
    complaints: Sequence[ProofComplaint]
    changes: Sequence[ProofChange]
    suppressions: Sequence[SuppressionView]
    complete: bool


class Proofs:
    """Implements ProofReader."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], vault: NumberVault) -> None:
        self._pool = pool
        self._vault = vault

    async def proof(self, account: int, number: str) -> Proof:
        indexes = self._vault.indexes(number)
        accounts = [EVERY_ACCOUNT, account]
        most = ROWS_MAX + 1
        async with (
            reading(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            words = await consent.ledger(
                connection, account, indexes=indexes, before=ID_MAX, limit=most
            )
            replies = await connection.fetch(_SQL["proof_replies"], indexes, accounts, most)
            told = await complaints.listed(
                connection, account, before=ID_MAX, since=0, indexes=indexes, source=None,
                campaign_id=None, limit=most,
            )  # fmt: skip
            changes = await connection.fetch(
                _SQL["proof_changes"], self._vault.indexes_ever(number), accounts, most
            )
            entries = await suppression.of_number(connection, indexes, accounts)
        return Proof(
            consents=words[:ROWS_MAX],
            replies=[ProofReply(**dict(row)) for row in replies[:ROWS_MAX]],
            complaints=[
                ProofComplaint(**{name: getattr(each, name) for name in _COMPLAINT})
                for each in told[:ROWS_MAX]
            ],
            changes=[ProofChange(**dict(row)) for row in changes[:ROWS_MAX]],
            suppressions=[shown(entry, self._vault, number) for entry in entries],
            complete=max(len(words), len(replies), len(told), len(changes)) < most,
        )


_COMPLAINT = ProofComplaint.__struct_fields__
