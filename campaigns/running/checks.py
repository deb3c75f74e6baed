"""What is checked before a campaign starts or goes on: all refusals at once.

Owns the conditions and their words. Must not find out what is the case: it is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from campaigns.running.schedule import late
from campaigns.running.states import CampaignState, Move, allowed, asked_in
from messages.models import FieldError

TEST_FRESH = timedelta(hours=24)
CONFIRMED_WITHIN = 0.05


class ArmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one arm's template. `errors`: what the linter says. `delivered_at`: of its last test.

    `unapproved`: providers that have not approved it. `dead`: links by their name, and what is
    wrong. `opt_out`: why the way out that it tells does not work.
    """

    there: bool = True
    errors: tuple[str, ...] = ()
    delivered_at: datetime | None = None
    unapproved: tuple[str, ...] = ()
    dead: Mapping[str, str] = {}
    opt_out: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is the case as somebody asks to start. `confirmed`: how many they think it is for."""

    state: CampaignState
    actor: str
    author: str
    four_eyes: bool
    arms: Sequence[ArmFacts]
    planned: int | None  # who gets a message; None: there is no plan
    confirmed: int
    start: datetime | None
    now: datetime


def conflict(move: Move, state: CampaignState) -> list[FieldError]:
    """That a campaign in this state cannot do so; empty: it can."""
    if allowed(move, state):
        return []
    detail = f"it is {state.label}; {move} is for what is {' or '.join(asked_in(move))}"
    return [FieldError("state_conflict", detail, "/state")]


def start_faults(facts: Facts) -> list[FieldError]:
    """Everything that stands against the start."""
    wrong_state = conflict(Move.START, facts.state)
    return [
        *wrong_state,
        *(second_person(facts.actor, facts.author) if facts.four_eyes else ()),
        *lint_faults(facts.arms),
        *ready_faults(facts.arms),
        *test_faults(dict(enumerate(facts.arms)), facts.now),
        *_plan(facts),
        *_time(facts),
    ]


def lint_faults(arms: Sequence[ArmFacts]) -> Iterator[FieldError]:
    """Templates that are not there, or have an error of the linter."""
    for place, arm in enumerate(arms):
        where = f"/arms/{place}/template"
        if not arm.there:
            detail = "this account has no such version, or its template has ended"
            yield FieldError("template_unknown", detail, where)
        for error in arm.errors:
            yield FieldError("lint_failed", error, where)


def ready_faults(arms: Sequence[ArmFacts]) -> Iterator[FieldError]:
    """Approvals that lack, links that do not answer, a way to opt out that does not work."""
    for place, arm in enumerate(arms):
        where = f"/arms/{place}/template"
        for provider in arm.unapproved:
            yield FieldError("not_approved", f"{provider} has not approved this version", where)
        for name, said in arm.dead.items():
            detail = f"the link {name} does not answer as it must: {said}"
            yield FieldError("link_dead", detail, where)
        if arm.opt_out is not None:
            yield FieldError("opt_out_broken", arm.opt_out, where)


def second_person(actor: str, author: str) -> Iterator[FieldError]:
    """That whoever wrote a version sends it alone, where the account wants two."""
    if actor == author:
        detail = "the account wants a second person: who wrote this version cannot start it"
        yield FieldError("four_eyes", detail, "/state")


def test_faults(arms: Mapping[int, ArmFacts], now: datetime) -> Iterator[FieldError]:
    """Arms, by their place, of which no test of this version was delivered lately."""
    for place, arm in arms.items():
        if arm.delivered_at is None:
            detail = "no test of this version was delivered"
        elif arm.delivered_at < now - TEST_FRESH:
            detail = "its last delivered test is older than 24 hours"
        else:
            continue
        yield FieldError("not_tested", detail, f"/arms/{place}")


def _plan(facts: Facts) -> Iterator[FieldError]:
    if facts.planned is None:
        yield FieldError("not_planned", "nobody is planned yet", "/confirm_recipients")
    elif facts.planned == 0:
        yield FieldError("not_planned", "the plan has no recipient", "/confirm_recipients")
    elif abs(facts.planned - facts.confirmed) > CONFIRMED_WITHIN * facts.planned:
        detail = f"{facts.planned} are planned, and {facts.confirmed} were confirmed"
        yield FieldError("count_changed", detail, "/confirm_recipients")


def _time(facts: Facts) -> Iterator[FieldError]:
    if facts.start is not None and late(facts.start, facts.now):
        detail = "its start is more than two hours ago: change the schedule"
        yield FieldError("state_conflict", detail, "/schedule/start")
