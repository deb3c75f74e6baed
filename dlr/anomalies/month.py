"""What is usual over a month: how much windows differ by nature, and how long receipts take.

Owns sums of 28 days, kept in memory a day at a time: a new day is one bounded statement of each
kind. Must not judge. A process that starts reads them anew.

Ten windows do not show how much a key differs from itself: too many quiet ones would alarm. So the
factor is pooled over every window of the month.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import msgspec

from dlr.anomalies.baselines import DAYS, Age
from dlr.anomalies.keys import Key
from dlr.anomalies.series import key_of
from dlr.anomalies.significance import Spread
from dlr.rollups.columns import QUARTERS_PER_DAY
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
KEYS_PER_DAY_MAX = 1_000
P95 = Fraction(95, 100)
NOTHING = Spread(0, 0, 0, 0.0)

Kind = tuple[int, int]  # connector, kind as in rollup_latency


class _Day(msgspec.Struct):
    shares: dict[tuple[Key, Age], Spread]
    reasons: dict[tuple[int, int], tuple[int, float]]  # connector, reason -> messages, squares
    latencies: dict[Kind, dict[int, int]]


class Month:
    """The sums of the days before today."""

    def __init__(self) -> None:
        self._days: dict[int, _Day] = {}
        self._slow: dict[Kind, Spread] = {}
        self.slow_bucket: dict[Kind, int] = {}  # what 95 % of the month took at most

    async def learn(self, connection: Connection, today: int) -> None:
        """Read the days that are missing. `today` as in rollup_day: it is not over, so it is not
        read.
        """
        wanted = range(today - DAYS, today)
        missing = [day for day in wanted if day not in self._days]
        if not missing:
            return
        for day in missing:
            self._days[day] = await _read(connection, day)
        self._days = {day: self._days[day] for day in wanted}
        await self._learn_latency(connection)

    def spread(self, key: Key, age: Age) -> Spread:
        """The sums of a key's delivered shares at this age."""
        return _sum([day.shares.get((key, age), NOTHING) for day in self._days.values()])

    def reason_spread(self, connector: int, reason: int) -> Spread:
        """The sums of a reason's shares of what went by a connector."""
        sent = self.spread(Key("connector", connector), "d1h")
        told = [day.reasons.get((connector, reason), (0, 0.0)) for day in self._days.values()]
        messages = sum(each[0] for each in told)
        return Spread(sent.windows, messages, sent.whole, sum(each[1] for each in told))

    def slow_spread(self, kind: Kind) -> Spread:
        """The sums of the shares that took longer than `slow_bucket`."""
        return self._slow.get(kind, NOTHING)

    async def _learn_latency(self, connection: Connection) -> None:
        month: dict[Kind, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for day in self._days.values():
            for kind, histogram in day.latencies.items():
                for bucket, count in histogram.items():
                    month[kind][bucket] += count
        self.slow_bucket = {kind: _bucket_at(each, P95) for kind, each in month.items() if each}
        kinds = list(self.slow_bucket)
        sums: dict[Kind, list[Spread]] = defaultdict(list)
        for day_number in self._days if kinds else ():
            rows = await connection.fetch(
                _SQL["anomaly_latency_spreads"],
                *_quarters(day_number),
                [connector for connector, _ in kinds],
                [kind for _, kind in kinds],
                list(self.slow_bucket.values()),
            )
            for row in rows:
                sums[row["connector"], row["kind"]].append(
                    Spread(row["windows"], row["part"], row["whole"], row["squares"])
                )
        self._slow = {kind: _sum(each) for kind, each in sums.items()}


async def _read(connection: Connection, day: int) -> _Day:
    span = _quarters(day)
    shares: dict[tuple[Key, Age], Spread] = {}
    for row in await connection.fetch(_SQL["anomaly_spreads"], *span, KEYS_PER_DAY_MAX):
        key, windows, sent = key_of(row), row["windows"], row["sent"]
        shares[key, "d5m"] = Spread(windows, row["d5m"], sent, row["d5m_squares"])
        shares[key, "d1h"] = Spread(windows, row["d1h"], sent, row["d1h_squares"])
    reasons = {
        (row["connector"], row["reason"]): (row["messages"], row["squares"])
        for row in await connection.fetch(_SQL["anomaly_reason_spreads"], *span)
    }
    latencies: dict[Kind, dict[int, int]] = {}
    for row in await connection.fetch(_SQL["anomaly_latency_day"], *span):
        histogram = latencies.setdefault((row["connector"], row["kind"]), {})
        histogram[row["bucket"]] = row["messages"]
    return _Day(shares, reasons, latencies)


def _quarters(day: int) -> tuple[int, int]:
    return day * QUARTERS_PER_DAY, (day + 1) * QUARTERS_PER_DAY


def _sum(spreads: list[Spread]) -> Spread:
    return Spread(
        sum(each.windows for each in spreads),
        sum(each.part for each in spreads),
        sum(each.whole for each in spreads),
        sum(each.squares for each in spreads),
    )


def _bucket_at(histogram: dict[int, int], share: Fraction) -> int:
    rank, seen = share * sum(histogram.values()), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return bucket
    raise AssertionError("a histogram has a bucket")
