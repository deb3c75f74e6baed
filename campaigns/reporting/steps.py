"""Steps of a campaign: how far people came of what a site told of them, one thing after another.

Owns that count, from the events of contacts since delivery. Must not keep it: it is there as long
as messages, plan and events are stored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from campaigns.click_steps import EVENTS_MAX, people_by_step
from campaigns.clicks import WALKS_MAX
from campaigns.reporting.counting import Batch
from dlr.rates import Rate, rate_of
from dlr.report import TooManyRows
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")
STEP_DAYS = 30  # after delivery


class StepFigures(msgspec.Struct, frozen=True):
    """The people who did one step after all before it, of those delivered."""

    event: str
    people: int
    of_delivered: Rate


async def steps_of(
    connection: Connection,
    campaign: int,
    account: int,
    batches: Sequence[Batch],
    steps: Sequence[str],
) -> dict[int | None, list[StepFigures]]:
    """By arm; None: of all. Raises TooManyRows."""
    if not batches:
        return {}
    ids = [each.batch for each in batches]
    rows = await connection.fetch(
        _SQL["report_steps"], campaign, ids, min(ids), max(each.until_id for each in batches),
        account, sorted(set(steps)), WALKS_MAX + 1, EVENTS_MAX, STEP_DAYS,
    )  # fmt: skip
    if len(rows) > WALKS_MAX:
        raise TooManyRows
    walks: dict[int | None, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in rows:
        for arm in (row["arm"], None):
            walks[arm][tuple(row["did"])] += row["people"]
    found = {}
    for arm, did in walks.items():
        delivered = did.total()
        people = people_by_step(steps, did.items())
        found[arm] = [
            StepFigures(event, count, rate_of(count, delivered))
            for event, count in zip(steps, people, strict=True)
        ]
    return found
