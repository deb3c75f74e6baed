"""What a plan foresees: how many parts, who would get none, when it is through, and doubts.

Owns these figures. The texts are made by the renderer that sends, of the first people of the plan.
Their order is by chance, so they stand for all. Must not plan or send.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from campaigns.running.feed import Unrenderable
from campaigns.running.finishing import finish_at
from campaigns.running.letters import CampaignLetters, Letters
from campaigns.running.plan_warnings import PlanWarning
from campaigns.running.recipients import Recipient, planned_people
from campaigns.running.schedule import finish_after
from campaigns.running.spec import Spec, spread_minutes, window
from campaigns.templates.lengths import spread
from messages.models import Prepared
from recipients.hours import Hours
from storage.categories import Category
from storage.pool import Connection

RENDERED_MAX = 5_000  # of a plan; fewer are all of them
SLICE = 200  # then others run
DAYS_WARNED = timedelta(days=35)  # days off are asked for so far ahead


class PlanParts(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of the messages of a plan. `rendered`: how many were made to count them; where these
    are fewer than the messages, `total` is an estimate.
    """

    least: int
    median: int
    most: int
    total: int
    rendered: int


class Foresight(msgspec.Struct, frozen=True, kw_only=True):
    """Of one plan. `unsendable`: of the rendered, who would get nothing, by reason.

    `connectors`: parts by the connector of their route. `finish_at`: at the earliest.
    """

    parts: PlanParts | None = None
    unsendable: Mapping[str, int] = {}
    connectors: Mapping[str, int] = {}
    finish_at: datetime | None = None


class Surveyor(Protocol):
    """What is known of texts and approvals before anybody asks to start."""

    async def warnings(self, account: int, spec: Spec) -> list[PlanWarning]:
        """What the linter warns of, and what is not approved."""


class Carriers(msgspec.Struct, frozen=True):
    """What is known of connectors. `paces`: parts a second by number; None: no limit."""

    paces: Callable[[], Mapping[int, float | None]]
    name: Callable[[int], str | None]
    numbers: Callable[[], Mapping[str, int]]


class Foreseer:
    """Foresees. `quiet`: the quiet hours of a category."""

    def __init__(
        self,
        letters: Letters,
        surveyor: Surveyor,
        carriers: Carriers,
        *,
        quiet: Callable[[int], Hours | None],
    ) -> None:
        self._letters = letters
        self._surveyor = surveyor
        self._carriers = carriers
        self._quiet = quiet

    async def foresee(
        self, connection: Connection, campaign: int, account: int, spec: Spec, messages: int,
        now: datetime,
    ) -> tuple[Foresight, list[PlanWarning]]:  # fmt: skip
        """Of a plan that stands in the transaction of this connection."""
        warnings = await self._surveyor.warnings(account, spec)
        try:
            letters = await self._letters.draft(connection, account, spec, campaign)
        except Unrenderable as error:
            return Foresight(), [*warnings, PlanWarning("cannot_be_written", str(error), "/arms")]
        people = await planned_people(connection, campaign, RENDERED_MAX)
        counted = _Counted()
        for place in range(0, len(people), SLICE):
            counted.add(letters, people[place : place + SLICE], now)
            await asyncio.sleep(0)
        seen = self._told(spec, account, counted, messages, now)
        warnings += [*_zone_doubts(letters), *_day_doubts(letters, now, spec)]
        return seen, [*warnings, *_end_doubts(spec, seen.finish_at)]

    def _told(
        self,
        spec: Spec,
        account: int,
        counted: _Counted,
        messages: int,
        now: datetime,
    ) -> Foresight:
        share = messages / counted.rendered if counted.rendered else 0.0
        connectors = {
            self._carriers.name(number) or "none": round(parts * share)
            for number, parts in sorted(counted.by_connector.items())
        }
        found = spread(counted.parts)
        parts = None
        if found is not None:
            parts = PlanParts(
                least=found.least, median=found.median, most=found.most,
                total=round(found.total * share), rendered=counted.rendered,
            )  # fmt: skip
        begins = spec.schedule.begins(now)
        return Foresight(
            parts=parts,
            unsendable=dict(counted.refused),
            connectors=connectors,
            finish_at=self.finish(account, spec, messages, connectors, begins),
        )

    def finish(
        self,
        account: int,
        spec: Spec,
        messages: int,
        connectors: Mapping[str, int],
        begins: datetime,
    ) -> datetime | None:
        """When it is through at the earliest; None: never as it is, or nobody knows."""
        schedule, paces, numbers = spec.schedule, self._carriers.paces(), self._carriers.numbers()
        seconds = 0.0
        for name, parts in connectors.items():
            pace = paces.get(numbers.get(name, 0))
            if pace == 0:
                return None
            if pace is not None:
                seconds = max(seconds, parts / pace)
        by_rate = finish_after(messages, schedule.rate, ramp=schedule.ramp, spread_minutes=0)
        spread_out = timedelta(minutes=spread_minutes(schedule))
        work = max(by_rate, timedelta(seconds=seconds))
        quiet = self._quiet(Category.of(spec.category))
        clock = self._letters.clock(account, window(schedule), quiet)
        return finish_at(begins, work, spread_out, clock)


class _Counted:
    """What the people of a plan would get."""

    def __init__(self) -> None:
        self.rendered = 0
        self.parts = Counter[int]()
        self.by_connector = Counter[int]()
        self.refused = Counter[str]()

    def add(self, letters: CampaignLetters, people: Sequence[Recipient], now: datetime) -> None:
        """Make the messages of these people, and keep how they came out."""
        for made in letters.prepare(people, int(now.timestamp() * 1000)):
            self.rendered += 1
            if isinstance(made, Prepared):
                self.parts[made.parts] += 1
                self.by_connector[made.connector] += made.parts
            else:
                self.refused[made] += 1


def of_counts(counts: Mapping[str, object]) -> Foresight | None:
    """What was stored with the counts of a plan; None: a release before made it."""
    stored = counts.get("foresight")
    return None if stored is None else msgspec.convert(stored, Foresight)


def _end_doubts(spec: Spec, ends: datetime | None) -> list[PlanWarning]:
    end = spec.schedule.end
    if end is None or (ends is not None and ends <= end):
        return []
    detail = "its end comes before everybody could be reached: the rest is paused then"
    return [PlanWarning("ends_first", detail, "/schedule/end")]


def _day_doubts(letters: CampaignLetters, now: datetime, spec: Spec) -> list[PlanWarning]:
    """Years of countries whose days off nobody has announced, or that are in no data set."""
    begins = spec.schedule.begins(now)
    years = range(begins.year, (begins + DAYS_WARNED).year + 1)
    return [
        PlanWarning(
            "holidays_unknown",
            f"{country or 'some people'}: days off in {year} are not known, so only weekends count",
            "/schedule/window" if spec.schedule.holidays is None else "/schedule/holidays",
        )
        for country, year in letters.unknown_days(years)
    ]


def _zone_doubts(letters: CampaignLetters) -> list[PlanWarning]:
    if not letters.zones_unknown:
        return []
    detail = f"{letters.zones_unknown} of the rendered have a time zone that nobody knows"
    return [PlanWarning("zone_unknown", detail, "/audience")]
