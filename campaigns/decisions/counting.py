"""What became of the people in the test of an experiment, by arm.

Owns that count. Must not judge it (campaigns/experiments does), nor write.

A recipient counts once the time to react is over. Whoever is behind the test is in no count: what
they get follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from campaigns.experiments.winner import Arm
from campaigns.running.experiment_spec import Experiment
from campaigns.running.stopping import PREFIX
from dlr.anomalies.significance import Share
from dlr.reasons import Reason
from dlr.status import Status
from shortlinks.classify import ClickClass
from storage import sql
from storage.ids import EPOCH_UNIX_MS, format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")
COUNT_SECONDS_MAX = 60.0


class ArmCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one arm: people planned, messages, and people by what became of them.

    `matured`: delivered so long ago that the time to react is over. `successes` are of them.
    """

    planned: int = 0
    sent: int = 0
    delivered: int = 0
    matured: int = 0
    successes: int = 0
    opt_outs: int = 0

    @property
    def outcome(self) -> Share:
        """Successes of those matured."""
        return Share(self.successes, self.matured)

    @property
    def judged(self) -> Arm:
        """As the rules of a decision want it."""
        return Arm(
            self.planned,
            self.outcome,
            Share(self.delivered, self.sent),
            Share(self.opt_outs, self.delivered),
        )


_COUNTED = tuple(name for name in ArmCounts.__struct_fields__ if name != "planned")


async def counted(
    connection: Connection,
    campaign: int,
    asked: Experiment,
    *,
    test_end: int,
    test: Mapping[str, int],
    now: datetime,
) -> list[ArmCounts]:
    """Arm by arm, as of now, in a transaction of the caller. `test`: people planned in it, as the
    plan counted them by arm.
    """
    # Of tables that are new the planner knows no size, and would go through one for each row.
    await connection.execute("SET LOCAL enable_nestloop = off")
    reach = await connection.fetchrow(_SQL["campaign_reach"], campaign)
    assert reach is not None  # an aggregate
    found: dict[int, asyncpg.Record] = {}
    if reach["first"] is not None:
        rows = await connection.fetch(
            _SQL["experiment_counts"], campaign, reach["first"], reach["last"] + 1,
            format_id(PREFIX, campaign), test_end, Status.DELIVERED, ClickClass.HUMAN,
            asked.metric == "cvr_delivered", EPOCH_UNIX_MS, asked.window_span, now,
            Reason.OPTED_OUT,
            timeout=COUNT_SECONDS_MAX,
        )  # fmt: skip
        found = {row["arm"]: row for row in rows}
    return [
        ArmCounts(
            planned=test[str(arm)],
            **({name: found[arm][name] for name in _COUNTED} if arm in found else {}),
        )
        for arm in range(len(test))
    ]


def planned_in_test(counts: Mapping[str, object]) -> dict[str, int]:
    """What a plan has counted of the test, by arm. `counts`: of the campaign's row."""
    return msgspec.convert(counts.get("test", {}), dict[str, int])


def larger(one: Sequence[ArmCounts], other: Sequence[ArmCounts]) -> Sequence[ArmCounts]:
    """The counts that know of more people: messages are deleted by age, and looks are not."""
    return one if sum(a.matured for a in one) >= sum(b.matured for b in other) else other
