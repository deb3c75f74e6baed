"""The score of a contact and the tier it leads to; the statement says what the function does."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.events.interest import DAYS, Interest, Tier, interests
from campaigns.events.naming import What
from storage.ids import IdSource
from storage.pool import Connection

ACCOUNT = 1


@pytest.mark.parametrize(
    ("interest", "score", "tier"),
    [
        (Interest(), 0, Tier.WILLING),
        (Interest(clicks=3, reactions=3), 3, Tier.KEEN),
        (Interest(conversions=1, reactions=1), 3, Tier.KEEN),
        (Interest(clicks=3, deliveries=1, reactions=3), 2.75, Tier.WILLING),
        (Interest(clicks=1, deliveries=4, reactions=1), 0, Tier.WILLING),
        (Interest(clicks=1, deliveries=5, reactions=1), -0.25, Tier.TIRED),
        (Interest(deliveries=1), -0.25, Tier.TIRED),
        (Interest(deliveries=3, recalls=3), -0.75, Tier.UNRESPONSIVE),
        (Interest(deliveries=3, recalls=2), -0.75, Tier.TIRED),
        (Interest(deliveries=3, recalls=3, reactions=1), -0.75, Tier.TIRED),
    ],
)
def test_the_score_is_clicks_and_thrice_conversions_less_a_quarter_of_deliveries(
    interest: Interest, score: float, tier: Tier
) -> None:
    assert (interest.score, interest.tier) == (score, tier)


def test_a_tier_says_how_many_texts_in_how_many_days() -> None:
    assert [(tier.most, tier.days) for tier in Tier] == [(0, 30), (2, 30), (1, 7), (2, 7)]


@given(st.integers(0, 50), st.integers(0, 20), st.integers(0, 200), st.integers(1, 9))
def test_more_of_what_is_good_never_leads_lower(
    clicks: int, conversions: int, deliveries: int, more: int
) -> None:
    at = Interest(clicks, conversions, deliveries, 0, clicks + conversions)
    assert Interest(clicks + more, conversions, deliveries, 0, 1).tier >= at.tier
    assert Interest(clicks, conversions + more, deliveries, 0, 1).tier >= at.tier
    assert Interest(clicks, conversions, deliveries + more, 0, 1).tier <= at.tier


async def test_the_statement_says_what_the_function_does(connection: Connection) -> None:
    now: datetime = await connection.fetchval("SELECT now()")
    chance = random.Random(18)
    ids = IdSource(5, lambda: int(now.timestamp() * 1000))
    contacts = ids.take(40)
    told = {
        "click": (What.CLICK, "clicks"),
        "delivered": (What.DELIVERED, "deliveries"),
        "recall_delivered": (What.DELIVERED, "recalls"),
        "signed_up": (What.CONVERSION, "conversions"),
        "order_paid": (None, "conversions"),
        "login": (None, ""),
        "visit": (What.CONVERSION, ""),
        "failed": (What.FAILED, ""),
        "opted_out": (What.INBOUND, ""),
    }
    idle = {"delivered", "recall_delivered", "failed", "opted_out"}
    expected = {contact: Interest() for contact in contacts}
    fixed: tuple[list[str], ...] = (["recall_delivered"] * 3, ["click"] * 3, ["delivered"] * 5, [])
    for place, contact in enumerate(contacts):
        some = chance.choices(list(told), k=chance.randrange(9))
        for kind in fixed[place] if place < len(fixed) else some:
            what, counted = told[kind]
            old = place >= len(fixed) and chance.random() < 0.2
            at = now - timedelta(days=DAYS, hours=1) if old else now - timedelta(days=1)
            await connection.execute(
                "INSERT INTO contact_event (id, account, contact, kind, at, what)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                ids.next(), ACCOUNT, contact, kind, at, what,
            )  # fmt: skip
            if old:
                continue
            names = [counted] if counted else []
            names += [] if kind in idle else ["reactions"]
            before = expected[contact]
            more = {name: getattr(before, name) + 1 for name in names}
            expected[contact] = Interest(**{**_fields(before), **more})
    found = await interests(connection, contacts, now)
    assert found == {contact: (each, each.tier) for contact, each in expected.items()}
    assert {tier for _, tier in found.values()} == set(Tier)


def _fields(interest: Interest) -> dict[str, int]:
    return {name: getattr(interest, name) for name in Interest.__struct_fields__}
