"""The record of numbers shown in clear: who saw which, when and why.

Owns the group commit of those audit rows. Must not decide who may see a number
(web/edge/reveals.py).

A request leaves one row with its reason. If it shows one number, the row is about that person. If
it shows several, a further row for each of them names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from storage import audit
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource, format_id
from storage.one_commit import committed
from storage.pool import Dedicated

ACTION, SHOWN = "numbers.reveal", "numbers.shown"
REQUESTS_PER_FLUSH_MAX = 8  # each of up to a page of numbers
REQUESTS_WAITING_MAX = 1_000


class Revealed(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be shown: which list, how many rows, the first and the last of them.

    `numbers` are those in clear, in E.164 form. `connector`: whose deliveries. `reason` is what
    whoever asks has said.
    """

    list: str
    rows: int
    first: str | None
    last: str | None
    reason: str
    numbers: Sequence[str] = ()
    connector: str | None = None


class RevealLog(Protocol):
    """The record of what was shown."""

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        """Returns once it is committed. Raises Overloaded, StorageDown."""


class AuditedReveals:
    """Implements RevealLog."""

    def __init__(self, dedicated: Dedicated, ids: IdSource, index: Callable[[str], bytes]) -> None:
        """`index` makes the keyed index of a number."""
        self._dedicated = dedicated
        self._ids = ids
        self._index = index
        self.commits: GroupCommit[list[AuditEntry], None] = GroupCommit(
            self._flush,
            name="reveals",
            items_per_flush_max=REQUESTS_PER_FLUSH_MAX,
            items_waiting_max=REQUESTS_WAITING_MAX,
        )

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        subjects = list(dict.fromkeys(map(self._index, revealed.numbers)))
        actor, request = f"key {key_id}", self._ids.next()
        detail: dict[str, object] = {
            "list": revealed.list,
            "rows": revealed.rows,
            "first": revealed.first,
            "last": revealed.last,
        }
        if revealed.connector is not None:
            detail["connector"] = revealed.connector
        only = subjects.pop() if len(subjects) == 1 else None
        entries = [AuditEntry(request, account, actor, ACTION, only, detail, revealed.reason)]
        name: dict[str, object] = {"reveal": format_id("aud", request)}
        ids = self._ids.take(len(subjects)) if subjects else ()
        for each, subject in zip(ids, subjects, strict=True):
            entries.append(AuditEntry(each, account, actor, SHOWN, subject, name))
        await committed(self.commits, entries)

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _flush(self, requests: list[list[AuditEntry]], _attempt: int) -> Sequence[None]:
        async with self._dedicated.transaction() as connection:
            await audit.append(connection, [entry for entries in requests for entry in entries])
        return [None] * len(requests)
