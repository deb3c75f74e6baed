"""What may be behind it: reasons that rise, receipts that take longer, complaints that cluster.

Owns the reading of their windows. Must not know thresholds (detectors.py). Bounded: some quarters,
or the complaints of a month.

Reasons and latencies are those of connectors, in a quarter that is an hour over. What failed or
came late since can only add to it, so a young window is never taken for a rise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from dlr.anomalies import detectors, judging
from dlr.anomalies.baselines import WINDOWS_MIN
from dlr.anomalies.detectors import Finding
from dlr.anomalies.judging import Found, Quarters
from dlr.anomalies.keys import Counted, Key, Place
from dlr.anomalies.month import Month
from dlr.anomalies.series import Names
from dlr.anomalies.significance import KEYS_MAX, Share
from dlr.reasons import Reason
from dlr.rollups.columns import ANSWER, RECEIPT, start_of_quarter
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("dlr")
KINDS: Final[Mapping[int, str]] = {ANSWER: "answer", RECEIPT: "receipt"}
NOTHING: Final = Share(0, 0)
DAY: Final = timedelta(days=1)


async def reasons(
    connection: Connection,
    quarters: Quarters,
    counted: Mapping[Key, Mapping[int, Counted]],
    month: Month,
    names: Names,
    level: float,
) -> list[Found]:
    """Of each connector's messages that were sent, those that failed by one reason."""
    quarter = quarters.at("d1h")
    compared = quarters.compared(quarter)
    failed: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for row in await connection.fetch(_SQL["anomaly_reasons"], [quarter, *compared]):
        failed[row["connector"], row["reason"]][row["quarter"]] = row["messages"]
    found: list[Found] = []
    for (connector, reason), counts in failed.items():
        sent = counted.get(Key("connector", connector), {})
        shares = {
            at: Share(min(counts.get(at, 0), each.every.sent), each.every.sent)
            for at, each in sent.items()
        }
        finding = judging.of_shares(
            detectors.reason,
            shares.get(quarter, NOTHING),
            [shares.get(at, NOTHING) for at in compared],
            month.reason_spread(connector, reason),
            level,
        )
        found += _of_connector(names.connector(connector), finding, quarter, Reason(reason).label)
    return found


async def latencies(
    connection: Connection, quarters: Quarters, month: Month, names: Names, level: float
) -> list[Found]:
    """Of each connector's answers and receipts, those beyond what 95 % of a month took."""
    quarter = quarters.at("d1h")
    compared = quarters.compared(quarter)
    slow: dict[tuple[int, int], dict[int, Share]] = defaultdict(dict)
    for row in await connection.fetch(_SQL["anomaly_latencies"], [quarter, *compared]):
        kind, at, count = (row["connector"], row["kind"]), row["quarter"], row["messages"]
        limit = month.slow_bucket.get(kind)
        if limit is not None:
            part = Share(count if row["bucket"] > limit else 0, count)
            slow[kind][at] = slow[kind].get(at, NOTHING) + part
    found: list[Found] = []
    for (connector, kind_number), shares in slow.items():
        finding = judging.of_shares(
            detectors.latency,
            shares.get(quarter, NOTHING),
            [shares.get(at, NOTHING) for at in compared],
            month.slow_spread((connector, kind_number)),
            level,
        )
        found += _of_connector(names.connector(connector), finding, quarter, KINDS[kind_number])
    return found


async def complaints(
    connection: Connection, until: datetime, days: int, names: Names, level: float
) -> list[Found]:
    """Those told in a day, against the mean of the `days` before it, up to 28, that are known."""
    if days < WINDOWS_MIN:
        return []
    rows = await connection.fetch(
        _SQL["anomaly_complaints"],
        id_at(until - DAY * (days + 1)),
        id_at(until - DAY),
        id_at(until),
        KEYS_MAX,
    )
    found: list[Found] = []
    for row in rows:
        account = row["account"]
        owner = names.connector(row["connector"]) if account is None else names.account(account)
        finding = detectors.complaints(row["now"], row["before"] / days, level)
        if finding is None or owner is None:
            continue
        subject = owner if account is None else f"{owner}:{row['name']}"
        place = Place(row["scope"], subject, account)
        found.append(Found(place=place, finding=finding, began_at=until - DAY, others=finding))
    return found


def _of_connector(
    name: str | None, finding: Finding | None, quarter: int, about: str
) -> Iterator[Found]:
    if finding is not None and name is not None:
        place = Place("connector", name)
        yield Found(place=place, finding=finding, began_at=start_of_quarter(quarter), about=about)
