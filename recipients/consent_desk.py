"""The consent ledger behind the API: numbers are encrypted on their way in, decrypted on their way
out.

Owns the group commit of what the API records. Must not check what a request holds. A flush that is
repeated after a COMMIT in doubt says the same word twice, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from recipients import consent
from recipients.consent import ID_MAX, Consent, ConsentFacts, RecordedConsent, facts_of
from storage.crypto import NumberVault
from storage.group_commit import GroupCommit
from storage.one_commit import committed
from storage.pool import Dedicated
from storage.reading import reading

WORDS_PER_FLUSH_MAX = 100
WORDS_WAITING_MAX = 1_000


class ConsentWord(ConsentFacts, frozen=True, kw_only=True):
    """A checked word that is to be recorded."""

    number: str


class ConsentView(ConsentFacts, frozen=True, kw_only=True):
    """A recorded word. `number` None: it cannot be decrypted."""

    id: int
    number: str | None
    recorded_at: datetime


class ConsentDesk:
    """Implements ConsentLedger."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], dedicated: Dedicated, vault: NumberVault
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._vault = vault
        self.commits: GroupCommit[Consent, RecordedConsent] = GroupCommit(
            self._flush,
            name="consents",
            items_per_flush_max=WORDS_PER_FLUSH_MAX,
            items_waiting_max=WORDS_WAITING_MAX,
        )

    async def record(self, account: int, word: ConsentWord) -> ConsentView:
        sealed = Consent(
            account=account,
            to_idx=self._vault.index(word.number),
            to_enc=self._vault.seal(word.number),
            **facts_of(word),
        )
        return self._view(await committed(self.commits, sealed))

    async def entries(
        self, account: int, *, number: str | None, before: int | None, limit: int
    ) -> list[ConsentView]:
        async with reading(self._pool) as connection:
            found = await consent.ledger(
                connection,
                account,
                indexes=None if number is None else self._vault.indexes(number),
                before=ID_MAX if before is None else before,
                limit=limit,
            )
        return [self._view(each) for each in found]

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _flush(self, words: list[Consent], _attempt: int) -> Sequence[RecordedConsent]:
        async with self._dedicated.transaction() as connection:
            await consent.beside_others(connection)
            return [await consent.record(connection, word) for word in words]

    def _view(self, recorded: RecordedConsent) -> ConsentView:
        return ConsentView(
            id=recorded.id,
            number=self._vault.open_or_none(recorded.to_enc),
            recorded_at=recorded.recorded_at,
            **facts_of(recorded),
        )
