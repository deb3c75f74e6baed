"""What is checked before a campaign starts or goes on: all refusals at once.

Owns the conditions and their words. Must not find out what is the case: it is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from campaigns.running.schedule import late
from campaigns.running.states import CampaignState, Move, allowed, asked_in
from messages.models import FieldError

TEST_FRESH = timedelta(hours=24)
CONFIRMED_WITHIN = 0.05


class ArmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one arm's template. `errors`: what the linter says. `delivered_at`: of its last test."""

    there: bool = True
    errors: tuple[str, ...] = ()
    delivered_at: datetime | None = None


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
        *_tests(facts),
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


def second_person(actor: str, author: str) -> Iterator[FieldError]:
    """That whoever wrote a version sends it alone, where the account wants two."""
    if actor == author:
        detail = "the account wants a second person: who wrote this version cannot start it"
        yield FieldError("four_eyes", detail, "/state")


def _tests(facts: Facts) -> Iterator[FieldError]:
    for place, arm in enumerate(facts.arms):
        if arm.delivered_at is None:
            detail = "no test of this version was delivered"
        elif arm.delivered_at < facts.now - TEST_FRESH:
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
