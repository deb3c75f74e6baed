"""Campaigns while the number key changes: a number has two indexes, and is one person's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.caps import foretelling
from campaigns.contacts.number_rewriting import ContactNumbers
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from tests.campaigns.running.shop import AUTHOR, Shop, shopping
from tests.messages.accept.world import ACCOUNT, VAULT

FOLLOWING = NumberKeys(bytes(range(64, 128)))
LATER = NumberVault(FOLLOWING)
NOW = datetime.now(UTC)


def moving() -> NumberVault:
    """Of a process in the middle of the change, which writes the second key."""
    vault = NumberVault(NumberKeys(bytes(range(64))))
    vault.learn(FOLLOWING)
    vault.turn_over()
    return vault


@pytest.fixture
async def shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        vault = moving()
        monkeypatch.setattr(built.desk, "_vault", vault)
        monkeypatch.setattr(built.desk._letters, "_vault", vault)
        yield built


def number(place: int) -> str:
    """Of the shop's contact in this place."""
    return f"+86137{place:08d}"


async def moved(shop: Shop, *places: int) -> None:
    """The numbers of these contacts stand under the second key's index already."""
    for place in places:
        await shop.connection.execute(
            "UPDATE contact_number SET to_idx = $1, to_enc = $2 WHERE to_idx = $3",
            LATER.index(number(place)), LATER.seal(number(place)), VAULT.index(number(place)),
        )  # fmt: skip


async def suppressed(shop: Shop, place: int, vault: NumberVault) -> None:
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source)"
        " VALUES ($1, $2, 3, 9, 'keyword')",
        vault.index(number(place)), ACCOUNT,
    )  # fmt: skip


async def said(
    shop: Shop, place: int, vault: NumberVault, hours_ago: int, *, granted: bool
) -> None:
    await shop.connection.execute(
        "INSERT INTO consent (account, category, to_idx, to_enc, granted, source, at)"
        " VALUES ($1, 3, $2, $3, $4, 'shop', $5)",
        ACCOUNT, vault.index(number(place)), vault.seal(number(place)), granted,
        NOW - timedelta(hours=hours_ago),
    )  # fmt: skip


async def planned(shop: Shop) -> tuple[set[int], dict[str, int]]:
    """The contacts of a new plan, and who is left out by reason."""
    plan = await shop.desk.plan(AUTHOR, await shop.draft())
    assert plan is not None
    rows = await shop.connection.fetch("SELECT contact FROM campaign_recipient")
    assert len(rows) == plan.planned
    return {row["contact"] for row in rows}, dict(plan.excluded)


async def test_g37_whoever_opted_out_under_either_key_is_planned_under_neither(shop: Shop) -> None:
    contacts = await shop.people(6)
    await moved(shop, 0, 1, 4)
    for place, vault in ((0, VAULT), (1, LATER), (2, LATER), (3, VAULT)):
        await suppressed(shop, place, vault)
    assert await planned(shop) == (set(contacts[4:]), {"suppressed": 4})


async def test_g37_the_last_word_counts_whichever_key_it_stands_under(shop: Shop) -> None:
    shop.rules["consent"] = frozenset({3})
    contacts = await shop.people(8)
    await moved(shop, 1, 5, 7)
    words = [
        (0, LATER, 1, True),
        (1, VAULT, 1, True),
        (2, VAULT, 2, True), (2, LATER, 1, False),
        (3, LATER, 2, False), (3, VAULT, 1, True),
        (5, LATER, 2, True), (5, VAULT, 1, False),
        (6, VAULT, 1, True),
        (7, LATER, 1, True),
    ]  # fmt: skip
    for place, vault, hours_ago, granted in words:
        await said(shop, place, vault, hours_ago, granted=granted)
    assert await planned(shop) == (
        {contacts[place] for place in (0, 1, 3, 6, 7)}, {"no_consent": 3},
    )  # fmt: skip


async def test_g37_an_opt_out_that_was_left_under_the_first_key_counts_after_the_change(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = moving()
    vault.forget(keep_index=True)
    monkeypatch.setattr(shop.desk, "_vault", vault)
    contacts = await shop.people(3)
    await moved(shop, 0, 1, 2)
    await suppressed(shop, 1, VAULT)
    assert await planned(shop) == ({contacts[0], contacts[2]}, {"suppressed": 1})


async def test_one_key_asks_for_no_other_form(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no number is opened: it would cost a plan of a million people half a minute."""
    vault = Unopened(NumberKeys(bytes(range(64))))
    monkeypatch.setattr(shop.desk, "_vault", vault)
    contacts = await shop.people(3)
    await suppressed(shop, 1, VAULT)
    assert await planned(shop) == ({contacts[0], contacts[2]}, {"suppressed": 1})


class Unopened(NumberVault):
    """Nobody opens a number with it."""

    def open(self, sealed: bytes) -> str:
        raise AssertionError


async def test_g39_a_number_that_cannot_be_read_stops_no_campaign(shop: Shop) -> None:
    """It is asked for by the index it has, and gets nothing."""
    contacts = await shop.people(4)
    await shop.connection.execute(
        "UPDATE contact_number SET to_enc = 'damaged' WHERE contact = ANY($1)", contacts[:2]
    )
    await suppressed(shop, 1, VAULT)
    campaign = await shop.running()
    counts = (await shop.one(campaign)).counts
    assert (counts["planned"], counts["excluded"]) == (3, {"suppressed": 1})
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 2
    assert (await shop.one(campaign)).skipped == {"number_gone": 1}
    rows = await shop.desk.people.recipients(await shop.one(campaign), after=0, limit=9)
    assert [each.to is None for each in rows].count(True) == 1


async def test_no_number_gets_another_index_while_a_plan_is_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its recipient would be written down under an index that nobody has any more."""
    await shop.people(5)
    table, vault = ContactNumbers(), moving()
    meanwhile: list[Any] = []

    async def capped(*_asked: Any) -> int:
        async with shop.connection.transaction():
            meanwhile.append(await table.batch(shop.connection, vault, [], 2, NOW))
        return 0

    monkeypatch.setattr(foretelling, "capped", capped)
    campaign = await shop.draft()
    assert await shop.desk.plan(AUTHOR, campaign) is not None
    assert [(each.place, each.rows, each.moved) for each in meanwhile] == [([], 2, 0)]
    place, moved_in_all = meanwhile[0].place, 0
    while True:
        async with shop.connection.transaction():
            done = await table.batch(shop.connection, vault, place, 2, NOW)
        place, moved_in_all = done.place, moved_in_all + done.moved
        if done.rows < 2:
            break
    assert moved_in_all == 5
    found = await shop.connection.fetchval(
        "SELECT count(*) FROM campaign_recipient AS r"
        " JOIN contact_number AS n ON n.to_idx = r.to_idx AND n.contact = r.contact"
    )
    assert found == 5


async def test_a_test_says_what_the_contact_is_called_whichever_key_it_stands_under(
    shop: Shop,
) -> None:
    await shop.people(2)
    await moved(shop, 1)
    variables = {"city": {"type": "text", "source": "attr.city", "max": 8}}
    template = await shop.version(body="{{city}} is calling", variables=variables)
    campaign = await shop.draft(arms=[{"template": template}])
    assert await shop.desk.test(AUTHOR, campaign, [number(0), number(1)]) is not None
    assert [each["params"] for each in shop.asked] == [{"city": "广州"}] * 2


async def test_g37_who_said_no_for_another_number_is_known_under_either_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the plan, and when it is their turn."""
    monkeypatch.setattr(shop.feed, "_vault", moving())
    contacts = await shop.people(6)
    for place, contact in enumerate(contacts):
        vault = (VAULT, LATER)[place % 2]
        await shop.connection.execute(
            "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
            " VALUES ($1, $2, $3, $4, 1)",
            ACCOUNT, vault.index(number(place + 6)), vault.seal(number(place + 6)), contact,
        )  # fmt: skip
    await suppressed(shop, 6, LATER)
    await suppressed(shop, 7, VAULT)
    campaign = await shop.running()
    counts = (await shop.one(campaign)).counts
    assert (counts["planned"], counts["excluded"]) == (4, {"other_number": 2})
    await suppressed(shop, 8, LATER)
    await suppressed(shop, 9, VAULT)
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 2
    assert (await shop.one(campaign)).skipped == {"other_number": 2}
