"""Would this reply opt somebody out? A reply of nobody takes the way of every other, and is undone.

Owns the trial: reading, list and look-up are those of real replies, in a transaction that is rolled
back. Must not leave a row, nor tell the sending side of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from dispatch.inbound.messages import Answered, InboundRow
from dispatch.inbound.opt_outs import OptOuts
from dispatch.inbound.records import Received
from dlr.reasons import Reason
from recipients.just_stopped import JustStopped
from recipients.replies import ReplyClass
from storage import suppression
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.pool import Dedicated

NOBODY = "+99900000000"  # no country has this code


class OptOutTrial:
    """Tries replies. `live`: how this process reads them now."""

    def __init__(
        self,
        dedicated: Dedicated,
        live: OptOuts,
        *,
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
    ) -> None:
        self._turn, self._dedicated = asyncio.Lock(), dedicated
        self._live = live
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms

    async def fault(self, account: int, sender: str, category: int, word: str) -> str | None:
        """Why who answers a message from `sender` with `word` still gets messages of this category;
        None: they get none. Raises StorageDown.
        """
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        answered, own = self._ids.take(2)
        opt_outs = self._copy()
        reply = Received(
            id=own, connector=0, source=NOBODY, destination=sender, text=word, parts=1,
            parts_missing=0, fingerprint=b"",
        )  # fmt: skip
        read = opt_outs.read(account, reply, Answered(answered, account, now), now)
        if read.kind is not ReplyClass.OPT_OUT:
            return f"a reply {word} is read as {read.kind.value}"
        row = InboundRow(
            id=reply.id, connector=0, account=account, from_enc=self._vault.seal(NOBODY),
            from_idx=self._vault.index(NOBODY), destination=sender, text=word, parts=1,
            parts_missing=0, answers=answered, fingerprint=b"", reply=read,
        )  # fmt: skip
        async with self._turn, self._dedicated.guarded() as connection:
            undone = connection.transaction()
            await undone.start()
            try:
                await opt_outs.apply(connection, [row])
                found = await suppression.look_up(connection, [row.from_idx])
            finally:
                await undone.rollback()
        why = found.reason(
            row.from_idx, account, category, sender=sender, covers=opt_outs.scopes.covers
        )
        return None if why == Reason.OPTED_OUT else f"a reply {word} ends other messages than these"

    def _copy(self) -> OptOuts:
        """As the live one reads and applies, with nobody told."""
        copy = OptOuts(
            self._live.policies,
            stopped=JustStopped(),
            ids=self._ids,
            wall_ms=self._wall_ms,
            monotonic=lambda: 0.0,
        )
        copy.scopes = self._live.scopes
        return copy
