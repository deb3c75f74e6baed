"""Each quarter of an hour looked at once, by one process of the installation.

Owns the turn: read, judge, store and tell in one transaction. Then what was found is offered to the
breakers, and then the quarter counts as looked at. Killed before that, the next one does it all
again: what was told is told once in hours, and what has opened opens once. Must not open a breaker
(`Trip` decides).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from dlr.anomalies import causes, judging, rows
from dlr.anomalies.alarms import QUIET_SECONDS, to_tell
from dlr.anomalies.baselines import AGES, DAYS
from dlr.anomalies.detectors import Finding
from dlr.anomalies.judging import Found, Quarters
from dlr.anomalies.keys import Place
from dlr.anomalies.month import Month
from dlr.anomalies.rows import Anomaly
from dlr.anomalies.series import Names, places, windows
from dlr.anomalies.significance import KEYS_MAX, level_of
from dlr.rollups.columns import QUARTERS_PER_DAY, RECEIPT, day_of, quarter_of, start_of_quarter
from dlr.rollups.latency import value_of
from dlr.webhooks.changes import Happened, happened, tell
from dlr.webhooks.events import moment
from storage import sql
from storage.ids import IdSource, id_at, time_of
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("dlr")
_log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 30.0
AGED: Final = timedelta(minutes=5)  # from a quarter's end until its last message is so old
SETTLED: Final = AGED + timedelta(minutes=3)  # until rollups have counted that
OPENING: Final = frozenset({"silence", "drop", "complaints"})  # of the detectors, for breakers
EVENT: Final = "anomaly.detected"
EVERY_ACCOUNT: Final = 0
WAIT_MS: Final = 300_000  # for receipts, where nothing is known


class Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """What a breaker may be opened by. `began_at`: of what was counted."""

    place: Place
    finding: Finding
    began_at: datetime
    baseline: float
    wait_ms: int


Trip = Callable[[Suspicion], Awaitable[bool]]


async def nobody(_suspicion: Suspicion) -> bool:
    """Nothing opens."""
    return False


class AnomalyWatch:
    """This process's part. `told` counts alarms by detector."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        names: Names,
        ids: IdSource,
        now: Callable[[], datetime],
        ended: Ended,
        trip: Trip = nobody,
        otp: Callable[[], bool] = lambda: False,
    ) -> None:
        """`otp`: whether one-time passwords are evidence for a breaker."""
        self._dedicated = dedicated
        self._names = names
        self._ids = ids
        self._now = now
        self._trip = trip
        self._otp = otp
        self._month = Month()
        self._task = PeriodicTask("anomalies", self.turn, lambda: LOOK_SECONDS, ended=ended)
        self.told: Counter[str] = Counter()

    def start(self) -> None:
        """Start the loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop."""
        await self._task.stop()

    async def turn(self) -> None:
        """Look at the last quarter that is settled, if nobody has."""
        quarter = quarter_of(self._now() - SETTLED) - 1
        async with self._dedicated.guarded() as connection:
            counted = await connection.fetchrow(_SQL["anomaly_counted"])
            if counted is None or not _settled(counted, quarter):
                return
            # Outside of the transaction: while one is open, rollups do not go on.
            await self._month.learn(connection, day_of(quarter))
        async with self._dedicated.transaction() as connection:
            looked = await connection.fetchval(_SQL["anomaly_turn"])
            if looked is None or looked >= quarter:
                return
            found = await self._look(connection, Quarters(quarter, counted["first_quarter"]))
            stored = await self._tell(connection, found)
        for anomaly in stored:
            self.told[anomaly.finding.detector] += 1
            _log.warning(
                "anomaly_detected",
                detector=anomaly.finding.detector,
                scope=anomaly.scope,
                subject=anomaly.subject,
            )
        await self._offer(found)
        async with self._dedicated.transaction() as connection:
            await connection.execute(_SQL["anomaly_looked"], quarter)

    async def _look(self, connection: Connection, quarters: Quarters) -> list[Found]:
        month, names = self._month, self._names
        counted = await windows(connection, quarters.wanted())
        known = await places(connection, counted.keys(), names)
        level = level_of(min(len(counted), KEYS_MAX))
        found: list[Found] = []
        for key, place in known.items():
            spreads = {age: month.spread(key, age) for age in AGES}
            found += judging.of_key(place, counted[key], quarters, spreads, level)
        found += await causes.reasons(connection, quarters, counted, month, names, level)
        found += await causes.latencies(connection, quarters, month, names, level)
        until = start_of_quarter(quarters.last + 1)
        days = min(DAYS, (quarters.last - quarters.first) // QUARTERS_PER_DAY)
        found += await causes.complaints(connection, until, days, names, level)
        return judging.in_order(found)

    async def _tell(self, connection: Connection, found: Sequence[Found]) -> list[Anomaly]:
        """Store what was not told lately, and tell webhooks."""
        now = self._now()
        told = await rows.last_told(connection, id_at(now - timedelta(seconds=QUIET_SECONDS)))
        last = {place: time_of(each).timestamp() for place, each in told.items()}
        new = to_tell(
            (((each.place.scope, each.place.subject), each) for each in found),
            last,
            now.timestamp(),
        )
        anomalies = [
            Anomaly(
                id=self._ids.next(),
                scope=each.place.scope,
                subject=each.place.subject,
                account=each.place.account,
                about=each.about,
                began_at=each.began_at,
                finding=each.finding,
            )
            for _, each in new
        ]
        await rows.put(connection, anomalies)
        await tell(connection, [_event(each) for each in anomalies], self._ids)
        return anomalies

    async def _offer(self, found: Sequence[Found]) -> None:
        """Whoever alarms may open a breaker, told or not: it may have failed again within the
        hours in which nobody is told.
        """
        for each in found:
            finding = each.finding if self._otp() else each.others
            if finding is None or finding.detector not in OPENING:
                continue
            place = each.place
            opened = await self._trip(
                Suspicion(
                    place=place,
                    finding=finding,
                    began_at=each.began_at,
                    baseline=each.baseline,
                    wait_ms=self._wait_ms(place.subject),
                )
            )
            if opened:
                async with self._dedicated.transaction() as connection:
                    await connection.execute(
                        _SQL["anomaly_opened"],
                        place.scope, place.subject, each.began_at, id_at(each.began_at),
                    )  # fmt: skip

    def _wait_ms(self, subject: str) -> int:
        """After probes: until most receipts of the connector have come, in a usual month."""
        name = subject.partition(":")[0]
        for (connector, kind), bucket in self._month.slow_bucket.items():
            if kind == RECEIPT and self._names.connector(connector) == name:
                return int(value_of(bucket))
        return WAIT_MS


def _settled(counted: asyncpg.Record, quarter: int) -> bool:
    """Whether nobody has looked at a quarter, and rollups have counted all of it, as it is five
    minutes after its end.
    """
    if counted["first_quarter"] is None or counted["looked"] >= quarter:
        return False
    end = start_of_quarter(quarter + 1)
    merged: datetime = counted["merged_at"]
    return bool(counted["cursor"] >= id_at(end)) and merged >= end + AGED


def _event(anomaly: Anomaly) -> Happened:
    """What webhooks are told. Of a connector, which all accounts share, no counts."""
    shared, finding = anomaly.account is None, anomaly.finding
    data = {
        "detector": finding.detector,
        "scope": anomaly.scope,
        "subject": anomaly.subject,
        "about": anomaly.about,
        "began_at": moment(anomaly.began_at),
        "observed": None if shared else finding.observed,
        "usual": None if shared else finding.usual,
    }
    account = EVERY_ACCOUNT if anomaly.account is None else anomaly.account
    return happened(EVENT, account, time_of(anomaly.id), data)
