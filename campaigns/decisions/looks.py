"""Looks at an experiment: what each has seen, and what they show together.

Owns `experiment_look`, and when one is due. Must not count (counting.py), nor decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import exp
from typing import Final

import msgspec

from campaigns.decisions.counting import ArmCounts
from campaigns.decisions.verdicts import Verdict
from campaigns.experiments.always_valid import Evidence, look
from campaigns.experiments.winner import Rules
from campaigns.running.experiment_spec import Experiment
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")
LOOKS_MAX: Final = 100
"""Of one experiment by their distance, the last one apart."""
APART_MIN: Final = timedelta(seconds=10)
_LARGEST_LOG: Final = 700.0  # of what a double holds


class StoredLook(msgspec.Struct, frozen=True, kw_only=True):
    """`ratio`: the largest likelihood ratio of two arms, by what this look saw alone.

    A planned one has a `number` from 1 instead, and a `bound`: what |z| had to reach. Without a
    bound nobody was matured.
    """

    at: datetime
    counts: list[ArmCounts]
    ratio: float | None = None
    verdict: Verdict = Verdict.TOO_FEW
    number: int | None = None
    bound: float | None = None


def apart(asked: Experiment) -> timedelta:
    """From one look to the next one."""
    return max(APART_MIN, (asked.decide_span - asked.window_span) / LOOKS_MAX)


def due(asked: Experiment, started_at: datetime, last: datetime | None, now: datetime) -> bool:
    """Whether to look again. `last`: the last one up to now, whatever the clock did since."""
    if now < started_at + asked.window_span:
        return False  # nobody has had the time to react
    over = now >= started_at + asked.decide_span
    return over or last is None or now >= last + apart(asked)


def evidence_of(looks: Iterable[Sequence[ArmCounts]], arms: int, rules: Rules) -> Evidence:
    """What looks show together."""
    found = Evidence.none(arms)
    for counts in looks:
        found = found.looked([each.outcome for each in counts], rules.tau, rules.alpha)
    return found


def ratio_of(counts: Sequence[ArmCounts], rules: Rules) -> float:
    """As StoredLook has it."""
    shares = [each.outcome for each in counts]
    logs = [
        look(one, other, rules.tau, rules.alpha).log_ratio
        for place, one in enumerate(shares)
        for other in shares[:place]
    ]
    return exp(min(max(logs), _LARGEST_LOG))


async def last_at(connection: Connection, campaign: int, now: datetime) -> datetime | None:
    """Of the last look up to now."""
    found: datetime | None = await connection.fetchval(_SQL["look_last"], campaign, now)
    return found


async def last_number(connection: Connection, campaign: int) -> int:
    """Of the planned looks that were taken; 0: none was."""
    found: int | None = await connection.fetchval(_SQL["look_number"], campaign)
    return found or 0


async def stored(connection: Connection, campaign: int) -> list[StoredLook]:
    """All of one experiment, the first one first."""
    rows = await connection.fetch(_SQL["looks"], campaign)
    return [
        StoredLook(
            at=row["at"],
            counts=msgspec.convert(row["counts"], list[ArmCounts]),
            ratio=row["lambda"],
            verdict=Verdict(row["verdict"]),
            number=row["ordinal"],
            bound=row["bound"],
        )
        for row in rows
    ]


async def store(connection: Connection, campaign: int, made: StoredLook) -> None:
    """In the caller's transaction, which holds the campaign's row."""
    await connection.execute(
        _SQL["look_add"], campaign, made.at, msgspec.to_builtins(made.counts), made.ratio,
        made.verdict, made.number, made.bound,
    )  # fmt: skip
