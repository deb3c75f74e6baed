"""Consents that rows of a file tell, and who gets no marketing whatever a file tells.

Owns both questions to the number's ledger and suppressions, and the writing of what counts. Must
not read a row, nor change a suppression.

No row writes a consent unless it says how and when that was given. None writes one for a person
who has said anything of it, or has opted out: a file never re-subscribes anybody. Words that are
told beside a step are before it or behind it, and those behind it are later ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from campaigns.contacts.files.mapping import Draft
from campaigns.contacts.store import Applied, ContactStore
from campaigns.contacts.verdicts import Verdict
from dlr.reasons import Reason
from recipients import consent
from recipients.consent import Consent, ConsentFacts, facts_of
from storage import suppression
from storage.categories import Category
from storage.crypto import NumberVault

if TYPE_CHECKING:
    from storage.pool import Connection

SLICE_WORDS = 100  # between two turns for others
_TAKEN = frozenset({Verdict.CREATED, Verdict.UPDATED, Verdict.UNCHANGED, Verdict.MERGED})

# By the row's index of a number: every reason for which it gets no marketing.
Stopped = Mapping[bytes, set[int]]


class ImportedConsents:
    """In the transaction of a step, which holds the account's lock of contacts."""

    def __init__(self, vault: NumberVault, store: ContactStore) -> None:
        self._vault = vault
        self._store = store

    async def stopped(
        self, connection: Connection, account: int, drafts: Sequence[Draft]
    ) -> Stopped:
        """Of the numbers of these rows, those that get no marketing."""
        forms = {
            index: self._store.forms(index, number)
            for draft in drafts
            for index, number in zip(draft.indexes, draft.numbers, strict=True)
        }
        asked = {each for several in forms.values() for each in several}
        found = await suppression.look_up(connection, list(asked))
        return {
            index: reasons
            for index, several in forms.items()
            if (reasons := found.reasons(several, account, Category.MARKETING))
        }

    async def record(
        self,
        connection: Connection,
        account: int,
        drafts: Sequence[Draft],
        outcomes: Mapping[int, Applied],
        stopped: Stopped,
    ) -> None:
        """Append the consents of rows that were taken, for numbers about which none is said."""
        told = {
            index: (draft.consent, number)
            for draft in drafts
            if draft.consent is not None and outcomes[draft.line].verdict in _TAKEN
            for index, number in zip(draft.indexes, draft.numbers, strict=True)
            if index not in outcomes[draft.line].left_out
            and Reason.OPTED_OUT not in stopped.get(index, ())
        }
        if not told:
            return
        await consent.alone(connection)
        forms = {
            each: index
            for index, (_, number) in told.items()
            for each in self._store.forms(index, number)
            if each != index
        }
        said = await consent.standing(connection, told.keys(), account, forms)
        new = [
            (index, number, facts)
            for index, (facts, number) in told.items()
            if (index, facts.category) not in said
        ]
        for start in range(0, len(new), SLICE_WORDS):
            words = [self._word(account, *each) for each in new[start : start + SLICE_WORDS]]
            await consent.record_many(connection, words)
            await asyncio.sleep(0)

    def _word(self, account: int, index: bytes, number: str, facts: ConsentFacts) -> Consent:
        return Consent(
            account=account,
            to_idx=self._vault.todays_index(number, index),
            to_enc=self._vault.seal(number),
            **facts_of(facts),
        )
