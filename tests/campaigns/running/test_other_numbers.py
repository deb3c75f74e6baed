"""Who said no for one of their numbers is not texted by a campaign under another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.reporting.why import outcome_of, sentence_of
from tests.campaigns.running.shop import AUTHOR, Shop, shopping
from tests.messages.accept.world import ACCOUNT, VAULT

SAID_NO = {"account": ACCOUNT, "category": 3, "reason": 9, "source": "keyword"}


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


async def another_number(shop: Shop, contact: int, **suppressed: object) -> bytes:
    """A second number of a contact, with an entry that makes a suppression if there is any."""
    count = await shop.world.count("contact_number")
    number = f"+86138{count:08d}"
    index = VAULT.index(number)
    await shop.connection.execute(
        "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
        " VALUES ($1, $2, $3, $4, 1)",
        ACCOUNT, index, VAULT.seal(number), contact,
    )  # fmt: skip
    if suppressed:
        await suppress(shop, index, **suppressed)
    return index


async def suppress(shop: Shop, index: bytes, **entry: object) -> None:
    values = {"to_idx": index, **entry}
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    await shop.connection.execute(
        f"INSERT INTO suppression ({', '.join(values)}) VALUES ({places})", *values.values()
    )


async def told(shop: Shop, contact: int, campaign: int) -> tuple[str, str]:
    found = await shop.desk.people.why(ACCOUNT, contact, campaign=campaign)
    assert found is not None
    return outcome_of(found[0]), sentence_of(found[0])


NOBODYS_WORD: dict[str, dict[str, object]] = {
    "of a receipt": {"source": "receipt", "reason": 1},
    "of another category": {"category": 2},
    "of another account": {"account": ACCOUNT + 1},
    "of another sender": {"senders": ["OTHER"]},
    "that has ended": {"expires_at": datetime.now(UTC) - timedelta(days=1)},
}
THEIR_WORD: dict[str, dict[str, object]] = {
    "by a reply": {},
    "by a page": {"source": "page"},
    "to everybody": {"account": 0, "category": -1},
    "by a complaint": {"source": "complaint"},
    "listed by the account": {"source": "api"},
    "of this sender": {"senders": ["10691234"]},
}


async def test_a_plan_leaves_out_who_said_no_for_another_number(shop: Shop) -> None:
    entries = [*THEIR_WORD.values(), *NOBODYS_WORD.values()]
    contacts = await shop.people(len(entries) + 1)
    for contact, entry in zip(contacts, entries, strict=False):
        await another_number(shop, contact, **{**SAID_NO, **entry})
    await another_number(shop, contacts[-1])
    campaign = await shop.draft(**{"from": "10691234"})
    plan = await shop.desk.plan(AUTHOR, campaign)
    assert plan is not None
    rows = await shop.connection.fetch("SELECT contact, reason FROM campaign_excluded")
    assert {row["contact"]: row["reason"] for row in rows} == dict.fromkeys(
        contacts[: len(THEIR_WORD)], "other_number"
    )
    assert plan.excluded == {"other_number": len(THEIR_WORD)}
    assert plan.planned == len(NOBODYS_WORD) + 1
    assert await told(shop, contacts[0], campaign) == (
        "excluded", "Excluded at the plan: the contact said no for another of their numbers."
    )  # fmt: skip


async def test_who_says_no_for_another_number_after_the_plan_is_skipped(shop: Shop) -> None:
    entries = [*THEIR_WORD.values(), *NOBODYS_WORD.values()]
    contacts = await shop.people(len(entries) + 1)
    others = [await another_number(shop, contact) for contact in contacts]
    campaign = await shop.running(**{"from": "10691234"})
    for index, entry in zip(others, entries, strict=False):
        await suppress(shop, index, **{**SAID_NO, **entry})
    await shop.feed.turn()
    found = [await told(shop, contact, campaign) for contact in contacts]
    outcomes = [outcome for outcome, _ in found]
    assert outcomes == ["skipped"] * len(THEIR_WORD) + ["message"] * (len(NOBODYS_WORD) + 1)
    assert found[0][1] == (
        "Skipped at the feed: they had said no for another of their numbers by then."
    )
    assert len(await shop.messages(campaign)) == len(NOBODYS_WORD) + 1
