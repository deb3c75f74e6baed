"""The compliance part: what was really sent, held against consents, hours, caps and opt-outs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.reporting.compliance import Compliance, Found, over, shown, stored_of
from campaigns.reporting.reports import ReportWish
from dlr.rollups.latency import bucket_of
from recipients.caps import DAY_MS, Caps, refusal
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.keys import NumberKeys
from tests.campaigns.running.shop import Shop, shopping
from tests.messages.accept.world import ACCOUNT

NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)  # in Shanghai
NIGHT = NOON + timedelta(hours=11)


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


async def fed(shop: Shop, people: int) -> tuple[int, list[int]]:
    await shop.people(people)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver()
    await shop.connection.execute("UPDATE submission SET submitted_at = $1", NOON)
    return campaign, [each["id"] for each in await shop.messages(campaign)]


async def told(shop: Shop, campaign: int) -> Compliance:
    report = await shop.desk.reports.report(
        await shop.one(campaign), ReportWish(compliance=True), datetime.now(UTC)
    )
    assert report.compliance is not None
    return report.compliance


async def consent(shop: Shop, message: int, *, granted: bool = True, **columns: Any) -> None:
    await shop.connection.execute(
        "INSERT INTO consent (account, category, to_idx, to_enc, granted, source, evidence, at)"
        " SELECT $1, 3, to_idx, to_enc, $3, 'web', $4, $5 FROM message WHERE id = $2",
        ACCOUNT, message, granted, columns.get("evidence"), columns.get("at", NOON),
    )  # fmt: skip


async def test_consents_without_a_proof_and_people_without_a_consent(shop: Shop) -> None:
    campaign, messages = await fed(shop, 6)
    early = NOON - timedelta(days=9)
    await consent(shop, messages[0], evidence="scan 7", at=early)
    await consent(shop, messages[1], at=early)
    await consent(shop, messages[2], evidence="scan 8", at=early)
    await consent(shop, messages[2], granted=False)
    await consent(shop, messages[3], evidence="later", at=NOON + timedelta(hours=1))
    found = await told(shop, campaign)
    assert (found.messages, found.without_consent, found.without_evidence) == (6, 4, 1)


async def test_what_was_sent_at_a_quiet_hour_or_outside_of_its_window(shop: Shop) -> None:
    campaign, messages = await fed(shop, 6)
    await shop.connection.execute(
        "UPDATE submission SET submitted_at = $1 WHERE message_id = $2", NIGHT, messages[0]
    )
    await shop.connection.execute(
        "UPDATE message SET options = $1 WHERE id = ANY($2)",
        {"window": {"start": 18 * 60, "end": 20 * 60}}, messages[1:3],
    )  # fmt: skip
    await shop.connection.execute(  # half a minute late is on its way
        "UPDATE submission SET submitted_at = $1 WHERE message_id = $2",
        NOON + timedelta(hours=8, seconds=30), messages[2],
    )  # fmt: skip
    assert (await told(shop, campaign)).outside_hours == 2


async def test_more_than_a_cap_allows(shop: Shop) -> None:
    campaign, messages = await fed(shop, 3)
    noon = int(NOON.timestamp() * 1000)
    for message, times in (
        (messages[0], [noon - 1_000, noon]),
        (messages[1], [noon - DAY_MS, noon]),
    ):
        await shop.connection.execute(
            "INSERT INTO frequency (account, category, to_idx, message_ids, sent_at)"
            " SELECT $1, 3, to_idx, $3, $4 FROM message WHERE id = $2"
            " ON CONFLICT (account, category, to_idx) DO UPDATE SET sent_at = excluded.sent_at",
            ACCOUNT, message, [1, message], times,
        )  # fmt: skip
    assert (await told(shop, campaign)).caps_exceeded == 1


async def opted_out(shop: Shop, message: int, seconds: float) -> None:
    """By a word, which was in force so long after it came."""
    at = datetime.now(UTC)
    inbound = id_at(at) + message % (1 << 22)  # no other message has these bits
    await shop.connection.execute(
        "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
        " text, parts, answers, fingerprint, class)"
        " VALUES ($1, 7, $2, '', '', '1069', 'R', 1, $3, '', 'opt_out')",
        inbound, ACCOUNT, message,
    )  # fmt: skip
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source, message_id,"
        " created_at) SELECT to_idx, $1, 3, 9, 'keyword', $3, $4 FROM message WHERE id = $2",
        ACCOUNT, message, inbound, at + timedelta(seconds=seconds),
    )  # fmt: skip


async def test_how_long_opt_outs_took(shop: Shop) -> None:
    campaign, messages = await fed(shop, 25)
    for message in messages[:20]:
        await opted_out(shop, message, 0.2)
    await opted_out(shop, messages[20], 90)
    seconds = (await told(shop, campaign)).opt_out_seconds
    assert seconds.opt_outs == 21
    assert seconds.p50 == pytest.approx(0.2, rel=0.03)
    assert seconds.p95 == pytest.approx(0.2, rel=0.03)
    assert seconds.max == pytest.approx(90, rel=0.001)


async def test_what_was_found_outlives_consents_and_people(shop: Shop) -> None:
    campaign, messages = await fed(shop, 5)
    await consent(shop, messages[0], at=NOON - timedelta(days=1))
    await opted_out(shop, messages[1], 1)

    async def count() -> None:
        batch = await shop.connection.fetchval("SELECT batch FROM campaign_stat_batch")
        async with shop.connection.transaction():
            await shop.counter.recount(
                shop.connection, campaign, ACCOUNT, batch, now=datetime.now(UTC)
            )

    await count()
    before = await told(shop, campaign)
    await shop.connection.execute("DELETE FROM consent; UPDATE suppression SET message_id = NULL")
    await count()
    assert await told(shop, campaign) == before
    assert (before.without_evidence, before.opt_out_seconds.opt_outs) == (1, 1)


async def test_nobody_looks_while_the_number_key_changes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages have other indexes then than consents: each would be one without."""
    campaign, messages = await fed(shop, 3)
    for message in messages:
        await consent(shop, message, evidence="scan 7", at=NOON - timedelta(days=1))
    await shop.connection.execute("UPDATE consent SET to_idx = sha256(to_idx)")
    batch = await shop.connection.fetchval("SELECT batch FROM campaign_stat_batch")
    vault = NumberVault(NumberKeys(bytes(range(64))))
    monkeypatch.setattr(shop.counter, "_vault", vault)
    monkeypatch.setattr(shop.desk.reports, "_vault", vault)

    async def looked() -> int:
        async with shop.connection.transaction():
            await shop.counter.recount(
                shop.connection, campaign, ACCOUNT, batch, now=datetime.now(UTC)
            )
        return (await told(shop, campaign)).messages

    vault.learn(NumberKeys(bytes(range(64, 128))))
    assert await looked() == 0
    vault.forget()
    await shop.connection.execute(
        "UPDATE consent AS c SET to_idx = m.to_idx FROM message AS m WHERE m.to_enc = c.to_enc"
    )
    assert await looked() == 3
    assert (await told(shop, campaign)).without_consent == 0


def test_nothing_sent_is_nothing_found() -> None:
    found = shown([])
    assert (found.messages, found.caps_exceeded) == (0, None)
    assert found.opt_out_seconds.p50 is None


def test_what_is_stored_is_read_again() -> None:
    found = Found(messages=3, latency_ms={bucket_of(200): 2}, opt_outs=2, latency_max_ms=210)
    kept = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(found, str_keys=True)))
    assert stored_of(kept) == found


@given(st.lists(st.integers(0, 40 * DAY_MS), max_size=8), st.integers(0, 3), st.integers(0, 3))
def test_whatever_the_caps_let_go_is_none_too_many(times: list[int], day: int, week: int) -> None:
    caps = Caps(day=day, week=week)
    gone: list[int] = []
    for at in sorted(times):
        allowed = refusal(caps, gone, at) is None
        assert over(caps, [*gone, at], at) is not allowed
        if allowed:
            gone.append(at)
