"""Reports of campaigns over a real database: what is counted, by what, and what outlives what."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from campaigns.reporting import counting
from campaigns.reporting.cells import OTHERS
from campaigns.reporting.counting import FRESH
from campaigns.reporting.reports import CampaignReport, ReportWish
from campaigns.running.desk import CampaignRefused
from campaigns.running.spec import Spec, faults
from campaigns.templates import store as templates
from campaigns.templates.content import Content
from campaigns.templates.memory import place_of
from dlr.reasons import Reason
from dlr.status import Status
from shortlinks.classify import ClickClass
from shortlinks.conversions import Attribution, ConversionWord, record
from storage.ids import IdSource, format_id, id_at, run_of_ids
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.messages.accept.world import ACCOUNT

PLACES = itertools.count()  # of ids in one millisecond
HOUR = timedelta(hours=1)


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


async def told(shop: Shop, campaign: int, **wish: Any) -> CampaignReport:
    now = wish.pop("now", datetime.now(UTC))
    return await shop.desk.reports.report(await shop.one(campaign), ReportWish(**wish), now)


async def fed(shop: Shop, **changes: Any) -> int:
    """Everybody has a message, and each was delivered."""
    campaign = await shop.running(**changes)
    await shop.feed.turn()
    await shop.deliver()
    return campaign


async def clicked(shop: Shop, message: int, *, after: timedelta = HOUR, human: bool = True) -> int:
    click = id_at(datetime.now(UTC) + after) + next(PLACES)
    await shop.connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix) VALUES ($1, 1, 0, $2, $3, '{}', 'GET', '', '')",
        click, message, ClickClass.HUMAN if human else ClickClass.HUMAN + 1,
    )  # fmt: skip
    return click


async def converted(shop: Shop, message: int, click: int | None, event: str = "order") -> None:
    await shop.connection.execute(
        "INSERT INTO conversion (id, account, reference, fingerprint, event, occurred_at,"
        " message_id, slot, click_id) VALUES ($1, $2, $3, '', $4, now(), $5, 0, $6)",
        shop.ids.next(), ACCOUNT, str(shop.ids.next()), event, message, click,
    )  # fmt: skip


async def answered(
    shop: Shop, message: int, kind: str, *, after: timedelta = HOUR, rating: int | None = None
) -> int:
    inbound = id_at(datetime.now(UTC) + after) + next(PLACES)
    await shop.connection.execute(
        "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
        " text, parts, answers, fingerprint, class, rating)"
        " VALUES ($1, 7, $2, '', '', '1069', 'R', 1, $3, '', $4, $5)",
        inbound, ACCOUNT, message, kind, rating,
    )  # fmt: skip
    return inbound


async def back(shop: Shop, contact: int, *days: float, kind: str = "login") -> None:
    for each in days:
        at = datetime.now(UTC) + timedelta(days=each)
        await shop.connection.execute(
            "INSERT INTO contact_event (id, account, contact, kind, at)"
            " VALUES ($1, $2, $3, $4, $5)",
            shop.ids.next(), ACCOUNT, contact, kind, at,
        )  # fmt: skip


async def recipients(shop: Shop, campaign: int) -> dict[int, int]:
    """Contact -> message."""
    rows = await shop.desk.people.recipients(await shop.one(campaign), after=0, limit=10_000)
    return {each.contact: each.message for each in rows if each.message is not None}


def test_an_id_of_a_run_is_the_same_in_sql_and_python() -> None:
    """Of the pure part; the database's is compared below."""
    ids = IdSource(255, lambda: 1_800_000_000_000)
    first = ids.take(16_000)[-1]
    assert run_of_ids(first, 1_000)[0] == first


async def test_ids_of_a_run_in_sql(shop: Shop) -> None:
    for node in (0, 7, 255):
        ids = IdSource(node, lambda: 1_800_000_000_000)
        ids.take(16_000)
        first, *_ = run = ids.take(1_000)
        rows = await shop.connection.fetch(
            "SELECT id_of_run($1, n) AS id FROM generate_series(0, 999) AS n ORDER BY n", first
        )
        assert [row["id"] for row in rows] == run == run_of_ids(first, 1_000)


async def test_c26_a_dead_number_is_no_opt_out(shop: Shop) -> None:
    """C26: both end up suppressed, and are counted apart."""
    await shop.people(12)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver(status=Status.UNDELIVERED, limit=3)
    await shop.deliver()
    for status, reason, source, some in (
        (Status.UNDELIVERED, Reason.NUMBER_UNKNOWN, "hygiene", 3),
        (Status.DELIVERED, Reason.OPTED_OUT, "keyword", 2),
    ):
        rows = await shop.connection.fetch(
            "INSERT INTO suppression (to_idx, account, category, reason, source, message_id)"
            " SELECT m.to_idx, $1, 3, $2, $3, m.id FROM message AS m"
            " JOIN submission AS s ON s.message_id = m.id"
            " WHERE s.status = $4 AND m.campaign_id IS NOT NULL LIMIT $5"
            " RETURNING message_id",
            ACCOUNT, reason, source, status, some,
        )  # fmt: skip
        for row in rows if reason is Reason.OPTED_OUT else ():
            await answered(shop, row["message_id"], "opt_out")
    report = await told(shop, campaign)
    assert (report.total.counts["undelivered"], report.total.funnel["opted_out"]) == (3, 2)
    again = await shop.desk.plan(AUTHOR, await shop.draft())
    assert again is not None
    assert again.excluded == {"suppressed": 5}


async def test_the_funnel_from_accepted_to_replied(shop: Shop) -> None:
    await shop.people(40)
    campaign = await fed(shop)
    messages = list((await recipients(shop, campaign)).values())
    clicks = [await clicked(shop, message) for message in messages[:8]]
    await clicked(shop, messages[0])
    await clicked(shop, messages[20], human=False)
    await converted(shop, messages[7], clicks[7])
    await converted(shop, messages[7], clicks[7], "visit")
    await converted(shop, messages[9], None)
    await answered(shop, messages[10], "opt_out")
    await answered(shop, messages[11], "opt_out")
    await shop.connection.execute(  # 73 hours before that
        "UPDATE submission SET submitted_at = submitted_at - interval '72 hours'"
        " WHERE message_id = $1", messages[11],
    )  # fmt: skip
    await answered(shop, messages[12], "rating", rating=4)
    await answered(shop, messages[12], "other")
    report = await told(shop, campaign)
    assert report.total.funnel == {
        "accepted": 40, "sent": 40, "delivered": 40, "clicked": 8, "converted": 1,
        "opted_out": 1, "replied": 3,
    }  # fmt: skip
    counts = report.total.counts
    assert (counts["clicks"], counts["human_clicks"], counts["parts"]) == (10, 9, 40)
    assert (counts["conversions"], counts["conversions_without_click"]) == (1, 1)
    assert (counts["landed_clicks"], counts["visitors"]) == (1, 1)
    rates = report.total.rates
    assert rates["uctr_delivered"].value == 8 / 40
    assert (rates["reply_rate_rating"].numerator, rates["reply_rate_opt_out"].numerator) == (1, 2)
    assert rates["survey_mean"].value == 4
    assert "uv_share" not in rates
    assert sum(report.total.click_hours) == 9
    assert report.total.half_life_hours == len(report.total.click_hours)
    assert (report.provisional, report.waiting, report.planned) == (False, 0, 40)
    assert report.window_hours == 72
    assert [each.counts for each in report.arms] == [counts]
    shared = await told(shop, campaign, site_uv=100)
    assert shared.total.rates["uv_share"].value == 8 / 100


async def test_what_is_on_its_way_is_told_as_provisional(shop: Shop) -> None:
    await shop.people(30)
    campaign = await shop.running()
    before = await told(shop, campaign)
    assert (before.waiting, before.provisional, before.total.counts["accepted"]) == (30, True, 0)
    await shop.feed.turn()
    assert (await told(shop, campaign)).total.counts["pending"] == 30
    await shop.deliver(limit=10)
    some = await told(shop, campaign)
    assert (some.total.counts["delivered"], some.total.counts["pending"]) == (10, 20)
    assert some.provisional


async def test_who_is_back_and_who_stays(shop: Shop) -> None:
    """Recall and retention by days of the account's clock."""
    contacts = await shop.people(20)
    campaign = await fed(shop)
    await back(shop, contacts[0], 0.01, 1.01, 30.01)
    await back(shop, contacts[1], 6, 13)
    await back(shop, contacts[2], 7.5)
    await back(shop, contacts[3], 1, kind="click")
    counts = (await told(shop, campaign)).total.counts
    assert (counts["recalled"], counts["retained_d7"], counts["retained_d30"]) == (2, 1, 1)
    assert counts["retained_d1"] == 1


async def test_steps_are_done_one_after_the_other(shop: Shop) -> None:
    contacts = await shop.people(30)
    campaign = await fed(shop)
    for contact in contacts[:3]:
        await back(shop, contact, 0.1)
    for contact in contacts[:2]:
        await back(shop, contact, 0.2, kind="order_paid")
    await back(shop, contacts[0], 0.3, kind="order_paid")
    await back(shop, contacts[9], 0.3, kind="order_paid")
    report = await told(shop, campaign, steps=("login", "order_paid", "order_paid"))
    assert [each.people for each in report.total.steps] == [3, 2, 1]
    assert report.total.steps[0].of_delivered.denominator == 30
    assert report.arms[0].steps == report.total.steps


async def test_by_version_and_template_after_an_edit(shop: Shop) -> None:
    await shop.people(60)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver(limit=20)
    await shop.desk.pause(OTHER, campaign, "another text")
    stored = await shop.one(campaign)
    text = shop.template.replace("@1", "@2")
    content = Content(category="marketing", body="Come again", suffix="拒收请回复R")
    place = place_of(shop.template)
    assert place is not None
    await templates.add_version(shop.connection, place[0], shop.ids.next(), "key 1", content, [])
    await shop.desk.edit(AUTHOR, campaign, stored.revision, shop.spec(
        arms=[{"template": text}], canary={"share": 0}
    ))  # fmt: skip
    await shop.end_canceled()
    assert await shop.desk.test(AUTHOR, campaign, ["+8613900000000"]) is not None
    await shop.deliver()
    await shop.desk.resume(OTHER, campaign)
    await shop.feed.turn()
    await shop.deliver()
    by_version = await told(shop, campaign, by="version")
    assert {each.key: each.counts["delivered"] for each in by_version.groups} == {"1": 20, "2": 40}
    assert by_version.total.counts["canceled"] == 40
    assert by_version.total.counts["accepted"] == 100
    by_template = await told(shop, campaign, by="template")
    assert {each.key: each.counts["delivered"] for each in by_template.groups} == {
        shop.template: 20, text: 40,
    }  # fmt: skip
    assert [each.counts["delivered"] for each in by_version.arms] == [60]


async def test_by_operator_and_hour_without_small_groups(shop: Shop) -> None:
    await shop.people(40)
    campaign = await fed(shop)
    ids = [each["id"] for each in await shop.messages(campaign)]
    for place, operator in ((0, 1), (20, 2), (36, 0)):
        await shop.connection.execute(
            "UPDATE message SET operator = $1 WHERE id = ANY($2)", operator, ids[place:]
        )
    report = await told(shop, campaign, by="operator")
    assert {each.key: each.counts["sent"] for each in report.groups} == {
        "China Mobile": 20, OTHERS: 20,
    }  # fmt: skip
    assert report.merged == 2
    await shop.connection.execute(
        "UPDATE submission SET submitted_at = submitted_at - interval '3 hours'"
        " WHERE message_id = ANY($1)", ids[:15],
    )  # fmt: skip
    hours = (await told(shop, campaign, by="hour")).groups
    assert [each.counts["sent"] for each in hours] == [15, 25]
    assert all(each.key is not None and each.key.endswith(":00:00+08:00") for each in hours)


async def segment(shop: Shop, name: str, source: str) -> None:
    await shop.connection.execute(
        "INSERT INTO segment (id, account, name, source) VALUES ($1, $2, $3, $4)",
        shop.ids.next(), ACCOUNT, name, source,
    )  # fmt: skip


async def test_by_segment_as_it_was_at_the_plan(shop: Shop) -> None:
    """Who has moved since is reported where they were."""
    old = await shop.people(20, source="old")
    await shop.people(12, source="new")
    await segment(shop, "老客户", 'source("old")')
    await segment(shop, "全部", 'city = "广州"')
    campaign = await fed(shop, report_segments=["老客户", "全部"])
    await shop.connection.execute("UPDATE contact SET source = 'new' WHERE id = ANY($1)", old)
    report = await told(shop, campaign, by="segment")
    found = {each.key: (each.planned, each.counts["delivered"]) for each in report.groups}
    assert found == {"老客户": (20, 20), "全部": (32, 32)}


async def test_a_report_segment_that_is_none_refuses_the_plan(shop: Shop) -> None:
    campaign = await shop.draft(report_segments=["nobody's"])
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.plan(AUTHOR, campaign)
    assert refused.value.faults[0].pointer == "/report_segments/0"


async def count_all(shop: Shop, campaign: int, **how: Any) -> None:
    rows = await shop.connection.fetch(
        "SELECT batch FROM campaign_stat_batch WHERE campaign = $1 AND NOT closed", campaign
    )
    for row in rows:
        async with shop.connection.transaction():
            await shop.counter.recount(
                shop.connection, campaign, ACCOUNT, row["batch"], now=datetime.now(UTC), **how
            )


async def test_c36_a_report_outlives_contacts_numbers_and_messages(shop: Shop) -> None:
    """C36: deleting contacts, erasing people and dropping days changes no figure of it."""
    contacts = await shop.people(30)
    campaign = await fed(shop)
    there = await recipients(shop, campaign)
    click = await clicked(shop, there[contacts[0]])
    await converted(shop, there[contacts[0]], click)
    await answered(shop, there[contacts[1]], "opt_out")
    await back(shop, contacts[2], 0.1)
    before = await told(shop, campaign, by="hour")
    assert before.total.counts["recalled"] == 1
    await count_all(shop, campaign)
    # Contacts are deleted, and the people of all messages erased.
    await shop.connection.execute("DELETE FROM contact_event; DELETE FROM contact")
    await shop.connection.execute("DELETE FROM contact_number")
    await shop.connection.execute(
        "UPDATE message SET to_idx = uuid_send(gen_random_uuid()), to_enc = '';"
        "UPDATE campaign_recipient SET to_idx = uuid_send(gen_random_uuid())"
    )
    assert figures(await told(shop, campaign, by="hour")) == figures(before)
    # Before days are dropped the batches are counted for the last time.
    now = datetime.now(UTC)
    await shop.counter.last_counts(shop.connection, now - HOUR, now + HOUR, now)
    for table in ("click", "conversion", "inbound_message", "message", "submission",
                  "campaign_recipient", "campaign_chunk", "batch_control"):  # fmt: skip
        await shop.connection.execute(f"DELETE FROM {table}")
    assert figures(await told(shop, campaign, by="hour")) == figures(before)


async def test_c36_sums_stay_when_only_the_plan_is_gone(shop: Shop) -> None:
    """A process that was away while days were dropped counts nothing anew."""
    await shop.people(30)
    campaign = await fed(shop)
    await count_all(shop, campaign)
    before = await told(shop, campaign)
    await shop.connection.execute("DELETE FROM campaign_recipient")
    await count_all(shop, campaign)
    closed = await shop.connection.fetchval("SELECT bool_and(closed) FROM campaign_stat_batch")
    assert closed is True
    assert figures(await told(shop, campaign)) == figures(before)


def figures(report: CampaignReport) -> object:
    return report.total.counts, report.total.click_hours, [
        (each.key, each.counts) for each in report.groups
    ]  # fmt: skip


async def test_old_batches_are_read_from_sums(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the bound is as of its last count, and the report says when that was."""
    await shop.people(30)
    campaign = await fed(shop)
    await count_all(shop, campaign)
    counted_at = await shop.connection.fetchval("SELECT counted_at FROM campaign_stat_batch")
    messages = list((await recipients(shop, campaign)).values())
    await clicked(shop, messages[0])
    assert (await told(shop, campaign)).total.counts["clicked"] == 1
    monkeypatch.setattr(counting, "LIVE_PEOPLE_MAX", 0)
    monkeypatch.setattr(counting, "SMALL_PEOPLE_MAX", 0)
    kept = await told(shop, campaign)
    assert (kept.total.counts["clicked"], kept.as_of) == (0, counted_at)
    await count_all(shop, campaign)
    assert (await told(shop, campaign)).total.counts["clicked"] == 1


async def test_of_many_people_fresh_sums_are_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count 100 000 people takes a second of processor, and their sums 13 ms."""
    monkeypatch.setattr(counting, "SMALL_PEOPLE_MAX", 29)
    await shop.people(30)
    campaign = await fed(shop)
    await count_all(shop, campaign)
    counted_at = await shop.connection.fetchval("SELECT counted_at FROM campaign_stat_batch")
    messages = list((await recipients(shop, campaign)).values())
    await clicked(shop, messages[0])
    fresh = await told(shop, campaign, now=counted_at + FRESH - timedelta(seconds=1))
    assert (fresh.total.counts["clicked"], fresh.as_of) == (0, counted_at)
    later = counted_at + FRESH
    counted_anew = await told(shop, campaign, now=later)
    assert (counted_anew.total.counts["clicked"], counted_anew.as_of) == (1, later)
    monkeypatch.setattr(counting, "SMALL_PEOPLE_MAX", 30)
    small = await told(shop, campaign, now=later - timedelta(seconds=1))
    assert small.total.counts["clicked"] == 1, "few people are always counted"


async def test_counting_twice_changes_nothing(shop: Shop) -> None:
    await shop.people(30)
    campaign = await fed(shop)
    await count_all(shop, campaign)
    first = await shop.connection.fetch("SELECT * FROM campaign_stat")
    await count_all(shop, campaign)
    assert await shop.connection.fetch("SELECT * FROM campaign_stat") == first


async def test_another_accounts_events_count_nowhere(shop: Shop) -> None:
    contacts = await shop.people(20)
    campaign = await fed(shop)
    await shop.connection.execute(
        "INSERT INTO contact_event (id, account, contact, kind, at)"
        " VALUES ($1, 99, $2, 'login', now() + interval '1 hour')",
        shop.ids.next(), contacts[0],
    )  # fmt: skip
    assert (await told(shop, campaign)).total.counts["recalled"] == 0


def test_report_segments_are_bounded_and_different() -> None:
    spec = msgspec.convert(
        {
            "name": "x", "audience": {"segment": "has name"},
            "arms": [{"template": "tpl_0nx25tc8g2000@1"}],
            "report_segments": ["a", "a", ""],
        },
        Spec,
    )  # fmt: skip
    found = {each.pointer for each in faults(spec, datetime.now(UTC))}
    assert found == {"/report_segments", "/report_segments/2"}


async def test_c60_a_conversion_is_credited_once_inside_its_window(shop: Shop) -> None:
    """C60: told again under its id it is the same; outside of the window it has no click. The
    report names the window, and what was told knows its campaign and arm.
    """
    await shop.people(20)
    campaign = await fed(shop)
    messages = list((await recipients(shop, campaign)).values())
    await clicked(shop, messages[0], after=timedelta(0))
    await clicked(shop, messages[1], after=timedelta(0))
    soon, late = datetime.now(UTC) + HOUR, datetime.now(UTC) + timedelta(hours=73)
    for words in (
        [("o1", messages[0], soon), ("o2", messages[1], late)],
        [("o1", messages[0], soon)],
    ):
        async with shop.connection.transaction():
            await record(
                shop.connection,
                ACCOUNT,
                [
                    ConversionWord(reference=name, event="order", occurred_at=at, message_id=each)
                    for name, each, at in words
                ],
                rule=Attribution(),
                ids=shop.ids,
                now=datetime.now(UTC),
            )
    report = await told(shop, campaign)
    counts = report.total.counts
    assert (counts["conversions"], counts["converted"]) == (1, 1)
    assert (counts["conversions_without_click"], report.window_hours) == (1, 72)
    rows = await shop.connection.fetch("SELECT DISTINCT campaign, arm FROM conversion")
    assert [(row["campaign"], row["arm"]) for row in rows] == [(format_id("cmp", campaign), "0")]
