"""Campaigns, put together: the desk behind the API, the feed, and the look at those under way.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from campaigns.caps.foretelling import CapsInForce
from campaigns.decisions.desk import ExperimentDesk
from campaigns.decisions.looking import ExperimentWatch
from campaigns.reporting import compliance
from campaigns.reporting.keeping import BatchCounter, SumsKeeper
from campaigns.reporting.people import CampaignPeople
from campaigns.reporting.reports import CampaignReports
from campaigns.running.braking import Brake
from campaigns.running.desk import AccountRules, CampaignDesk
from campaigns.running.feed import Feed
from campaigns.running.gate import Gate
from campaigns.running.letters import Letters
from campaigns.running.room import CampaignRoom
from campaigns.running.standing import Standing
from campaigns.running.states import CampaignState
from campaigns.running.watch import CampaignWatch
from gateway.wiring.accounts import settings_of, zone_names, zone_of
from gateway.wiring.campaign_surroundings import (
    foreseer_of,
    outages_of,
    patrol_of,
    surroundings_of,
)
from gateway.wiring.report_names import ReportNames
from gateway.wiring.rules import account_caps
from recipients.caps import Caps
from storage.categories import Category
from web.samples import Sample

if TYPE_CHECKING:
    from gateway.config.account_settings import AccountSettings
    from gateway.rooms import Rooms
    from messages.accept.validation import Validator
    from storage.periodic import Ended


def build(rooms: Rooms, validator: Validator, ended: Ended) -> CampaignRoom:
    """Called when the accepter, the rules and the templates stand."""
    database, accounts = rooms.database, AccountsInForce(rooms)
    letters = _letters(rooms, validator, accounts)

    def changed() -> None:
        rooms.control.look_again()
        feed.wake()

    brake = Brake(rooms.ids, changed)
    feed = _feed(rooms, letters, brake, ended)

    outages = outages_of(rooms)
    surroundings = surroundings_of(rooms, accounts.checks_links)
    desk = CampaignDesk(
        database.read,
        database.dedicated("campaigns"),
        database.dedicated("campaign-plans"),
        letters=letters,
        gate=Gate(letters, surroundings, outages),
        foreseer=foreseer_of(rooms, letters, surroundings),
        standing=Standing(database.read, outages, rooms.clock.wall_ms),
        reports=_reports(rooms),
        people=CampaignPeople(database.read, rooms.vault),
        accepter=rooms.shedding,
        rules=accounts.rules,
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        changed=changed,
    )
    watch = CampaignWatch(
        database.dedicated("campaign-watch"),
        outages=outages,
        brake=brake,
        wall_ms=rooms.clock.wall_ms,
        changed=changed,
        ended=ended,
    )
    patrol = patrol_of(rooms, surroundings, brake, ended)
    looks = _looks(rooms, changed, ended)
    experiments = _experiments(rooms, desk)
    sums = _sums(rooms, ended)
    return CampaignRoom(desk, experiments, looks, brake, feed, watch, sums, patrol)


def _looks(rooms: Rooms, changed: Callable[[], None], ended: Ended) -> ExperimentWatch:
    return ExperimentWatch(
        rooms.database.dedicated("experiments"),
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        changed=changed,
        ended=ended,
    )


def _experiments(rooms: Rooms, desk: CampaignDesk) -> ExperimentDesk:
    return ExperimentDesk(rooms.database.read, desk.changes, ids=rooms.ids, now=desk.now)


def _reports(rooms: Rooms) -> CampaignReports:
    return CampaignReports(
        rooms.database.read,
        zones=AccountsInForce(rooms).zone,
        rules=rooms.conversions.rule,
        names=ReportNames(rooms.registry),
        vault=rooms.vault,
        looked_for=_looked_for(rooms),
    )


def _sums(rooms: Rooms, ended: Ended) -> SumsKeeper:
    return SumsKeeper(
        rooms.database.dedicated("campaign-sums"),
        counter=batch_counter(rooms),
        wall_ms=rooms.clock.wall_ms,
        ended=ended,
    )


def batch_counter(rooms: Rooms) -> BatchCounter:
    """What counts a batch for its campaign's report."""
    return BatchCounter(rooms.vault, zones=zone_names(rooms), rules=_looked_for(rooms))


def _looked_for(rooms: Rooms) -> compliance.Rules:
    return compliance.Rules(lambda: rooms.rules.timing, AccountsInForce(rooms).caps)


def _feed(rooms: Rooms, letters: Letters, brake: Brake, ended: Ended) -> Feed:
    return Feed(
        rooms.database.dedicated("campaign-feed"),
        accepter=rooms.shedding,
        renderings=letters,
        vault=rooms.vault,
        brake=brake,
        ids=rooms.ids,
        term=rooms.term.term,
        wall_ms=rooms.clock.wall_ms,
        ended=ended,
    )


def _letters(rooms: Rooms, validator: Validator, accounts: AccountsInForce) -> Letters:
    def loud(to: str, account: int, category: int, at_ms: int) -> int | None:
        wait = rooms.rules.timing.wait(to, account, category, None, at_ms)
        return at_ms if wait is None else wait.until

    return Letters(
        rooms.database.read,
        check=validator.request,
        templates=rooms.templates.messages,
        accounts=rooms.accounts,
        vault=rooms.vault,
        zones=accounts.zone,
        loud=loud,
    )


def samples(rooms: Rooms) -> Iterator[Sample]:
    """Where campaigns stand, and what this process did for them."""
    room = rooms.campaigns
    feed, watch, looks = room.feed, room.watch, room.looks
    for state in CampaignState:
        yield Sample("sms_campaigns", watch.states[state], (state.label,))
    yield Sample("sms_campaign_chunks_waiting", watch.chunks_waiting)
    yield Sample("sms_campaign_recipients_total", feed.messages, ("message",))
    yield Sample("sms_campaign_recipients_total", feed.skipped, ("skipped",))
    yield Sample("sms_campaign_moves_total", room.brake.paused, ("paused",))
    yield Sample("sms_campaign_moves_total", watch.released, ("released",))
    yield Sample("sms_campaign_moves_total", watch.finished, ("finished",))
    yield Sample("sms_campaign_batches_counted_total", rooms.campaigns.sums.counted)
    yield Sample("sms_campaign_moves_total", looks.decided, ("decided",))
    yield Sample("sms_campaign_looks_total", looks.looks)


class AccountsInForce:
    """What campaigns need to know of accounts, as the configuration in force has it."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def zone(self, account: int) -> ZoneInfo:
        """Whose day it is where the contact has no zone."""
        return zone_of(self._rooms.config, self._settings(account))

    def checks_links(self, account: int) -> bool:
        """Whether links of its campaigns have to answer."""
        return self._settings(account).check_links

    def rules(self, account: int) -> AccountRules:
        """What the account wants of its campaigns."""
        own = self._settings(account)
        found = account_caps([own], {own.name: account})
        return AccountRules(
            zone=zone_of(self._rooms.config, own).key,
            four_eyes=own.four_eyes,
            consent=frozenset(int(Category.of(label)) for label in own.require_consent),
            global_holdout=own.global_holdout,
            caps=CapsInForce(
                {category: caps for (_, category), caps in found.items()},
                wishes=own.opt_out_page_frequency,
                engagement=own.engagement_caps,
            ),
        )

    def caps(self, account: int, category: int) -> Caps | None:
        """What a number may get of the account; None: as much as it is sent."""
        own = self._settings(account)
        return account_caps([own], {own.name: account}).get((account, category))

    def _settings(self, account: int) -> AccountSettings:
        return settings_of(self._rooms.config, self._rooms.registry, account)
