"""Who has had enough is skipped with the rule that says so, and nobody vanishes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.caps.accounts import CappedAccounts
from campaigns.caps.foretelling import CapsInForce
from campaigns.caps.members import CapMembers
from campaigns.caps.people import ContactCaps
from dispatch.holds import Hold
from messages.rules.cap_rules import CapRules
from messages.rules.caps import CapsCheck
from messages.rules.suppression import SuppressionCheck
from recipients import frequency, preferences
from recipients.caps import DAY_MS, HOUR_MS, MINUTE_MS, Caps
from recipients.preferences import Preference, Wish
from storage.categories import Category
from storage.pool import Connection
from tests.campaigns.running.shop import AUTHOR, Shop, shopping
from tests.campaigns.running.world import Campaigns, Dying, Killed, campaigning, numbers
from tests.messages.accept.world import ACCOUNT, VAULT, wall_ms

MARKETING = int(Category.MARKETING)


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


class Capping:
    """The caps of a shop's account, asked as the gateway asks them."""

    def __init__(self, shop: Shop, caps: Caps, *, engaged: bool = False) -> None:
        self.shop = shop
        self.now = wall_ms()
        self.known = CappedAccounts(shop.world.database.dedicated("caps"), lambda task: None)
        self.members = CapMembers(
            shop.world.database.dedicated("cap-members"),
            zone_of=lambda account: "Asia/Shanghai",
            wall_ms=wall_ms,
            monotonic=lambda: 0.0,
            ended=lambda task: None,
        )
        people = ContactCaps(self.known, {ACCOUNT} if engaged else (), lambda: datetime.now(UTC))
        rules = CapRules({(ACCOUNT, MARKETING): caps}, [ACCOUNT], people)
        shop.world.accepter.checks = (SuppressionCheck(), CapsCheck(rules, lambda: self.now))
        shop.rules["caps"] = CapsInForce({MARKETING: caps}, True, engaged)

    async def sent(self, contact: int, *ages_ms: int) -> None:
        """So long ago messages went to this contact."""
        to_idx = await self._index(contact)
        number = (ACCOUNT, MARKETING, to_idx)
        async with self.shop.connection.transaction():
            found = await frequency.lock(self.shop.connection, [number])
            for age in ages_ms:
                found[number].count(self.shop.ids.next(), self.now - age)
            await frequency.write(self.shop.connection, found)

    async def wishes(self, contact: int, month: int) -> None:
        await preferences.put(
            self.shop.connection,
            Preference(
                number=(ACCOUNT, MARKETING, await self._index(contact)), to_enc=b"",
                wish=Wish(month), message_id=1, updated_at=datetime.now(UTC),
            ),
        )  # fmt: skip

    async def tag(self, name: str, **limits: int) -> int:
        """A tag whose contacts have this cap."""
        tag: int = await self.shop.connection.fetchval(
            "INSERT INTO tag_def (account, name) VALUES ($1, $2) RETURNING id", ACCOUNT, name
        )
        await self._cap("tag", tag, limits)
        return tag

    async def segment(self, name: str, source: str, **limits: int) -> None:
        """A saved segment whose contacts have this cap."""
        segment = self.shop.ids.next()
        await self.shop.connection.execute(
            "INSERT INTO segment (id, account, name, source) VALUES ($1, $2, $3, $4)",
            segment, ACCOUNT, name, source,
        )  # fmt: skip
        await self._cap("segment", segment, limits)

    async def _cap(self, kind: str, group: int, limits: Mapping[str, int]) -> None:
        await self.shop.connection.execute(
            f"INSERT INTO group_cap (id, account, {kind}, day, week, month)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            self.shop.ids.next(), ACCOUNT, group,
            *(limits.get(span) for span in ("day", "week", "month")),
        )  # fmt: skip
        await self.known.turn()

    async def _index(self, contact: int) -> bytes:
        found: bytes = await self.shop.connection.fetchval(
            "SELECT to_idx FROM contact_number WHERE contact = $1", contact
        )
        return found


async def skips(connection: Connection) -> dict[int, tuple[str, str, str]]:
    """Contact -> reason, rule, detail."""
    rows = await connection.fetch(
        "SELECT r.contact, s.reason, s.rule, s.detail FROM campaign_skip AS s"
        " JOIN campaign_recipient AS r USING (campaign, seq)"
    )
    return {row["contact"]: (row["reason"], row["rule"], row["detail"]) for row in rows}


async def test_c21_a_cap_rolls_and_each_rule_that_skips_somebody_is_stored(shop: Shop) -> None:
    """C21: a day is 24 hours, whatever the calendar says. Each person has a cap of another rule."""
    capping = Capping(shop, Caps(day=1, gap_seconds=60))
    vip = await capping.tag("vip", week=1)
    await capping.segment("北京", 'city = "北京"', month=1)
    fresh, yesterday, day_ago, wisher = await shop.people(4)
    [grouped] = await shop.people(1, tags=[vip])
    [northern] = await shop.people(1, attrs={"city": "北京"})
    await capping.members.turn()
    await capping.sent(yesterday, 24 * HOUR_MS - MINUTE_MS)
    await capping.sent(day_ago, 24 * HOUR_MS)
    await capping.sent(wisher, 29 * DAY_MS)
    await capping.wishes(wisher, 1)
    await capping.sent(grouped, 6 * DAY_MS)
    await capping.sent(northern, 20 * DAY_MS)
    campaign = await shop.running(audience={"segment": 'city in ("广州", "北京")'})
    assert (await shop.one(campaign)).counts["capped"] == 4
    await shop.feed.turn()
    assert await skips(shop.connection) == {
        yesterday: ("capped", "frequency_cap", "as many as a day allows"),
        wisher: ("capped", "preference_cap", "as many as the recipient wishes in a month"),
        grouped: ("capped", "group_cap", "as many as a week allows in the group vip"),
        northern: ("capped", "group_cap", "as many as a month allows in the group 北京"),
    }
    assert len(await shop.messages(campaign)) == 2  # and of the others there is no row
    found = await shop.one(campaign)
    assert found.skipped == {"capped": 4}
    assert found.capped == {"frequency_cap": 1, "preference_cap": 1, "group_cap": 2}
    shown = await shop.desk.people.recipients(found, after=0, limit=10)
    assert {each.contact for each in shown if each.status == "message"} == {fresh, day_ago}
    [told] = [each for each in shown if each.contact == grouped]
    assert (told.status, told.reason, told.rule) == ("skipped", "capped", "group_cap")
    decisions = shop.world.accepter.decisions
    assert decisions == {(rule, "capped"): count for rule, count in found.capped.items()}


@pytest.mark.parametrize("within_gap", ["skip", "wait"])
async def test_the_gap_holds_across_campaigns_and_each_says_whether_it_is_waited_for(
    shop: Shop, within_gap: str
) -> None:
    capping = Capping(shop, Caps(gap_seconds=3600))
    near, far, _ = await shop.people(3)
    first = await shop.running()
    await shop.feed.turn()
    assert len(await shop.messages(first)) == 3
    await capping.sent(near, MINUTE_MS)  # the first campaign's went on the wire
    await capping.sent(far, 61 * MINUTE_MS)
    campaign = await shop.running(within_gap=within_gap)
    await shop.feed.turn()
    mine = {row["id"] for row in await shop.messages(campaign)}
    held = [
        row
        for row in (await shop.world.outbox()).values()
        if row["id"] in mine and row["hold"] == Hold.FREQUENCY_GAP
    ]
    if within_gap == "skip":
        assert await skips(shop.connection) == {
            near: ("capped", "frequency_gap", "too soon after the last one")
        }
        assert (len(mine), held) == (2, [])
    else:
        assert await skips(shop.connection) == {}
        assert (len(mine), len(held)) == (3, 1)
        assert held[0]["not_before"] == datetime.fromtimestamp(
            (capping.now - MINUTE_MS + HOUR_MS) / 1000, UTC
        )


async def test_the_plan_foretells_how_many_are_capped(shop: Shop) -> None:
    """Of people with sends, tags, wishes and segments at random: what the feed then skips."""
    rng = random.Random(5)
    capping = Capping(shop, Caps(week=2, gap_seconds=7200))
    tags = [await capping.tag("a", week=1), await capping.tag("b", day=1, month=3)]
    quiet = await capping.tag("quiet", month=0)
    await capping.segment("all", "has city", month=6)
    for _ in range(60):
        some = [each for each in tags if rng.random() < 0.4]
        some += [quiet] if rng.random() < 0.1 else []
        [contact] = await shop.people(1, tags=sorted(some))
        ages = [rng.randrange(40 * 24) * HOUR_MS + 1 for _ in range(rng.randrange(4))]
        await capping.sent(contact, *ages)
        if rng.random() < 0.2:
            await capping.wishes(contact, rng.randrange(1, 4))
        elif rng.random() < 0.1:
            await capping.sent(contact, HOUR_MS)
    await capping.members.turn()
    campaign = await shop.running(holdout=0.2)
    foretold = (await shop.one(campaign)).counts["capped"]
    await shop.feed.turn()
    found = await skips(shop.connection)
    assert foretold == len(found) > 5
    assert {rule for _, rule, _ in found.values()} <= {
        "frequency_cap", "frequency_gap", "group_cap", "preference_cap"
    }  # fmt: skip
    messages = await shop.messages(campaign)
    counts: Any = (await shop.one(campaign)).counts
    assert len(messages) + len(found) == counts["planned"], "nobody vanishes"


async def happened(shop: Shop, told: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Events of these kinds, some eighty days ago."""
    at = datetime.now(UTC) - timedelta(days=80)
    await shop.connection.copy_records_to_table(
        "contact_event",
        records=[
            (shop.ids.next(), ACCOUNT, contact, kind, at)
            for contact, kinds in told
            for kind in kinds
        ],
        columns=("id", "account", "contact", "kind", "at"),
    )
    await shop.connection.executemany(
        "INSERT INTO engagement VALUES ($1, $2, $3, $4, $4, $5)",
        [
            (ACCOUNT, contact, kind, at, kinds.count(kind))
            for contact, kinds in told
            for kind in sorted(set(kinds))
        ],
    )


async def test_who_responds_gets_more_and_whom_recalls_do_not_move_gets_none(shop: Shop) -> None:
    capping = Capping(shop, Caps(), engaged=True)
    keen, eager, willing, tired, vain, _ = await shop.people(6)
    await happened(
        shop,
        [
            (keen, ["click"] * 3),
            (eager, ["order_paid"] + ["delivered"] * 8),
            (tired, ["delivered"]),
            (vain, ["recall_delivered"] * 3 + ["delivered"] * 3),
        ],
    )
    await capping.sent(keen, 6 * DAY_MS)
    await capping.sent(eager, 6 * DAY_MS)
    await capping.sent(willing, 6 * DAY_MS)
    await capping.sent(tired, 20 * DAY_MS, 29 * DAY_MS)
    campaign = await shop.running()
    assert (await shop.one(campaign)).counts["capped"] == 4
    await shop.feed.turn()
    found = await skips(shop.connection)
    why = "as many as a {} allows for what the recipient does with them"
    assert found == {
        eager: ("capped", "engagement_cap", why.format("week")),
        willing: ("capped", "engagement_cap", why.format("week")),
        tired: ("capped", "engagement_cap", why.format("month")),
        vain: ("capped", "engagement_cap", why.format("month")),
    }
    assert len(await shop.messages(campaign)) == 2


async def test_whom_recalls_do_not_move_is_left_out_of_a_recall(shop: Shop) -> None:
    contacts = await shop.people(5)
    moved, clicked, twice, vain, other = contacts
    told = [
        (moved, ["recall_delivered"] * 3 + ["login"]),
        (clicked, ["recall_delivered"] * 4 + ["click"]),
        (twice, ["recall_delivered"] * 2),
        (vain, ["recall_delivered"] * 3),
        (other, ["delivered"] * 9),
    ]
    await happened(shop, told)
    for changes, excluded in (
        ({"goal": "recall"}, {"unresponsive": 1}),
        ({"goal": "news"}, {}),
        ({"goal": "recall", "unresponsive": "include"}, {}),
        ({"unresponsive": "exclude"}, {"unresponsive": 1}),
    ):
        audience = {"segment": 'city = "广州"', "unresponsive": changes.pop("unresponsive", None)}
        campaign = await shop.draft(audience=audience, **changes)
        plan = await shop.desk.plan(AUTHOR, campaign)
        assert plan is not None
        assert (plan.excluded, plan.planned) == (excluded, 5 - len(excluded)), changes
        rows = await shop.connection.fetch(
            "SELECT contact FROM campaign_excluded WHERE campaign = $1", campaign
        )
        assert [row["contact"] for row in rows] == ([vain] if excluded else [])


async def test_an_edit_leaves_whom_a_cap_has_skipped_skipped(shop: Shop) -> None:
    capping = Capping(shop, Caps(day=1))
    contacts = await shop.people(3)
    await capping.sent(contacts[0], HOUR_MS)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.desk.pause(AUTHOR, campaign, "another text")
    paused = await shop.one(campaign)
    await shop.desk.edit(
        AUTHOR, campaign, paused.revision, shop.spec(canary={"share": 0}, name="2")
    )
    await shop.end_canceled()
    await shop.desk.resume(AUTHOR, campaign)
    await shop.feed.turn()
    shown = await shop.desk.people.recipients(await shop.one(campaign), after=0, limit=10)
    status = {each.contact: (each.status, each.rule) for each in shown}
    assert status == {contacts[0]: ("skipped", "frequency_cap")} | dict.fromkeys(
        contacts[1:], ("message", None)
    )


@pytest.mark.parametrize("stored", [0.0, 0.5, 1.0])
async def test_a_chunk_given_again_counts_nobody_twice(database_url: str, stored: float) -> None:
    """Whoever got theirs before the crash has it, although by now a cap would refuse another."""
    async with campaigning(database_url) as here:
        rules = CapRules({(ACCOUNT, MARKETING): Caps(day=1)})
        here.world.accepter.checks = (SuppressionCheck(), CapsCheck(rules, wall_ms))
        campaign = await here.planned(20)
        await _sent(here, {VAULT.index(numbers(20)[19]): 1})
        feed = await here.process(lambda inner: Dying(inner, 0, stored))
        with pytest.raises(Killed):
            await feed.turn()
        rows = await here.connection.fetch("SELECT id, to_idx FROM message")
        await _sent(here, {row["to_idx"]: row["id"] for row in rows})
        await here.dead()
        after = await here.process()
        assert await after.turn() == 1
        assert await here.sent(campaign) == numbers(19)
        assert await here.skips(campaign) == {19: "capped"}


async def _sent(here: Campaigns, ids: Mapping[bytes, int]) -> None:
    """These messages went on the wire, and were counted."""
    wanted = [(ACCOUNT, MARKETING, to_idx) for to_idx in ids]
    async with here.connection.transaction():
        found = await frequency.lock(here.connection, wanted)
        for number in wanted:
            found[number].count(ids[number[2]], wall_ms() - MINUTE_MS)
        await frequency.write(here.connection, found)
