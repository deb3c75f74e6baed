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
from campaigns.decisions.planned import LookPlan, NextLook, apart_at
from campaigns.decisions.sizes import needed_matured, needed_planned, rules_of
from campaigns.decisions.verdicts import Verdict, at_looks, in_words, standing
from campaigns.experiments.always_valid import Evidence, look
from campaigns.experiments.intervals import Bounded
from campaigns.experiments.power import level_each
from campaigns.experiments.sample_ratio import SampleRatio, sample_ratio
from campaigns.experiments.winner import Decision, Reason, Rules
from campaigns.running.experiment_spec import Experiment
from campaigns.running.store import StoredCampaign
from dlr.report_desk import snapshot


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far arm `one` is above arm `other`, within bounds that hold at every look together.

    `p`: how likely chance alone ever shows so much between two equal arms. Of planned looks it is
    `z` of the last one instead.
    """

    one: int
    other: int
    difference: Bounded
    p: float | None
    z: float | None = None


class ExperimentReport(msgspec.Struct, frozen=True, kw_only=True):
    """As of now. `waiting` people get theirs after the decision. `better` is an arm.

    `needed`: people matured, arm by arm, before a winner is named. `underpowered`: the plan has too
    few for that. `planned_ratio`, `matured_ratio`: are the arms of the sizes that they should be.

    With a `plan` of looks the verdict, the reasons and the differences are as of the last look, and
    `upcoming` is the next one. What `arms` have become since decides nothing.
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
    plan: LookPlan | None
    upcoming: NextLook | None


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
    rules, size, decided = rules_of(campaign.spec, asked), len(counts), campaign.decided
    begun = campaign.started_at
    decide_by = None if begun is None else begun + asked.decide_span
    plan = LookPlan.of(asked, [each.planned for each in counts])
    if plan is None:
        shown = _at_any_time(rules, counts, seen)
    else:
        shown = _at_last_look(campaign, plan, rules, seen, decide_by)
    verdict = standing(shown.found, decided, seen[-1].verdict if seen else None)
    better = None
    if verdict is Verdict.BETTER:
        better = decided.arm if decided and decided.how is How.WON else shown.found.winner
    planned = [each.planned for each in counts]
    return ExperimentReport(
        asked=asked,
        decide_by=decide_by,
        needed=needed_matured(asked, size),
        underpowered=min(planned) < needed_planned(asked, size),
        waiting=campaign.messages - sum(planned) if decided is None else 0,
        verdict=verdict,
        words=shown.words(verdict, better, decided, seen),
        better=better,
        reasons=() if verdict is Verdict.BETTER else shown.found.reasons,
        decided=decided,
        arms=list(counts),
        differences=shown.differences,
        planned_ratio=sample_ratio(planned, rules.weights),
        matured_ratio=sample_ratio([each.matured for each in counts], rules.weights),
        looks=seen,
        plan=plan,
        upcoming=shown.upcoming,
    )


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown so far, and by which looks."""

    found: Decision
    differences: list[Difference]
    plan: LookPlan | None = None
    upcoming: NextLook | None = None

    def words(
        self,
        verdict: Verdict,
        better: int | None,
        decided: Decided | None,
        seen: Sequence[StoredLook],
    ) -> str:
        """The verdict for people."""
        edited = decided is not None and decided.how is How.EDITED
        words = in_words(verdict, better, self.found.reasons, edited=edited)
        if self.plan is None or edited:
            return words
        taken = (seen[-1].number or 0) if seen else 0
        upcoming = None if self.upcoming is None else self.upcoming.number
        return at_looks(words, taken, self.plan.looks, upcoming)


def _at_any_time(rules: Rules, counts: Sequence[ArmCounts], seen: list[StoredLook]) -> _Shown:
    """What these counts show together with the looks: reading them is a look more."""
    looked = [*(each.counts for each in seen), counts]
    evidence = looks.evidence_of(looked, len(counts), rules)
    found = judged(rules, counts, evidence, due=True)
    return _Shown(found=found, differences=_differences(counts, evidence, rules))


def _at_last_look(
    campaign: StoredCampaign,
    plan: LookPlan,
    rules: Rules,
    seen: list[StoredLook],
    decide_by: datetime | None,
) -> _Shown:
    """What a plan of looks has shown; nothing before the first one."""
    is_open = campaign.decided is None and campaign.ended_at is None
    upcoming = plan.next(seen, decide_by) if is_open else None
    differences = []
    shares = [each.outcome for each in seen[-1].counts] if seen else []
    for one, other in _pairs(len(shares)):
        apart, z = apart_at(shares[one], shares[other], seen[-1].bound)
        differences.append(Difference(one=one, other=other, difference=apart, p=None, z=z))
    return _Shown(
        found=plan.standing(rules, seen, is_open=upcoming is not None),
        differences=differences,
        plan=plan,
        upcoming=upcoming,
    )


def _differences(counts: Sequence[ArmCounts], evidence: Evidence, rules: Rules) -> list[Difference]:
    """Of each pair, the higher arm of the two first."""
    level = level_each(rules.alpha, len(counts))
    return [
        Difference(
            one=one,
            other=other,
            difference=look(counts[one].outcome, counts[other].outcome, rules.tau, level).bounds,
            p=min(evidence.p(one, other), evidence.p(other, one)),
        )
        for one, other in _pairs(len(counts))
    ]


def _pairs(arms: int) -> list[tuple[int, int]]:
    return [(one, other) for one in range(arms) for other in range(one)]
