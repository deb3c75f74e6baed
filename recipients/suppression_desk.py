"""What is known of recipients, and the suppression list as the API changes it.

Owns the filling of web/recipients.py's protocol. Changes go through one writer, a few in a
transaction, each with its audit event; the sending side is told before they are committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import phonenumbers

from dlr.reasons import Reason
from dlr.receipt_times import AFTER_ARRIVAL_MAX, BEFORE_SUBMIT_MAX
from dlr.status import Status
from recipients.just_stopped import JustStopped
from recipients.numbers.plan import NumberPlan
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.group_commit import GroupCommit
from storage.ids import ID_MAX, IdSource, id_at, time_of
from storage.names import Registry
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import EVERY_ACCOUNT, Key, Suppression
from web.recipients import (
    InboundFilter,
    InboundPlace,
    InboundView,
    NumberView,
    Suppress,
    SuppressionFilter,
    SuppressionPlace,
    SuppressionView,
)

SOURCE = "api"
CHANGES_PER_FLUSH_MAX = 8
CHANGES_WAITING_MAX = 100
SLICE_ITEMS = 200
STATEMENT_ITEMS = 500
NUMBER_DAYS = 90
NUMBER_MESSAGES_MAX = 1_000
FAILURES = (Status.UNDELIVERED, Status.EXPIRED, Status.REJECTED, Status.FAILED)

_SQL = sql.load("recipients")


class _Change(msgspec.Struct):
    """One request: entries to add, or (entries empty) a number whose entries go."""

    account: int
    actor: str
    entries: list[Suppression] = msgspec.field(default_factory=list)
    indexes: Sequence[bytes] = ()
    accounts: Sequence[int] = ()
    category: int | None = None


class RecipientDesk:
    """Implements Recipients."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        registry: Registry,
        ids: IdSource,
        stopped: JustStopped,
        wall_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._vault = vault
        self._registry = registry
        self._ids = ids
        self._stopped = stopped
        self._wall_ms = wall_ms
        self._numbers = NumberPlan()
        self.opted_out = 0
        self.commits: GroupCommit[_Change, set[Key]] = GroupCommit(
            self._flush,
            name="suppressions",
            items_per_flush_max=CHANGES_PER_FLUSH_MAX,
            items_waiting_max=CHANGES_WAITING_MAX,
        )

    async def inbound(
        self,
        accounts: Sequence[int],
        wanted: InboundFilter,
        *,
        before: InboundPlace | None,
        limit: int,
    ) -> list[InboundView]:
        first = 0 if wanted.since is None else id_at(wanted.since)
        end = ID_MAX if wanted.until is None else id_at(wanted.until)
        end = end if before is None else min(end, before)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(_SQL["inbound_list"], accounts, first, end, limit)
        return [
            InboundView(
                id=row["id"],
                source=self._vault.open_or_none(row["from_enc"]),
                destination=row["destination"],
                text=row["text"],
                parts=row["parts"],
                parts_missing=row["parts_missing"],
                keyword=row["keyword"],
                answers=row["answers"],
                connector=self._registry.connector_name(row["connector"]),
                unclear=row["unclear"],
                read_as=row["read_as"],
            )
            for row in rows
        ]

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
        return [self._view(entry) for entry in found]

    async def suppress(self, account: int, actor: str, entries: Sequence[Suppress]) -> list[bool]:
        wanted: list[Suppression] = []
        for start in range(0, len(entries), SLICE_ITEMS):
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
                for entry in entries[start : start + SLICE_ITEMS]
            ]
            self._stopped.add(wanted[start:], self._wall_ms())
            await asyncio.sleep(0)
        new = await self._change(_Change(account, actor, wanted))
        answers: list[bool] = []
        for entry in wanted:
            answers.append(entry.key in new)
            new.discard(entry.key)  # named twice, it was there the second time
        return answers

    async def allow(
        self, accounts: Sequence[int], actor: str, number: str, category: int | None
    ) -> int:
        indexes = self._vault.indexes(number)
        removed = await self._change(
            _Change(accounts[0], actor, indexes=indexes, accounts=accounts, category=category)
        )
        return len({(account, of_category) for _, account, of_category in removed})

    async def number(self, accounts: Sequence[int], number: str) -> NumberView:
        indexes = self._vault.indexes(number)
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        since = id_at(now - timedelta(days=NUMBER_DAYS))
        async with reading(self._pool) as connection:
            messages = await connection.fetch(
                _SQL["number_messages"],
                indexes,
                accounts,
                since,
                int(Status.DELIVERED),
                NUMBER_MESSAGES_MAX + 1,
                FAILURES,
                BEFORE_SUBMIT_MAX,
                AFTER_ARRIVAL_MAX,
            )
            entries = await suppression.of_number(connection, indexes, [EVERY_ACCOUNT, *accounts])
            opted_out = await connection.fetchval(
                _SQL["number_last_opt_out"], indexes, [EVERY_ACCOUNT, *accounts]
            )
        complete = len(messages) <= NUMBER_MESSAGES_MAX
        messages = messages[:NUMBER_MESSAGES_MAX]
        failed = [row for row in messages if row["failed"]]
        country, kind = _described(number)
        return NumberView(
            fault=self._numbers.fault(number),
            country=country,
            kind=kind,
            messages=len(messages),
            complete=complete,
            delivered=sum(row["delivered_at"] is not None for row in messages),
            failed=len(failed),
            last_sent_at=_latest(messages, "submitted_at"),
            last_delivered_at=_latest(messages, "delivered_at"),
            last_failure=Reason(failed[0]["reason"]).label if failed else None,
            suppressions=[self._view(entry, number) for entry in entries],
            last_opted_out_at=None if opted_out is None else time_of(opted_out),
        )

    async def close(self) -> None:
        """Finish what was asked, then stop."""
        await self.commits.close()

    async def _change(self, change: _Change) -> set[Key]:
        changed: set[Key] = await committed(self.commits, change)
        return changed

    async def _flush(self, changes: list[_Change], _attempt: int) -> list[set[Key]]:
        # What was written until now was written before the change: the sending side knows of it.
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        async with self._dedicated.transaction() as connection:
            changed = [await self._store(connection, change, now) for change in changes]
        for change, keys in zip(changes, changed, strict=True):
            if change.entries:
                asked = {entry.key: entry.reason for entry in reversed(change.entries)}
                self.opted_out += sum(asked[key] == Reason.OPTED_OUT for key in keys)
            else:
                self._stopped.remove(keys)
        return changed

    async def _store(self, connection: Connection, change: _Change, now: datetime) -> set[Key]:
        if not change.entries:
            removed = await suppression.remove(
                connection, change.indexes, change.accounts, change.category
            )
            await self._audit(connection, change, "suppression.remove", removed)
            return removed
        added: set[Key] = set()
        for start in range(0, len(change.entries), STATEMENT_ITEMS):
            entries = change.entries[start : start + STATEMENT_ITEMS]
            new = await suppression.add_new(connection, entries, now)
            await self._audit(connection, change, "suppression.add", new)
            added |= new
        return added

    async def _audit(
        self, connection: Connection, change: _Change, action: str, keys: set[Key]
    ) -> None:
        await audit.append(
            connection,
            [
                AuditEntry(
                    self._ids.next(), account, change.actor, action, to_idx, {"category": category}
                )
                for to_idx, account, category in sorted(keys)
            ],
        )

    def _view(self, entry: Suppression, number: str | None = None) -> SuppressionView:
        assert entry.created_at is not None
        if number is None and entry.to_enc is not None:
            number = self._vault.open_or_none(entry.to_enc)
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
        )


def _latest(rows: Sequence[asyncpg.Record], column: str) -> datetime | None:
    times = [row[column] for row in rows if row[column] is not None]
    return max(times, default=None)


def _described(number: str) -> tuple[str | None, str | None]:
    """Country (ISO 3166) and kind of line, as far as the numbering plan tells."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None, None
    kind = phonenumbers.number_type(parsed)
    name = phonenumbers.PhoneNumberType.to_string(kind).lower()
    return phonenumbers.region_code_for_number(parsed), None if name == "unknown" else name
