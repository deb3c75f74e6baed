"""What an experiment shows so far: each arm, how far they are apart, and what was decided.

Owns that report. Must not decide, nor write. Whatever the figures become, a decision stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from campaigns.decisions import looks
from campaigns.decisions.counting import ArmCounts, counted, larger, planned_in_test
from campaigns.decisions.decided import Decided, How
from campaigns.decisions.deciding import judged
from campaigns.decisions.looks import StoredLook
from campaigns.decisions.sizes import needed_matured, needed_planned, rules_of
from campaigns.decisions.verdicts import Verdict, in_words, standing
from campaigns.experiments.always_valid import Evidence, look
from campaigns.experiments.intervals import Bounded
from campaigns.experiments.power import level_each
from campaigns.experiments.sample_ratio import SampleRatio, sample_ratio
from campaigns.experiments.winner import Reason, Rules
from campaigns.running.experiment_spec import Experiment
from campaigns.running.store import StoredCampaign
from dlr.report_desk import snapshot


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far arm `one` is above arm `other`, within bounds that hold at every look together.

    `p`: how likely chance alone ever shows so much between two equal arms.
    """

    one: int
    other: int
    difference: Bounded
    p: float


class ExperimentReport(msgspec.Struct, frozen=True, kw_only=True):
    """As of now. `waiting` people get theirs after the decision. `better` is an arm.

    `needed`: people matured, arm by arm, before a winner is named. `underpowered`: the plan has too
    few for that. `planned_ratio`, `matured_ratio`: are the arms of the sizes that they should be.
    """

    asked: Experiment
    decide_by: datetime | None
    needed: int
    underpowered: bool
    waiting: int
    verdict: Verdict
    words: str
    better: int | None
    reasons: tuple[Reason, ...]
    decided: Decided | None
    arms: list[ArmCounts]
    differences: list[Difference]
    planned_ratio: SampleRatio
    matured_ratio: SampleRatio
    looks: list[StoredLook]


class ExperimentReports:
    """Reads experiments for the API. Raises StorageDown, ReportTooSlow."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def experiment(self, campaign: StoredCampaign, now: datetime) -> ExperimentReport | None:
        """None: it has none, or nobody is planned yet."""
        asked, test_end = campaign.spec.experiment, campaign.test_end
        if asked is None or test_end is None or campaign.planned_at is None:
            return None
        test = planned_in_test(campaign.counts)
        async with snapshot(self._pool) as connection:
            seen = await looks.stored(connection, campaign.id)
            counts = await counted(
                connection, campaign.id, asked, test_end=test_end, test=test, now=now
            )
        return made(campaign, asked, counts, seen)


def made(
    campaign: StoredCampaign,
    asked: Experiment,
    counts: Sequence[ArmCounts],
    seen: list[StoredLook],
) -> ExperimentReport:
    """The report of these counts, behind the looks that were made."""
    if seen:
        counts = larger(counts, seen[-1].counts)
    rules, size = rules_of(campaign.spec, asked), len(counts)
    evidence = looks.evidence_of([*(each.counts for each in seen), counts], size, rules)
    found = judged(rules, counts, evidence, due=True)
    decided = campaign.decided
    verdict = standing(found, decided, seen[-1].verdict if seen else None)
    better = None
    if verdict is Verdict.BETTER:
        better = decided.arm if decided and decided.how is How.WON else found.winner
    planned = [each.planned for each in counts]
    begun = campaign.started_at
    return ExperimentReport(
        asked=asked,
        decide_by=None if begun is None else begun + asked.decide_span,
        needed=needed_matured(asked, size),
        underpowered=min(planned) < needed_planned(asked, size),
        waiting=campaign.messages - sum(planned) if decided is None else 0,
        verdict=verdict,
        words=in_words(
            verdict, better, found.reasons, edited=decided is not None and decided.how is How.EDITED
        ),
        better=better,
        reasons=() if verdict is Verdict.BETTER else found.reasons,
        decided=decided,
        arms=list(counts),
        differences=_differences(counts, evidence, rules),
        planned_ratio=sample_ratio(planned, rules.weights),
        matured_ratio=sample_ratio([each.matured for each in counts], rules.weights),
        looks=seen,
    )


def _differences(counts: Sequence[ArmCounts], evidence: Evidence, rules: Rules) -> list[Difference]:
    """Of each pair, the higher arm of the two first."""
    level = level_each(rules.alpha, len(counts))
    pairs = [(one, other) for one in range(len(counts)) for other in range(one)]
    return [
        Difference(
            one=one,
            other=other,
            difference=look(counts[one].outcome, counts[other].outcome, rules.tau, level).bounds,
            p=min(evidence.p(one, other), evidence.p(other, one)),
        )
        for one, other in pairs
    ]
