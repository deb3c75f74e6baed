"""Keywords (STOP, START): from a word to the suppression, in the message's own transaction.

Owns what a keyword leads to in each account, and the counts. Must not decide what is a keyword
(recipients/keywords.py) nor write the table itself (storage does).

The sending side is told of an opt-out before it is committed. So nothing is written to that number
after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from dispatch.inbound.messages import InboundRow
from dlr.reasons import Reason
from recipients.just_stopped import JustStopped
from recipients.keywords import Keyword, KeywordSets, keyword_of
from storage import audit, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.ids import IdSource
from storage.pool import Connection
from storage.suppression import Key, Suppression

SOURCE = "keyword"
ADDED, REMOVED = "suppression.add", "suppression.remove"


class OptOutPolicy(msgspec.Struct, frozen=True):
    """What an account does about keywords. `category` as in the table; -1 for all."""

    sets: KeywordSets
    category: int = int(Category.MARKETING)
    reply: str = ""


class Confirmation(msgspec.Struct, frozen=True):
    """A reply owed to who has just opted out. `sender` is the number that was texted."""

    account: int
    to: str
    sender: str
    text: str


class Applied(msgspec.Struct):
    """What changed. `replies`: inbound id -> the text owed, for who was not opted out before."""

    replies: Mapping[int, str] = msgspec.field(default_factory=dict)
    opted_in: int = 0


class OptOuts:
    """Reads keywords and changes the suppression list."""

    def __init__(
        self,
        policies: Mapping[int, OptOutPolicy],
        *,
        stopped: JustStopped,
        ids: IdSource,
        wall_ms: Callable[[], int],
    ) -> None:
        """`policies` by account. An account without one has the default keywords."""
        self.policies = policies
        self._usual = OptOutPolicy(KeywordSets.of())
        self._stopped = stopped
        self._ids = ids
        self._wall_ms = wall_ms
        self.opted_out = 0
        self.opted_in = 0

    def keyword(self, account: int, text: str) -> str | None:
        """What this whole text asks for, in the stored form."""
        keyword = keyword_of(text, self._policy(account).sets)
        return None if keyword is None else keyword.value

    async def apply(
        self,
        connection: Connection,
        rows: Sequence[InboundRow],
        others: Mapping[bytes, Sequence[bytes]] = MappingProxyType({}),
    ) -> Applied:
        """Change the list as these messages ask. Of several from a number to a number, the last
        counts.

        `others`: indexes under which the release before may have suppressed some of them.
        """
        last = {(row.from_idx, row.destination): row for row in rows if row.keyword is not None}
        if not last:
            return Applied()
        asked = list(last.values())
        added = await self._opt_out(
            connection, [row for row in asked if row.keyword == Keyword.OPT_OUT.value]
        )
        removed = await self._opt_in(
            connection, [row for row in asked if row.keyword == Keyword.OPT_IN.value], others
        )
        await audit.append(
            connection,
            [
                *(self._entry(ADDED, row.account, row.from_idx, row.id) for row in added),
                *(self._entry(REMOVED, account, to_idx, None) for to_idx, account, _ in removed),
            ],
        )
        return Applied({row.id: self._policy(row.account).reply for row in added}, len(removed))

    def committed(self, applied: Applied) -> None:
        """Count what was committed."""
        self.opted_out += len(applied.replies)
        self.opted_in += applied.opted_in

    async def _opt_out(
        self, connection: Connection, rows: Sequence[InboundRow]
    ) -> list[InboundRow]:
        by_key: dict[Key, InboundRow] = {}
        for row in rows:
            by_key[row.from_idx, row.account, self._policy(row.account).category] = row
        now_ms = self._wall_ms()
        entries = [
            Suppression(
                to_idx=to_idx,
                reason=Reason.OPTED_OUT,
                source=SOURCE,
                account=account,
                category=category,
                message_id=row.id,
                detail=row.destination,
                to_enc=row.from_enc,
            )
            for (to_idx, account, category), row in by_key.items()
        ]
        self._stopped.add(entries, now_ms)
        # Not before this moment: what was written until now was written before the opt-out.
        since = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        new = await suppression.add_new(connection, entries, since)
        return [row for key, row in by_key.items() if key in new]

    async def _opt_in(
        self,
        connection: Connection,
        rows: Sequence[InboundRow],
        others: Mapping[bytes, Sequence[bytes]],
    ) -> set[Key]:
        removed = await suppression.undo_keywords(
            connection,
            [
                (index, row.account, row.destination)
                for row in rows
                for index in (row.from_idx, *others.get(row.from_idx, ()))
            ],
        )
        self._stopped.remove(removed)
        return removed

    def _policy(self, account: int) -> OptOutPolicy:
        return self.policies.get(account, self._usual)

    def _entry(
        self, action: str, account: int, subject: bytes, inbound_id: int | None
    ) -> AuditEntry:
        detail = {} if inbound_id is None else {"inbound_id": inbound_id}
        return AuditEntry(self._ids.next(), account, SOURCE, action, subject, detail)
