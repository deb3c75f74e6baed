"""From a person of a chunk to a checked message: the template's text, the number, the window.

Owns that step, and what a campaign's account and templates have to be for it. Must not render by
itself: each message names its template, and takes the way of every message of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from campaigns.events.best_hour import HOURS
from campaigns.running.best_hours import ANY_HOUR, AUDIENCE_MAX, BEST, BestHours
from campaigns.running.checks import ArmFacts
from campaigns.running.chunks import Pace
from campaigns.running.feed import Unrenderable
from campaigns.running.finishing import Clock
from campaigns.running.places import Places
from campaigns.running.reasons import Skip
from campaigns.running.recipients import Recipient, person_of
from campaigns.running.spec import Spec, window
from campaigns.running.stopping import PREFIX
from campaigns.running.store import spec_of
from campaigns.running.texts import facts_of, told_of, unapproved, versions_of
from campaigns.running.windows import Opening, Window, opening, request_of, within
from campaigns.templates.content import Version
from campaigns.templates.people import Person, params_of
from campaigns.templates.profiles import profile
from messages.accept.templated import Template, Templates
from messages.models import AccountPolicy, FieldError, IfCapped, Prepared, Refused
from messages.requests import MessageRequest, SendWindowRequest
from recipients.hours import Hours
from storage import sql
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import format_id
from storage.pool import Connection
from storage.reading import reading

_SQL = sql.load("campaigns")
TEST_TAG = "campaign-test"
MINUTE_MS = 60_000
NOBODY = Recipient(seq=0, arm=0, to_enc=None, who=Person())


class Check(Protocol):
    """The validation of every message of the API."""

    def __call__(
        self,
        asked: MessageRequest,
        account: AccountPolicy,
        *,
        now_ms: int,
        templates: Mapping[str, Template] | None,
    ) -> Prepared | Refused:
        """One message, checked."""


class Loud(Protocol):
    """Quiet hours, as every message is asked about."""

    def __call__(self, to: str, account: int, category: int, at_ms: int) -> int | None:
        """The first moment from this one on that is not quiet, in ms; None: it would be refused."""


class Letters:
    """Implements Renderings. `accounts` by the id of table `account`; `zones` is their own."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        *,
        check: Check,
        templates: Templates,
        accounts: Mapping[int, AccountPolicy],
        vault: NumberVault,
        zones: Callable[[int], ZoneInfo],
        loud: Loud,
    ) -> None:
        self._pool = pool
        self._check = check
        self._templates = templates
        self._accounts = accounts
        self._vault = vault
        self._zones = zones
        self._loud = loud
        self.places = Places()

    def sender(self, account: int, spec: Spec) -> str:
        """Who is shown as the sender; empty: the carrier's default."""
        return sender_of(spec, self._accounts.get(account))

    async def open(self, connection: Connection, campaign: int, version: int) -> CampaignLetters:
        """Raises Unrenderable; also where a provider has taken its approval back."""
        found = await spec_of(connection, campaign, version)
        if found is None:
            raise Unrenderable(f"version {version} is not stored")
        for name, stored in (await told_of(connection, *found)).items():
            if providers := unapproved(stored):
                raise Unrenderable(f"{', '.join(providers)} does not approve {name} any more")
        return await self.draft(connection, *found, campaign)

    async def draft(
        self, connection: Connection, account: int, spec: Spec, campaign: int
    ) -> CampaignLetters:
        """Of what is not started yet. Raises Unrenderable."""
        policy = self._policy(account)
        letters = await self._letters(connection, policy, spec, format_id(PREFIX, campaign))
        if spec.schedule.hour == BEST:
            letters.best = await self._best(connection, campaign, account, spec)
        return letters

    def clock(self, account: int, hours: Window | None, quiet: Hours | None) -> Clock:
        """When messages of an account may go, by its own zone where the window names none."""
        own = self._zones(account)
        zone = ZoneInfo(hours.zone) if hours is not None and hours.zone is not None else own
        return Clock(hours, quiet, zone, self.places.days(self.places.country(None, "", own)))

    async def facts(self, account: int, spec: Spec) -> list[ArmFacts]:
        """Of each arm's template: is it there, and what does the linter say. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return facts_of(spec, await versions_of(connection, account, spec))

    async def tests(
        self, account: int, spec: Spec, numbers: Sequence[str], now_ms: int
    ) -> list[Prepared | Refused]:
        """Each arm's text for each of these numbers, by the attributes of its contact if it is
        one's. Raises StorageDown, Unrenderable.
        """
        policy = self._policy(account)
        async with reading(self._pool) as connection:
            letters = await self._letters(connection, policy, spec, None)
            known = await _contacts(connection, account, self._vault, numbers)
        return [
            _placed(letters.one(known.get(to, NOBODY), to, arm, now_ms), arm, place)
            for arm in range(len(spec.arms))
            for place, to in enumerate(numbers)
        ]

    def _policy(self, account: int) -> AccountPolicy:
        policy = self._accounts.get(account)
        if policy is None:
            raise Unrenderable("the account is not configured any more")
        return policy

    async def _best(
        self, connection: Connection, campaign: int, account: int, spec: Spec
    ) -> BestHours:
        category = int(Category.of(spec.category))
        audience = [0] * (2 * HOURS)
        for row in await connection.fetch(_SQL["audience_hours"], campaign, AUDIENCE_MAX):
            audience[row["hour"]] = row["n"]
        return BestHours(
            audience,
            zone=self._zones(account),
            of_numbers=self.places.zones,
            loud=lambda to, at_ms: self._loud(to, account, category, at_ms),
        )

    async def _letters(
        self, connection: Connection, policy: AccountPolicy, spec: Spec, label: str | None
    ) -> CampaignLetters:
        names = {arm.template for arm in spec.arms}
        readable = await self._templates.read(policy.id, names)
        stored = await versions_of(connection, policy.id, spec)
        if gone := sorted(names - (readable.keys() & stored.keys())):
            raise Unrenderable(f"the template {gone[0]} has ended")
        versions = {name: stored[name].version for name in names}
        types = await connection.fetch(_SQL["attribute_types"], policy.id)
        return CampaignLetters(
            self._check, self._vault, policy, spec, label,
            templates=readable, versions=versions, zone=self._zones(policy.id), places=self.places,
            money=frozenset(row["name"] for row in types if row["type"] == "money"),
        )  # fmt: skip


class CampaignLetters:
    """Implements Rendering: one version of a campaign. `label` None: tests."""

    def __init__(
        self,
        check: Check,
        vault: NumberVault,
        policy: AccountPolicy,
        spec: Spec,
        label: str | None,
        *,
        templates: Mapping[str, Template],
        versions: Mapping[str, Version],
        zone: ZoneInfo,
        places: Places,
        money: frozenset[str],
    ) -> None:
        """`zone`: the account's, for whoever has none. `money`: its attributes of that type."""
        self.best: BestHours | None = None  # any hour of the window
        self.pace = Pace(spec.schedule.rate, spec.schedule.ramp)
        self.category = int(Category.of(spec.category))
        self.sender = sender_of(spec, policy)
        self.if_capped = IfCapped.SKIP if spec.within_gap == "skip" else IfCapped.WAIT_OR_SKIP
        self._check = check
        self._open = vault.open_or_none
        self._policy = policy
        self._spec = spec
        self._label = label
        self._templates = templates
        self._versions = [versions[arm.template] for arm in spec.arms]
        self._windows = [_window(spec, version) for version in self._versions]
        self._zone = zone
        self._places = places
        self._openings: dict[tuple[int, str, str | None], tuple[int, Opening | None]] = {}
        self._money = money
        self._spans: dict[tuple[Hours, str | None], SendWindowRequest] = {}
        self.zones_unknown = 0

    def prepare(self, recipients: Sequence[Recipient], now_ms: int) -> list[Prepared | str]:
        """For each a checked message, or the reason for none."""
        return [self._prepared(each, now_ms) for each in recipients]

    def unknown_days(self, years: Iterable[int]) -> list[tuple[str, int]]:
        """Countries of the people so far, and years, whose days off matter and are not known."""
        asked = {
            country
            for (arm, _, country) in self._openings
            if (hours := self._windows[arm]) is not None and hours.dated
        }
        countries = sorted(asked, key=lambda each: each or "")
        return [
            (country or "", year)
            for country in countries
            for year in years
            if not self._places.days_off.knows(country, year)
        ]

    def one(self, who: Recipient, to: str, arm: int, now_ms: int) -> Prepared | Refused:
        """The message of this arm to a number."""
        asked = MessageRequest(
            to=to,
            template_id=self._spec.arms[arm].template,
            params=params_of(self._versions[arm], who.who, self._money),
            category=self._spec.category,
            variant=str(arm),
            sender=self._spec.sender,
            campaign_id=self._label,
        )
        if self._label is None:
            asked.tags = (TEST_TAG,)
        elif (skip := self._timed(asked, who, arm, now_ms)) is not None:
            return Refused(skip, "its window does not open in time")
        return self._check(asked, self._policy, now_ms=now_ms, templates=self._templates)

    def _prepared(self, who: Recipient, now_ms: int) -> Prepared | str:
        number = None if who.to_enc is None else self._open(who.to_enc)
        if number is None:
            return Skip.NUMBER_GONE
        found = self.one(who, number, who.arm, now_ms)
        return found.code if isinstance(found, Refused) else found

    def _timed(self, asked: MessageRequest, who: Recipient, arm: int, now_ms: int) -> Skip | None:
        """Give it the best hour of this person, or the span that opens first for them, by the clock
        that counts for them.

        A zone that nobody knows is counted, and the number's own stands in for it. Whoever could
        only be texted too late is skipped, and not texted at once.
        """
        hours, at_ms, span = self._windows[arm], now_ms, None
        spans: tuple[Hours, ...] = ANY_HOUR
        if hours is None and self.best is None:
            return None
        own = who.who.time_zone
        if own is not None and self._places.named(own) is None:
            self.zones_unknown += 1
            own = None
        if hours is not None:
            found = self._opening(arm, hours, own, asked.to, now_ms)
            if isinstance(found, Skip):
                return found
            asked.send_at, own, span = found.begins, hours.zone or own, found.span
            spans = (span,) if hours.dated else hours.spans
            if found.begins is not None:
                at_ms = int(found.begins.timestamp() * 1000)
        if self.best is not None:
            asked.send_window = self.best.window(who.hours, asked.to, spans, own, at_ms)
        if asked.send_window is None and span is not None:
            asked.send_window = self._window_of(span, own)
        return None

    def _opening(
        self, arm: int, hours: Window, own: str | None, to: str, now_ms: int
    ) -> Opening | Skip:
        """The same for all people of a clock and a country within a minute."""
        clock = self._places.clock(hours.zone or own, to, self._zone)
        country = self._places.country(own, to, self._zone) if hours.dated else None
        key, minute = (arm, clock.key, country), now_ms // MINUTE_MS
        known = self._openings.get(key)
        if known is None or known[0] != minute:
            at = datetime.fromtimestamp(now_ms / 1000, UTC)
            made = opening(hours, at, clock, self._places.days(country))
            known = self._openings[key] = minute, made
        found, end = known[1], self._spec.schedule.end
        if found is None:
            return Skip.NO_DAY
        return Skip.PAST_END if end is not None and found.at >= end else found

    def _window_of(self, span: Hours, zone: str | None) -> SendWindowRequest:
        found = self._spans.get((span, zone))
        if found is None:
            asked = request_of(span, zone)
            found = self._spans[span, zone] = msgspec.convert(asked, SendWindowRequest)
        return found


def sender_of(spec: Spec, policy: AccountPolicy | None) -> str:
    """Who is shown as the sender; empty: the carrier's default. None: of no account any more."""
    return spec.sender or (policy.senders[0] if policy and policy.senders else "")


def _window(spec: Spec, version: Version) -> Window | None:
    """The campaign's window within the hours of the template's providers.

    Raises Unrenderable where nothing of it is left.
    """
    asked = window(spec.schedule)
    hours = [profile(name).hours for name in version.content.providers]
    if asked is None or spec.category != "marketing":
        return asked
    spans = within(asked.spans, [each for each in hours if each is not None])
    if not spans:
        raise Unrenderable("no hour of its window is one of the template's providers")
    return msgspec.structs.replace(asked, spans=spans)


def _placed(found: Prepared | Refused, arm: int, place: int) -> Prepared | Refused:
    """A refusal, pointing to what of the test's request, or of the campaign, is meant."""
    if isinstance(found, Prepared):
        return found
    errors = found.errors or (FieldError(found.code, found.detail, ""),)
    moved = tuple(
        msgspec.structs.replace(
            each, pointer=f"/to/{place}" if each.pointer == "/to" else f"/arms/{arm}/template"
        )
        for each in errors
    )
    return Refused(found.code, found.detail, moved)


async def _contacts(
    connection: Connection, account: int, vault: NumberVault, numbers: Sequence[str]
) -> dict[str, Recipient]:
    """Whose numbers these are."""
    by_index = {each: number for number in numbers for each in vault.indexes(number)}
    rows = await connection.fetch(_SQL["contacts_tested"], account, list(by_index))
    return {
        by_index[row["to_idx"]]: Recipient(
            seq=0,
            arm=0,
            to_enc=row["to_enc"],
            who=person_of(row),
        )
        for row in rows
    }
