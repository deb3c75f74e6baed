"""What a long run looks at again and again: memory, handles, tables, dead tuples, latency.

Owns one look, and what has to be flat of it. Must not hurt anything, nor send.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import msgspec
import psutil

from benchmarks.faults.world import World
from benchmarks.trend import Trend, trend
from benchmarks.verdicts import Verdict
from dlr.status import Status
from storage import sql
from storage.ids import EPOCH_UNIX_MS, id_at
from storage.pool import Connection, close_connection, connect

_SQL = sql.load("benchmarks")
MIB = 1 << 20
# A look's latency is that of messages accepted between these two, before the look.
LATENCY_FROM, LATENCY_TO = timedelta(seconds=10), timedelta(seconds=5)
CALM_SECONDS = 10.0  # after a fault, what it held up is worked off
# Tables whose rows go again: they may not grow at all. The others grow by what was accepted.
QUEUES = frozenset(
    {"outbox", "submit_intent", "webhook_change", "webhook_delivery", "rollup_change",
     "rollup_watch", "owner_term"}
)  # fmt: skip


class Look(msgspec.Struct, frozen=True):
    """`at`: seconds since the load began. `calm`: no fault touches what was seen.

    `stored_octets` are those of a message, in all tables that keep it, with their indexes.
    """

    at: float
    calm: bool
    sent_per_second: float
    gateway_mib: float
    links_mib: float
    handles: float
    queues_mib: float
    stored_octets: float
    dead_rows: float
    p50_ms: float | None
    p99_ms: float | None


class Limit(msgspec.Struct, frozen=True):
    """How much a figure may grow in the judged time: so much of its level, or so much in itself.

    The larger of both counts, since a share of next to nothing says nothing.
    """

    share: float
    least: float
    unit: str

    def met_by(self, found: Trend) -> float:
        """What may be."""
        return max(self.share * abs(found.level), self.least)


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "gateway_mib": Limit(0.05, 8.0, "MiB"),
        "links_mib": Limit(0.05, 4.0, "MiB"),
        "handles": Limit(0.05, 4.0, ""),
        "queues_mib": Limit(0.25, 8.0, "MiB"),
        "stored_octets": Limit(0.05, 20.0, "octets"),
        "dead_rows": Limit(0.5, 50_000.0, "rows"),
        "p50_ms": Limit(0.2, 20.0, "ms"),
        "p99_ms": Limit(0.3, 50.0, "ms"),
    }
)


def judged(looks: Sequence[Look]) -> list[Look]:
    """Those of the last two thirds that no fault touches."""
    if not looks:
        return []
    first = looks[-1].at / 3
    return [look for look in looks if look.at >= first and look.calm]


def flat(looks: Sequence[Look]) -> list[Verdict]:
    """For each figure: what it grew by at most, with a confidence of 95 %. Of too few, nothing."""
    found = []
    for name, limit in LIMITS.items():
        grown = trend(series(judged(looks), name))
        if grown is not None:
            most = round(limit.met_by(grown), 2)
            what = f"{name.replace('_', ' ')} about {grown.level:.4g} grows by at most"
            found.append(Verdict(what, round(grown.high, 2), most, at_most=True, unit=limit.unit))
    return found


def series(looks: Sequence[Look], name: str) -> list[tuple[float, float]]:
    """(seconds, figure), of the looks that have it."""
    return [(look.at, value) for look in looks if (value := getattr(look, name)) is not None]


def by_minute(looks: Sequence[Look]) -> dict[str, list[dict[str, float]]]:
    """The median of each minute, calm or not: a row for each, called by its number."""
    minutes: dict[int, list[Look]] = {}
    for look in looks:
        minutes.setdefault(int(look.at // 60) + 1, []).append(look)
    names = ("sent_per_second", *LIMITS)
    return {
        str(minute): [
            {
                name: float(f"{statistics.median(value for _, value in points):.4g}")
                for name in names
                if (points := series(several, name))
            }
        ]
        for minute, several in minutes.items()
    }


class Looking:
    """One run's looks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.looks: list[Look] = []

    async def look(self, at: float, accepted: int, per_second: float, *, calm: bool) -> None:
        """Raises what a database or a process that is away raises."""
        connection = await connect(self._world.database_url, application_name="looks")
        try:
            sizes = await connection.fetch(_SQL["soak_sizes"])
            p50, p99 = await _latency(connection, datetime.now(UTC))
        finally:
            await close_connection(connection)
        gateway = psutil.Process(self._world.gateway.pid)
        links = psutil.Process(self._world.links.pid)
        whole = {row["name"]: row["octets"] + row["index_octets"] for row in sizes}
        queues = sum(octets for name, octets in whole.items() if name in QUEUES)
        self.looks.append(
            Look(
                at=round(at, 1),
                calm=calm,
                sent_per_second=round(per_second, 1),
                gateway_mib=round(gateway.memory_info().rss / MIB, 1),
                links_mib=round(links.memory_info().rss / MIB, 1),
                handles=gateway.num_fds() + links.num_fds(),
                queues_mib=round(queues / MIB, 2),
                stored_octets=round((sum(whole.values()) - queues) / max(1, accepted), 1),
                dead_rows=sum(row["dead"] for row in sizes),
                p50_ms=p50,
                p99_ms=p99,
            )
        )


async def _latency(connection: Connection, now: datetime) -> tuple[float | None, float | None]:
    row = await connection.fetchrow(
        _SQL["soak_latency"], id_at(now - LATENCY_FROM), id_at(now - LATENCY_TO), EPOCH_UNIX_MS,
        int(Status.DELIVERED),
    )  # fmt: skip
    assert row is not None  # a sum has a row
    quantiles = row["quantiles"]
    if quantiles is None:
        return None, None
    return round(float(quantiles[0]), 1), round(float(quantiles[1]), 1)
