"""What is asked before a campaign begins, or goes on after a pause.

Owns the gathering of these facts, and which of them an override answers for. Must not change
anything (desk.py). What takes long, such as links, is looked at before the campaign is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from campaigns.running import guard, store
from campaigns.running.causes import Cause
from campaigns.running.checks import (
    ArmFacts,
    Facts,
    lint_faults,
    ready_faults,
    second_person,
    start_faults,
    test_faults,
)
from campaigns.running.letters import Letters
from campaigns.running.outages import Outages, waits_for
from campaigns.running.starting import Surroundings
from campaigns.running.states import FEEDING
from campaigns.running.stopping import RESTORED
from campaigns.running.store import StoredCampaign
from campaigns.running.watch import judged
from dlr.status import Status
from messages.models import FieldError
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, when, and what they say. `override`: why it goes on although its cause stands."""

    actor: str
    four_eyes: bool
    now: datetime
    override: str | None = None


class Gate:
    """Asks, for one process."""

    def __init__(
        self,
        letters: Letters,
        surroundings: Surroundings,
        outages: Outages,
    ) -> None:
        self._letters = letters
        self._surroundings = surroundings
        self._outages = outages

    async def look(self, campaign: StoredCampaign) -> list[ArmFacts]:
        """What is the case of each arm, without its test. Raises StorageDown."""
        account, spec = campaign.account, campaign.spec
        sender = self._letters.sender(account, spec)
        return await self._surroundings.seen(account, spec, sender, campaign.test_batch)

    async def start_faults(
        self,
        connection: Connection,
        before: StoredCampaign,
        arms: Sequence[ArmFacts],
        confirmed: int,
        asking: Asking,
    ) -> list[FieldError]:
        """Everything that stands against the start of a campaign whose row is locked."""
        return start_faults(
            Facts(
                state=before.state,
                actor=asking.actor,
                author=before.author,
                four_eyes=asking.four_eyes,
                arms=await _tested(connection, before, arms),
                planned=None if before.planned_at is None else before.messages,
                confirmed=confirmed,
                start=before.spec.schedule.start,
                now=asking.now,
            )
        )

    async def resume_faults(
        self,
        connection: Connection,
        before: StoredCampaign,
        arms: Sequence[ArmFacts],
        asking: Asking,
    ) -> list[FieldError]:
        """Everything that stands against its going on; its row is locked.

        An override answers for the cause of the pause and for links. It answers for no text.
        """
        faults = list(lint_faults(arms))
        ready = list(ready_faults(arms))
        if asking.override is None:
            faults += [*ready, *await self._cause_stands(connection, before)]
        else:
            faults += [each for each in ready if each.code != "link_dead"]
        if before.resumes_as in FEEDING and before.version != before.cleared_version:
            if asking.four_eyes:
                faults += second_person(asking.actor, before.author)
            faults += await _untested(connection, before, arms, asking.now)
        end = before.spec.schedule.end
        if end is not None and end <= asking.now:
            detail = "its end has come: change the schedule first"
            faults.append(FieldError("state_conflict", detail, "/schedule/end"))
        return faults

    async def _cause_stands(
        self, connection: Connection, before: StoredCampaign
    ) -> list[FieldError]:
        """That what it was paused for is still so; links were asked already."""
        why: Sequence[str] = ()
        if before.cause is Cause.BOUNDS:
            why = await _bounds(connection, before)
        elif before.cause is Cause.CONNECTOR_DOWN:
            why = [
                f"{name} is down" for name in await waits_for(connection, before.id, self._outages)
            ]
        elif before.cause is Cause.RESTORED:
            why = [RESTORED]
        if not why:
            return []
        detail = f"{'; '.join(why)}: mend it, or say in override why it goes on"
        return [FieldError("cause_stands", detail, "/state")]


async def _bounds(connection: Connection, before: StoredCampaign) -> Sequence[str]:
    """The bounds that are crossed still. After an edit there are no messages to count. Then another
    text may do better, and the same one is known to do badly.
    """
    waves = await judged(connection, before.id, before.account, before.judged_chunk)
    if not waves:
        same = not await _changed_arms(connection, before)
        return [before.reason or "its messages did badly"] if same else []
    faults = guard.canary_faults if before.fed <= before.canary else guard.crossed
    return [fault for counts in waves for fault in faults(counts)]


async def _tested(
    connection: Connection, campaign: StoredCampaign, arms: Sequence[ArmFacts]
) -> list[ArmFacts]:
    """With when the last test of each arm of this version was delivered."""
    if campaign.tested_version != campaign.version:
        return list(arms)
    rows = await connection.fetch(_SQL["tests_delivered"], campaign.test_batch, Status.DELIVERED)
    at = {row["variant"]: row["at"] for row in rows}
    return [
        msgspec.structs.replace(each, delivered_at=at.get(str(place)))
        for place, each in enumerate(arms)
    ]


async def _untested(
    connection: Connection, before: StoredCampaign, arms: Sequence[ArmFacts], now: datetime
) -> list[FieldError]:
    """Arms whose text is another than the one that was let go last, and not tested."""
    tested = await _tested(connection, before, arms)
    changed = await _changed_arms(connection, before)
    return list(test_faults({place: tested[place] for place in changed}, now))


async def _changed_arms(connection: Connection, campaign: StoredCampaign) -> list[int]:
    """Places of arms that say something else than what was let go last, or as somebody else."""
    after, found = campaign.spec, None
    if campaign.cleared_version is not None:
        found = await store.spec_of(connection, campaign.id, campaign.cleared_version)
    before = None if found is None else found[1]
    return [
        place
        for place, arm in enumerate(after.arms)
        if before is None
        or before.sender != after.sender
        or place >= len(before.arms)
        or before.arms[place].template != arm.template
    ]
