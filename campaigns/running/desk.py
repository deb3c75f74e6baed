"""Campaigns behind the API: each change with its checks and its audit row, in one commit.

Owns these transactions. Must not feed anybody, nor read what a request holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from campaigns.caps.foretelling import NONE_IN_FORCE, CapsInForce
from campaigns.decisions import deciding
from campaigns.reporting.people import CampaignPeople
from campaigns.reporting.reports import CampaignReports
from campaigns.running import stopping, store
from campaigns.running.changes import Changes
from campaigns.running.checks import conflict, lint_faults
from campaigns.running.feed import Unrenderable
from campaigns.running.foresight import Foreseer, of_counts
from campaigns.running.gate import Asking, Gate
from campaigns.running.letters import Letters
from campaigns.running.planning import Plan, PlanRefused, plan
from campaigns.running.spec import FIXED, Spec, changed_fixed
from campaigns.running.standing import Standing
from campaigns.running.states import CampaignState, Move, after
from campaigns.running.store import StoredCampaign
from campaigns.segments.names import Moment
from messages.models import Accepter, FieldError, GivenIds, Prepared, Refused, Verdict
from storage import sql
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.pool import Connection, Dedicated
from storage.reading import reading

_SQL = sql.load("campaigns")


class CampaignActor(msgspec.Struct, frozen=True):
    """Who asks, and for which account. `seen`: the revision that it has to be done to."""

    account: int
    name: str  # "key 7"
    seen: int | None = None

    def check(self, stands: StoredCampaign) -> None:
        """Raises RevisionDiffers where something else was seen than what stands."""
        if self.seen not in (None, stands.revision):
            raise RevisionDiffers(stands.revision)


class CampaignRefused(Exception):
    """It cannot be done: everything that stands against it. Nothing is changed."""

    def __init__(self, faults: Sequence[FieldError]) -> None:
        super().__init__(faults[0].detail)
        self.faults = tuple(faults)


class RevisionDiffers(Exception):
    """Somebody has changed it since; it stands at `revision`."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"it stands at revision {revision}")
        self.revision = revision


class Canceled(msgspec.Struct, frozen=True):
    """`in_flight`: messages that can no longer be stopped, exactly."""

    campaign: StoredCampaign
    in_flight: int


class AccountRules(msgspec.Struct, frozen=True):
    """What an account wants of its campaigns. `zone`: whose day it is when a segment asks.

    `global_holdout`: the share of people who get no marketing campaign of a quarter.
    """

    zone: str = "UTC"
    four_eyes: bool = False
    consent: frozenset[int] = frozenset()  # categories that need it
    global_holdout: float = 0.0
    caps: CapsInForce = NONE_IN_FORCE


class CampaignDesk:
    """Implements CampaignBook. Every method raises StorageDown; changes raise Overloaded, too."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        planning: Dedicated,
        *,
        letters: Letters,
        gate: Gate,
        foreseer: Foreseer,
        reports: CampaignReports,
        people: CampaignPeople,
        standing: Standing,
        accepter: Accepter,
        rules: Callable[[int], AccountRules],
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        """`planning` and `changed`: as Changes wants them."""
        self.reports, self.people = reports, people
        self.standing = standing
        self._pool = pool
        self.changes = Changes(dedicated, planning, changed)
        self._letters = letters
        self._gate = gate
        self._foreseer = foreseer
        self._accepter = accepter
        self._rules = rules
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms

    def new_id(self) -> int:
        """The id of a campaign to be made."""
        return self._ids.next()

    def now(self) -> datetime:
        """By this process's clock, in UTC."""
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)

    async def one(self, account: int, campaign: int) -> StoredCampaign | None:
        """As it stands; None: there is none."""
        async with reading(self._pool) as connection:
            return await store.one(connection, account, campaign)

    async def listed(
        self, account: int, *, state: CampaignState | None, before: int | None, limit: int
    ) -> list[StoredCampaign]:
        """The latest made first, below an id."""
        async with reading(self._pool) as connection:
            return await store.listed(connection, account, state=state, before=before, limit=limit)

    async def create(self, actor: CampaignActor, campaign: int, spec: Spec) -> StoredCampaign:
        """The draft, once it is stored; with an id that is stored already, that one."""
        async with self.changes.one() as connection:
            if await store.add(connection, campaign, actor.account, spec, actor.name):
                await self._note(connection, actor, campaign, "campaign.create")
            return await _stands(connection, actor, campaign)

    async def edit(
        self, actor: CampaignActor, campaign: int, revision: int, spec: Spec
    ) -> StoredCampaign | None:
        """The campaign with its next version; None: there is none.

        Of a paused one what waits is recalled, and sent anew as the new version has it. Another
        text ends its experiment. Raises CampaignRefused, RevisionDiffers.
        """
        async with self.changes.one() as connection:
            seen = msgspec.structs.replace(actor, seen=revision)
            before = await self._found(connection, seen, campaign, Move.EDIT)
            if before is None:
                return None
            paused = before.state is CampaignState.PAUSED
            if paused and (faults := changed_fixed(before.spec, spec)):
                raise CampaignRefused(faults)
            if paused:
                await deciding.end_by_edit(
                    connection, before, spec, by=actor.name, now=self.now(), ids=self._ids
                )
                await stopping.recall(connection, campaign)
            await store.add_version(connection, campaign, before.version + 1, spec, actor.name)
            await connection.execute(
                _SQL["campaign_edited"], campaign, before.version + 1,
                after(Move.EDIT, before.state), not paused and _replan(before.spec, spec),
            )  # fmt: skip
            await self._note(connection, actor, campaign, "campaign.change")
            return await _stands(connection, actor, campaign)

    async def plan(self, actor: CampaignActor, campaign: int) -> Plan | None:
        """Who would get it, once they are planned; None: there is no such campaign.

        Raises CampaignRefused, SegmentRefused, RevisionDiffers.
        """
        rules = self._rules(actor.account)
        async with self.changes.one(planning=True) as connection:
            before = await self._found(connection, actor, campaign, Move.PLAN)
            if before is None:
                return None
            moment = Moment.at(self.now(), rules.zone)
            try:
                made = await plan(
                    connection,
                    campaign,
                    actor.account,
                    before.spec,
                    moment=moment,
                    sender=self._letters.sender(actor.account, before.spec),
                    needs_consent=Category.of(before.spec.category) in rules.consent,
                    global_holdout=rules.global_holdout,
                    caps=rules.caps,
                    vault=self._vault,
                    foresee=lambda messages: self._foreseer.foresee(
                        connection, campaign, actor.account, before.spec, messages, moment.now
                    ),
                )
            except PlanRefused as refused:
                raise CampaignRefused(refused.faults) from None
            except asyncpg.CheckViolationError:  # the day of its id is no longer kept
                detail = "it was written too long ago: write it anew"
                raise CampaignRefused([FieldError("state_conflict", detail, "/state")]) from None
            await self._note(connection, actor, campaign, "campaign.plan")
            return made

    async def test(
        self, actor: CampaignActor, campaign: int, numbers: Sequence[str]
    ) -> tuple[StoredCampaign, list[Verdict | Refused]] | None:
        """Send each arm's text to these numbers, counted in no statistic of the campaign.

        None: there is no such campaign. Raises CampaignRefused, RevisionDiffers, StorageDown,
        Overloaded.
        """
        found = await self.one(actor.account, campaign)
        if found is None:
            return None
        actor.check(found)
        if faults := conflict(Move.TEST, found.state):
            raise CampaignRefused(faults)
        arms = await self._letters.facts(actor.account, found.spec)
        if faults := list(lint_faults(arms)):
            raise CampaignRefused(faults)
        letters = await self._tests(actor.account, found.spec, numbers)
        wrong = [fault for each in letters if isinstance(each, Refused) for fault in each.errors]
        if wrong:
            raise CampaignRefused(list(dict.fromkeys(wrong)))  # a number's is each arm's
        batch, *ids = self._ids.take(1 + len(letters))
        prepared = [each for each in letters if isinstance(each, Prepared)]
        verdicts = await self._accepter.accept(prepared, batch_id=batch, ids=GivenIds(ids))
        actor = msgspec.structs.replace(actor, seen=None)  # what was sent cannot be refused
        async with self.changes.one() as connection:
            before = await self._found(connection, actor, campaign, Move.TEST)
            if before is not None and before.version == found.version:
                state = after(Move.TEST, before.state)
                await connection.execute(_SQL["campaign_tested"], campaign, state, batch)
                await self._note(connection, actor, campaign, "campaign.test")
            return await _stands(connection, actor, campaign), verdicts

    async def start(
        self, actor: CampaignActor, campaign: int, confirmed: int
    ) -> StoredCampaign | None:
        """The campaign in its canary, which begins when its start comes; None: there is none.

        Raises CampaignRefused with everything that stands against it.
        """
        found = await self.one(actor.account, campaign)
        if found is None:
            return None
        arms = await self._gate.look(found)
        async with self.changes.one() as connection:
            before = await store.one(connection, actor.account, campaign, locked=True)
            assert before is not None  # none is ever deleted
            actor.check(before)
            if before.version != found.version:
                raise RevisionDiffers(before.revision)
            asking = self._asking(actor)
            faults = await self._gate.start_faults(connection, before, arms, confirmed, asking)
            if faults:
                raise CampaignRefused(faults)
            begins = before.spec.schedule.begins(asking.now)
            state = after(Move.START, before.state)
            if not before.canary:
                state = after(Move.RELEASE, state)
            finish = self._finish(before, begins)
            await connection.execute(_SQL["campaign_started"], campaign, state, begins, finish)
            await self._note(connection, actor, campaign, "campaign.start")
            return await _stands(connection, actor, campaign)

    async def pause(
        self, actor: CampaignActor, campaign: int, reason: str
    ) -> StoredCampaign | None:
        """The campaign once nothing more of it begins its way; None: there is none. Raises
        CampaignRefused, RevisionDiffers.
        """
        async with self.changes.one() as connection:
            if await self._found(connection, actor, campaign, Move.PAUSE) is None:
                return None
            await stopping.pause(connection, campaign, reason, ids=self._ids, actor=actor.name)
            return await _stands(connection, actor, campaign)

    async def resume(
        self, actor: CampaignActor, campaign: int, override: str | None = None
    ) -> StoredCampaign | None:
        """The campaign where it was; None: there is none. `override`: why it goes on although what
        it was paused for still stands. Raises CampaignRefused, RevisionDiffers.
        """
        found = await self.one(actor.account, campaign)
        if found is None:
            return None
        actor.check(found)
        if faults := conflict(Move.RESUME, found.state):
            raise CampaignRefused(faults)
        arms = await self._gate.look(found)
        async with self.changes.one() as connection:
            before = await self._found(connection, actor, campaign, Move.RESUME)
            assert before is not None  # none is ever deleted
            if before.version != found.version:
                raise RevisionDiffers(before.revision)
            asking = self._asking(actor, override)
            if faults := await self._gate.resume_faults(connection, before, arms, asking):
                raise CampaignRefused(faults)
            resumes_as = before.resumes_as or CampaignState.RUNNING
            begins = before.spec.schedule.begins(asking.now)
            await stopping.resume(connection, campaign, resumes_as=resumes_as, begins=begins)
            await self._note(connection, actor, campaign, "campaign.resume", override)
            return await _stands(connection, actor, campaign)

    async def cancel(self, actor: CampaignActor, campaign: int) -> Canceled | None:
        """End it for good; None: there is none. Raises CampaignRefused, RevisionDiffers."""
        async with self.changes.one() as connection:
            if await self._found(connection, actor, campaign, Move.CANCEL) is None:
                return None
            in_flight = await stopping.cancel(connection, campaign)
            await self._note(connection, actor, campaign, "campaign.cancel")
            return Canceled(await _stands(connection, actor, campaign), in_flight)

    async def _found(
        self,
        connection: Connection,
        actor: CampaignActor,
        campaign: int,
        move: Move,
    ) -> StoredCampaign | None:
        """The campaign, locked, if it may make this move. Raises CampaignRefused,
        RevisionDiffers.
        """
        before = await store.one(connection, actor.account, campaign, locked=True)
        if before is None:
            return None
        actor.check(before)
        if faults := conflict(move, before.state):
            raise CampaignRefused(faults)
        return before

    async def _tests(
        self, account: int, spec: Spec, numbers: Sequence[str]
    ) -> list[Prepared | Refused]:
        try:
            return await self._letters.tests(account, spec, numbers, self._wall_ms())
        except Unrenderable as error:
            raise CampaignRefused([FieldError("state_conflict", str(error), "/arms")]) from None

    def _finish(self, campaign: StoredCampaign, begins: datetime) -> datetime | None:
        seen = of_counts(campaign.counts)
        if seen is None:
            return None
        return self._foreseer.finish(
            campaign.account, campaign.spec, campaign.messages, seen.connectors, begins
        )

    def _asking(self, actor: CampaignActor, override: str | None = None) -> Asking:
        return Asking(
            actor=actor.name,
            four_eyes=self._rules(actor.account).four_eyes,
            now=self.now(),
            override=override,
        )

    async def _note(
        self,
        connection: Connection,
        actor: CampaignActor,
        campaign: int,
        action: str,
        reason: str | None = None,
    ) -> None:
        await stopping.note(
            connection, actor.account, campaign, actor.name, action, self._ids, reason
        )


def _replan(before: Spec, after: Spec) -> bool:
    """Whether the plan does not hold for the new version."""
    parts = (*FIXED, "arms", "sender", "experiment")
    return (
        any(getattr(before, name) != getattr(after, name) for name in parts)
        or before.schedule.spread != after.schedule.spread
    )


async def _stands(connection: Connection, actor: CampaignActor, campaign: int) -> StoredCampaign:
    found = await store.one(connection, actor.account, campaign)
    assert found is not None  # it was there before
    return found
