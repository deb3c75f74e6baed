"""Planned looks of an experiment: which one is reached, what it is judged by, and what is next.

Owns that, and what a look says of itself. Must not count, store, nor know bounds
(campaigns/experiments). Pure.

A look comes when each arm has its part of the people who are expected to be delivered. So it hangs
on deliveries and the clock, and on no reaction. The last one is taken at `decide_by` at the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil, floor, inf, sqrt

import msgspec

from campaigns.decisions.counting import ArmCounts
from campaigns.decisions.looks import StoredLook
from campaigns.decisions.sizes import DELIVERED_MIN
from campaigns.decisions.verdicts import verdict_of
from campaigns.experiments.intervals import Bounded
from campaigns.experiments.planned_looks import Crossings, Taken, bound, bounds
from campaigns.experiments.power import level_each
from campaigns.experiments.winner import Decision, Reason, Rules, State, decide, matured_min
from campaigns.running.experiment_spec import Experiment
from dlr.anomalies.significance import Share, z_of_shares

_ROUNDING = 1e-9


class NextLook(msgspec.Struct, frozen=True, kw_only=True):
    """`people`: matured arm by arm when it comes. `bound`: what |z| has to reach there, as planned.

    `at_latest`: the last one is taken then, with whoever is matured.
    """

    number: int
    people: tuple[int, ...]
    bound: float
    at_latest: datetime | None


class LookPlan(msgspec.Struct, frozen=True):
    """`level`: how often a comparison of two equal arms may be wrong, over all looks.

    `people`: matured arm by arm at the last look.
    """

    looks: int
    level: float
    people: tuple[int, ...]

    @classmethod
    def of(cls, asked: Experiment, planned: Iterable[int]) -> LookPlan | None:
        """None: this one may be looked at all the time. `planned`: people in the test, by arm."""
        if asked.test.planned is None:
            return None
        people = tuple(max(1, floor(each * DELIVERED_MIN + _ROUNDING)) for each in planned)
        return cls(asked.test.planned, level_each(asked.alpha, len(people)), people)

    def at(self, number: int) -> tuple[int, ...]:
        """People matured, arm by arm, at which look `number` comes."""
        return tuple(ceil(each * number / self.looks) for each in self.people)

    def reached(self, counts: Sequence[ArmCounts]) -> int:
        """The look that every arm has the people for; 0: not even the first one."""
        least = min(
            each.matured * self.looks // people
            for each, people in zip(counts, self.people, strict=True)
        )
        return min(least, self.looks)

    def taken(self, seen: Iterable[StoredLook]) -> list[Taken]:
        """The looks so far. Deletions by age take nothing back from what was known."""
        found: list[Taken] = []
        for each in seen:
            if each.number is not None and each.bound is not None:
                known = max(self._information(each.counts), found[-1].information if found else 0)
                found.append(Taken(each.number, known, each.bound))
        return found

    def judge(
        self,
        rules: Rules,
        before: Sequence[StoredLook],
        number: int,
        counts: list[ArmCounts],
        now: datetime,
    ) -> tuple[StoredLook, Decision]:
        """Look `number` as it is stored, and what it decides: the last one always does."""
        limit = bound(self.looks, self.level, self.taken(before), number, self._information(counts))
        seen = StoredLook(
            at=now, counts=counts, number=number, bound=limit if limit < inf else None
        )
        found = self.decided(rules, [*before, seen])
        return msgspec.structs.replace(seen, verdict=verdict_of(found)), found

    def decided(self, rules: Rules, seen: Sequence[StoredLook]) -> Decision:
        """What the last of these looks says."""
        last = seen[-1]
        shown, number = Crossings.none(len(self.people)), last.number or self.looks
        for each in seen:
            outcomes = [arm.outcome for arm in each.counts]
            shown = shown.looked(outcomes, inf if each.bound is None else each.bound)
        part = matured_min(ceil(rules.matured_min * number / self.looks))
        at_look = msgspec.structs.replace(rules, matured_min=part)
        judged = [arm.judged for arm in last.counts]
        return decide(at_look, judged, shown.winner(), due=number == self.looks)

    def standing(self, rules: Rules, seen: Sequence[StoredLook], *, is_open: bool) -> Decision:
        """What is shown as of the last look. `is_open`: a further one follows."""
        between = (Reason.BETWEEN_LOOKS,) if is_open else ()
        if not seen:
            return Decision(State.WAITING, None, (Reason.TOO_FEW, *between))
        found = self.decided(rules, seen)
        if found.winner is not None:
            return found
        return Decision(found.state, None, (*found.reasons, *between))

    def next(self, seen: Sequence[StoredLook], at_latest: datetime | None) -> NextLook | None:
        """None: the last one is taken."""
        number = (seen[-1].number or 0) + 1 if seen else 1
        if number > self.looks:
            return None
        return NextLook(
            number=number,
            people=self.at(number),
            bound=bounds(self.looks, self.level)[number - 1],
            at_latest=at_latest,
        )

    def note(self, seen: Sequence[StoredLook], place: int) -> str | None:
        """What was not as planned at one of these looks; None: nothing."""
        number = seen[place].number or 0
        before = (seen[place - 1].number or 0) if place else 0
        found, planned = sum(each.matured for each in seen[place].counts), sum(self.at(number))
        said = []
        if number - before > 1:
            missed = " and ".join(str(each) for each in range(before + 1, number))
            said.append(f"not taken before it: {missed}; what was theirs to spend is spent here")
        if number > self.reached(seen[place].counts):
            said.append(f"taken at decide_by with {found} people matured instead of {planned}")
        elif found > planned:
            said.append(
                f"{found} people were matured instead of {planned}, and its bound is made of them"
            )
        return "; ".join(said) or None

    def _information(self, counts: Iterable[ArmCounts]) -> float:
        return sum(each.matured for each in counts) / sum(self.people)


def apart_at(one: Share, other: Share, limit: float | None) -> tuple[Bounded, float]:
    """How far one is above the other at a look, and z. The bounds hold at all looks together.

    `limit`: that of the look; None: nobody could be judged.
    """
    p, q = one.value, other.value
    if limit is None or not one.whole or not other.whole:
        return Bounded(p - q, -1.0, 1.0), 0.0
    reach = limit * sqrt(p * (1 - p) / one.whole + q * (1 - q) / other.whole)
    apart = Bounded(p - q, max(-1.0, p - q - reach), min(1.0, p - q + reach))
    return apart, z_of_shares(one, other, 1.0)
