"""The suppression list as the API reads and changes it.

Owns these changes. Must not check what a request holds. They go through one writer, a few in a
transaction, each with its audit event. The sending side is told before they are committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from dlr.hygiene import evidence
from dlr.reasons import Reason
from dlr.webhooks.changes import Happened, happened, tell
from recipients.just_stopped import JustStopped
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.crypto import NumberVault
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Key, Suppression

SOURCE = "api"
CHANGES_PER_FLUSH_MAX = 8
CHANGES_WAITING_MAX = 100
SLICE_ITEMS = 200
STATEMENT_ITEMS = 500

_SQL = sql.load("recipients")

Listed = Callable[[Connection, int, Collection[bytes]], Awaitable[None]]
"""Hears, in the transaction that does it, that an account has listed opt-outs or taken some off.

They are of numbers with these indexes.
"""


class SuppressionFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Entries of this source and this category (-1: those of every one); None: of any."""

    source: str | None = None
    category: int | None = None


class SuppressionView(msgspec.Struct, kw_only=True):
    """One entry. `number` None: its evidence is deleted, or it is `unreadable`."""

    number: str | None
    unreadable: bool = False
    to_idx: bytes
    account: int
    category: int
    reason: str
    source: str
    detail: str | None
    created_at: datetime
    expires_at: datetime | None
    senders: Sequence[str] | None = None  # None: all of the account


class Suppress(msgspec.Struct, frozen=True):
    """An entry to be added. `category` -1: all."""

    number: str
    category: int
    reason: int
    expires_at: datetime | None


class Allow(msgspec.Struct, frozen=True):
    """Entries of a number to be removed: those of one category, or each (None), and why.

    `opt_outs`: also what the person's own word made.
    """

    number: str
    category: int | None
    reason: str
    opt_outs: bool


class Allowed(msgspec.Struct, frozen=True):
    """How many entries are gone, and how many stay for want of the right to end opt-outs."""

    removed: int
    kept: int


SuppressionPlace = tuple[datetime, bytes, int, int]


class _Change(msgspec.Struct):
    """One request: entries to add; or, with `entries` empty, a number whose entries are to be
    deleted. `others`: of entries' numbers that have more indexes than one.
    """

    account: int
    actor: str
    entries: list[Suppression] = msgspec.field(default_factory=list)
    others: Mapping[bytes, Sequence[bytes]] = {}
    indexes: Sequence[bytes] = ()
    accounts: Sequence[int] = ()
    category: int | None = None
    reason: str = ""
    opt_outs: bool = False


class _Result(msgspec.Struct):
    """What became of a change: entries that are new, or gone; and those that stay."""

    changed: set[Key]
    kept: set[Key] = msgspec.field(default_factory=set)


class SuppressionDesk:
    """Implements SuppressionList."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        stopped: JustStopped,
        wall_ms: Callable[[], int],
        listed: Listed | None = None,
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._stopped = stopped
        self._wall_ms = wall_ms
        self._listed = listed
        self.opted_out = 0
        self.commits: GroupCommit[_Change, _Result] = GroupCommit(
            self._flush,
            name="suppressions",
            items_per_flush_max=CHANGES_PER_FLUSH_MAX,
            items_waiting_max=CHANGES_WAITING_MAX,
        )

    async def suppressions(
        self,
        accounts: Sequence[int],
        wanted: SuppressionFilter,
        *,
        after: SuppressionPlace | None,
        limit: int,
    ) -> list[SuppressionView]:
        async with reading(self._pool) as connection:
            found = await suppression.listed(
                connection,
                accounts,
                after,
                source=wanted.source,
                category=wanted.category,
                limit=limit,
            )
        return [shown(entry, self._vault) for entry in found]

    async def suppress(self, account: int, actor: str, entries: Sequence[Suppress]) -> list[bool]:
        wanted: list[Suppression] = []
        others: dict[bytes, Sequence[bytes]] = {}
        for start in range(0, len(entries), SLICE_ITEMS):
            asked = entries[start : start + SLICE_ITEMS]
            wanted += [
                Suppression(
                    to_idx=self._vault.index(entry.number),
                    reason=entry.reason,
                    source=SOURCE,
                    account=account,
                    category=entry.category,
                    expires_at=entry.expires_at,
                    to_enc=self._vault.seal(entry.number),
                )
                for entry in asked
            ]
            for each, stored in zip(asked, wanted[start:], strict=True):
                if found := self._vault.other_indexes(each.number):
                    others[stored.to_idx] = found
            self._stopped.add(wanted[start:], self._wall_ms())
            await asyncio.sleep(0)
        result: _Result = await committed(self.commits, _Change(account, actor, wanted, others))
        new = result.changed
        answers: list[bool] = []
        for entry in wanted:
            answers.append(entry.key in new)
            new.discard(entry.key)  # named twice, it was there the second time
        return answers

    async def allow(self, accounts: Sequence[int], actor: str, asked: Allow) -> Allowed:
        change = _Change(
            accounts[0],
            actor,
            indexes=self._vault.indexes(asked.number),
            accounts=accounts,
            category=asked.category,
            reason=asked.reason,
            opt_outs=asked.opt_outs,
        )
        result: _Result = await committed(self.commits, change)
        return Allowed(_entries(result.changed), _entries(result.kept))

    async def close(self) -> None:
        """Finish what was asked, then stop."""
        await self.commits.close()

    async def _flush(self, changes: list[_Change], _attempt: int) -> list[_Result]:
        # What was written until now was written before the change: the sending side knows of it.
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        async with self._dedicated.transaction() as connection:
            results = [await self._store(connection, change, now) for change in changes]
        for change, result in zip(changes, results, strict=True):
            if change.entries:
                asked = {entry.key: entry.reason for entry in reversed(change.entries)}
                self.opted_out += sum(asked[key] == Reason.OPTED_OUT for key in result.changed)
            else:
                self._stopped.remove(result.changed)
        return results

    async def _store(self, connection: Connection, change: _Change, now: datetime) -> _Result:
        if not change.entries:
            return await self._remove(connection, change)
        added: set[Key] = set()
        for start in range(0, len(change.entries), STATEMENT_ITEMS):
            entries = change.entries[start : start + STATEMENT_ITEMS]
            new = await suppression.add_new(connection, entries, now)
            await self._audit(connection, change, "suppression.add", new)
            await tell(connection, _opted_out(entries, new, now), self._ids)
            await self._name(connection, change, opted_out_of(entries, new))
            added |= new
        return _Result(added)

    async def _name(
        self, connection: Connection, change: _Change, indexes: Collection[bytes]
    ) -> None:
        if self._listed is not None and indexes:
            others = [other for each in indexes for other in change.others.get(each, ())]
            await self._listed(connection, change.account, {*indexes, *others})

    async def _remove(self, connection: Connection, change: _Change) -> _Result:
        removed = await suppression.remove(
            connection,
            change.indexes,
            change.accounts,
            change.category,
            opted_out=None if change.opt_outs else int(Reason.OPTED_OUT),
        )
        if any(account == EVERY_ACCOUNT for _, account, _ in removed.gone):
            # Who says that a number lives knows better than what was said of it until now.
            await evidence.undo(connection, change.indexes)
        await self._audit(connection, change, "suppression.remove", removed.gone)
        if any(account == change.account for _, account, _ in removed.gone):
            await self._name(connection, change, change.indexes)
        return _Result(removed.gone, removed.kept)

    async def _audit(
        self, connection: Connection, change: _Change, action: str, keys: set[Key]
    ) -> None:
        await audit.append(
            connection,
            [
                AuditEntry(
                    self._ids.next(),
                    account,
                    change.actor,
                    action,
                    to_idx,
                    {"category": category},
                    change.reason or None,
                )
                for to_idx, account, category in sorted(keys)
            ],
        )


def opted_out_of(entries: Iterable[Suppression], keys: Collection[Key]) -> set[bytes]:
    """The indexes of those of these entries that have one of these keys and are opt-outs."""
    return {
        entry.to_idx for entry in entries if entry.reason == Reason.OPTED_OUT and entry.key in keys
    }


def _entries(keys: set[Key]) -> int:
    """How many these are for people: a number may have stood under several indexes."""
    return len({(account, category) for _, account, category in keys})


def _opted_out(entries: Sequence[Suppression], new: set[Key], now: datetime) -> list[Happened]:
    """What webhooks tell of those of these that are new and opt-outs."""
    first = {entry.key: entry for entry in reversed(entries)}
    return [
        happened(
            "recipient.opted_out",
            account,
            now,
            {
                "scope": "account",
                "category": "all" if category == EVERY_CATEGORY else Category(category).label,
                "source": SOURCE,
                "evidence": None,
            },
            number=first[to_idx, account, category].to_enc,
        )
        for to_idx, account, category in sorted(new)
        if first[to_idx, account, category].reason == Reason.OPTED_OUT
    ]


def shown(entry: Suppression, vault: NumberVault, number: str | None = None) -> SuppressionView:
    """An entry with its number decrypted. `number`: the one it was found by."""
    assert entry.created_at is not None
    if number is None and entry.to_enc is not None:
        number = vault.open_or_none(entry.to_enc)
    return SuppressionView(
        number=number,
        unreadable=number is None and entry.to_enc is not None,
        to_idx=entry.to_idx,
        account=entry.account,
        category=entry.category,
        reason=Reason(entry.reason).label,
        source=entry.source,
        detail=entry.detail,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
        senders=entry.senders,
    )
