"""Delivery reports under the names that a client knows.

Owns the translation of numbers to names and of times to id ranges, and what a page of groups is.
Must not count anything itself (report.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypedDict

import asyncpg
import msgspec

from dlr.rates import Rate, delivery_rates
from dlr.report import (
    COUNTS,
    GROUP_KEYS,
    KeyValue,
    Latency,
    delivery_counts,
    failure_codes,
    receipt_latency,
    submit_latency,
)
from storage.ids import id_at
from storage.names import Registry
from storage.pool import Connection
from storage.reading import ReportTooSlow, reading


class Figures(msgspec.Struct):
    """Counts, and rates that each name numerator and denominator."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]


class ReportGroup(Figures):
    """The figures of one group; `key` has a value for each dimension asked for."""

    key: Mapping[str, str | None]


class GroupPage(msgspec.Struct, frozen=True):
    """Which groups of a report: at most `limit` behind the place `after`; from the first if ()."""

    limit: int
    after: tuple[str, ...] = ()


class Report(msgspec.Struct):
    """A page of groups in order of their key, and the figures of all groups together. `more_after`
    is the place of the last one if there are more.
    """

    groups: Sequence[ReportGroup]
    total: Figures
    more_after: tuple[str, ...] | None = None


class FailedParts(msgspec.Struct):
    """What parts failed of at one connector. `carrier_code` is the carrier's own; `parts` counts
    what a phone would have got, not messages.
    """

    connector: str | None
    status: str  # label of dlr/status.py
    reason: str  # label of dlr/reasons.py
    carrier_code: str | None
    parts: int


class Failures(msgspec.Struct, frozen=True):
    """`parts` counts all that failed; not `complete`: also of codes that are not told here."""

    failures: Sequence[FailedParts]
    parts: int
    complete: bool


class Latencies(msgspec.Struct):
    """Seconds, for each category that has any. A schedule and quiet hours count as waiting."""

    accepted_to_submit: Sequence[Latency]
    submit_to_receipt: Sequence[Latency]


Placed = tuple[tuple[str, ...], ReportGroup]


class Asked(TypedDict, total=False):
    """Which groups are asked for, as the counting functions name it."""

    group_by: Sequence[str]
    after: Sequence[str] | None
    limit: int


class DeliveryReports:
    """Reports over the reading connections."""

    delivery_dimensions: Sequence[str] = GROUP_KEYS

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
        async def groups(connection: Connection, asked: Asked) -> list[Placed]:
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
                    ReportGroup(
                        group.counts, delivery_rates(group.counts), named(group.key, self._registry)
                    ),
                )
                for group in found
            ]

        nothing = dict.fromkeys(COUNTS, 0)
        async with snapshot(self._pool) as connection:
            return Report(
                *await groups_and_total(
                    connection, groups, group_by, page, Figures(nothing, delivery_rates(nothing))
                )
            )

    async def failures(self, account: int, since: datetime, until: datetime) -> Failures:
        async with snapshot(self._pool) as connection:
            found = await failure_codes(
                connection, since_id=id_at(since), until_id=id_at(until), account=account
            )
        failures = [
            FailedParts(
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
        async with snapshot(self._pool) as connection:
            return Latencies(
                await submit_latency(connection, **span),
                await receipt_latency(connection, **span),
            )


async def groups_and_total(
    connection: Connection,
    groups_of: Callable[[Connection, Asked], Awaitable[list[Placed]]],
    group_by: Sequence[str],
    page: GroupPage,
    nothing: Figures,
) -> tuple[list[ReportGroup], Figures, tuple[str, ...] | None]:
    """A page of groups, the figures of all, and the place of the last group if there are more.

    The figures are `nothing` without groups. It is one snapshot, so that they agree.
    """
    placed: list[Placed] = []
    # Freshly filled tables have no statistics yet. A nested loop over what the planner took for a
    # handful of rows then runs into the time limit, at 40 000 messages already.
    await connection.execute("SET LOCAL enable_nestloop = off")
    totals = await groups_of(connection, {"group_by": ()})
    if group_by:
        asked = Asked(group_by=group_by, after=page.after or None, limit=page.limit + 1)
        placed = await groups_of(connection, asked)
    total = Figures(totals[0][1].counts, totals[0][1].rates) if totals else nothing
    shown = placed[: page.limit]
    more_after = shown[-1][0] if len(placed) > page.limit else None
    return [group for _, group in shown], total, more_after


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A connection that sees one state of the database. Raises StorageDown, ReportTooSlow."""
    try:
        async with (
            reading(pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection
    except asyncpg.QueryCanceledError as error:
        raise ReportTooSlow(str(error)) from error


def named(key: Mapping[str, KeyValue], registry: Registry) -> dict[str, str | None]:
    """Accounts and connectors by name, everything else as text."""
    names: dict[str, str | None] = {}
    for name, value in key.items():
        if name == "account" and isinstance(value, int):
            names[name] = registry.account_name(value)
        elif name == "connector" and isinstance(value, int):
            names[name] = registry.connector_name(value)
        else:
            names[name] = None if value is None else str(value)
    return names
