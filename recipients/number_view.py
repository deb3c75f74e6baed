"""How one number fares: what was sent to it of late, and what stands against texting it.

Owns that summary. Must not change anything, and must not show a number that was not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from dlr.reasons import Reason
from dlr.receipt_times import AFTER_ARRIVAL_MAX, BEFORE_SUBMIT_MAX
from dlr.status import Status
from recipients.number_history import History, histories
from recipients.numbers.plan import NumberPlan, country_and_kind
from recipients.suppression_desk import SuppressionView, shown
from storage import sql, suppression
from storage.crypto import NumberVault
from storage.ids import id_at, time_of
from storage.reading import reading
from storage.suppression import EVERY_ACCOUNT

NUMBER_DAYS = 90
NUMBER_MESSAGES_MAX = 1_000
FAILURES = (Status.UNDELIVERED, Status.EXPIRED, Status.REJECTED, Status.FAILED)

_SQL = sql.load("recipients")


class NumberView(msgspec.Struct, kw_only=True):
    """How a number fares: what was sent to it of late, and what stands against texting it."""

    fault: str | None  # why it is no valid number
    country: str | None
    kind: str | None
    messages: int
    complete: bool = True  # else there are more, and older ones, that are not counted
    delivered: int
    failed: int
    last_sent_at: datetime | None
    last_delivered_at: datetime | None
    last_failure: str | None  # the reason
    suppressions: Sequence[SuppressionView]
    last_opted_out_at: datetime | None
    history: History


class NumberDesk:
    """Implements NumberReader."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        vault: NumberVault,
        wall_ms: Callable[[], int],
        connector_name: Callable[[int], str | None] = str,
    ) -> None:
        self._connector_name = connector_name
        self._pool = pool
        self._vault = vault
        self._wall_ms = wall_ms
        self._numbers = NumberPlan()

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
            [history] = await histories(
                connection, self._vault, accounts, [number], now.date(), self._connector_name
            )
            opted_out = await connection.fetchval(
                _SQL["number_last_opt_out"], indexes, [EVERY_ACCOUNT, *accounts]
            )
        complete = len(messages) <= NUMBER_MESSAGES_MAX
        messages = messages[:NUMBER_MESSAGES_MAX]
        failed = [row for row in messages if row["failed"]]
        country, kind = country_and_kind(number)
        return NumberView(
            fault=self._numbers.fault(number),
            country=country,
            kind=kind,
            messages=len(messages),
            complete=complete,
            delivered=sum(row["delivered_at"] is not None for row in messages),
            failed=len(failed),
            last_sent_at=_latest(messages, "submitted_at"),
            last_delivered_at=history.last_delivered_at,
            last_failure=Reason(failed[0]["reason"]).label if failed else None,
            suppressions=[shown(entry, self._vault, number) for entry in entries],
            last_opted_out_at=None if opted_out is None else time_of(opted_out),
            history=history,
        )


def _latest(rows: Sequence[asyncpg.Record], column: str) -> datetime | None:
    times = [row[column] for row in rows if row[column] is not None]
    return max(times, default=None)
