"""The reports of the API: dlr's and campaigns' counts under the names that a client knows.

Owns the translation of numbers to names and of times to id ranges. Counts nothing itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypedDict

import asyncpg

from campaigns.funnel import FUNNEL_KEYS, funnel, nothing_counted
from dlr.rates import delivery_rates
from dlr.report import (
    COUNTS,
    GROUP_KEYS,
    KeyValue,
    delivery_counts,
    failure_codes,
    receipt_latency,
    submit_latency,
)
from shortlinks.report import gaps_since
from storage.ids import id_at
from storage.names import Registry
from storage.pool import Connection
from storage.reading import reading
from web.report_services import (
    FailureCount,
    Failures,
    Figures,
    GroupPage,
    Latencies,
    Report,
    ReportGroup,
    ReportTooSlow,
)

_Placed = tuple[tuple[str, ...], ReportGroup]


class _Asked(TypedDict, total=False):
    """Which groups are asked for, as the counting functions name it."""

    group_by: Sequence[str]
    after: Sequence[str] | None
    limit: int


class Reports:
    """Implements Reporter over the reading connections."""

    delivery_dimensions: Sequence[str] = GROUP_KEYS
    funnel_dimensions: Sequence[str] = FUNNEL_KEYS

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], registry: Registry) -> None:
        self._pool = pool
        self._registry = registry

    async def delivery(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        async def groups(connection: Connection, asked: _Asked) -> list[_Placed]:
            found = await delivery_counts(
                connection,
                since_id=id_at(since),
                until_id=id_at(until),
                account=account,
                **asked,
            )
            return [
                (
                    group.place,
                    ReportGroup(group.counts, delivery_rates(group.counts), self._named(group.key)),
                )
                for group in found
            ]

        nothing = dict.fromkeys(COUNTS, 0)
        return await self._report(groups, group_by, page, Figures(nothing, delivery_rates(nothing)))

    async def funnel(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        async def groups(connection: Connection, asked: _Asked) -> list[_Placed]:
            found = await funnel(
                connection,
                since_id=id_at(since),
                until_id=id_at(until),
                account=account,
                **asked,
            )
            return [
                (group.place, ReportGroup(group.counts, group.rates, self._named(group.key)))
                for group in found
            ]

        nothing = nothing_counted()
        found = await self._report(groups, group_by, page, Figures(nothing.counts, nothing.rates))
        async with self._reading() as connection:
            found.click_gaps = await gaps_since(connection, since)
        return found

    async def failures(self, account: int, since: datetime, until: datetime) -> Failures:
        async with self._reading() as connection:
            found = await failure_codes(
                connection, since_id=id_at(since), until_id=id_at(until), account=account
            )
        failures = [
            FailureCount(
                self._registry.connector_name(each.connector),
                each.status,
                each.reason,
                each.error,
                each.parts,
            )
            for each in found.codes
        ]
        return Failures(failures, found.parts, found.complete)

    async def latency(self, account: int, since: datetime, until: datetime) -> Latencies:
        span = {"since_id": id_at(since), "until_id": id_at(until), "account": account}
        async with self._reading() as connection:
            return Latencies(
                await submit_latency(connection, **span),
                await receipt_latency(connection, **span),
            )

    async def _report(
        self,
        groups_of: Callable[[Connection, _Asked], Awaitable[list[_Placed]]],
        group_by: Sequence[str],
        page: GroupPage,
        nothing: Figures,
    ) -> Report:
        """Groups and total out of one snapshot, so that they agree."""
        placed: list[_Placed] = []
        async with self._reading() as connection:
            # Tables that were just filled have no statistics yet, and a nested loop over what
            # the planner took for a handful of rows ran into the 15 s limit at 40 000 messages.
            await connection.execute("SET LOCAL enable_nestloop = off")
            totals = await groups_of(connection, {"group_by": ()})
            if group_by:
                asked = _Asked(group_by=group_by, after=page.after or None, limit=page.limit + 1)
                placed = await groups_of(connection, asked)
        total = Figures(totals[0][1].counts, totals[0][1].rates) if totals else nothing
        shown = placed[: page.limit]
        more_after = shown[-1][0] if len(placed) > page.limit else None
        return Report([group for _, group in shown], total, more_after)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """One snapshot. Raises ReportTooSlow."""
        try:
            async with (
                reading(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection
        except asyncpg.QueryCanceledError as error:
            raise ReportTooSlow(str(error)) from error

    def _named(self, key: Mapping[str, KeyValue]) -> dict[str, str | None]:
        """Accounts and connectors by name, everything else as text."""
        named: dict[str, str | None] = {}
        for name, value in key.items():
            if name == "account" and isinstance(value, int):
                named[name] = self._registry.account_name(value)
            elif name == "connector" and isinstance(value, int):
                named[name] = self._registry.connector_name(value)
            else:
                named[name] = None if value is None else str(value)
        return named
