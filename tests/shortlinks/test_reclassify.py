"""Clicks judged again: after their receipts, and under newer rules, a whole day at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from shortlinks import reclassify
from shortlinks.classify import RULES, ClickClass
from shortlinks.judging import BURST_MESSAGES_MIN
from shortlinks.reclassify import (
    CLICKS_PER_STEP,
    Changed,
    Reviewed,
    Reviewer,
    ReviewRunsError,
)
from storage.ids import id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection, connect
from tests.shortlinks.agents import HUMAN

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
FACTS = ["text/html", "zh-CN", "", "", ""]
BROWSER = HUMAN[0]
IMESSAGE = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko)"
    " Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"
)


async def store(
    connection: Connection,
    at: datetime,
    *,
    message: int = 0,
    agent: str = BROWSER,
    click_class: ClickClass = ClickClass.HUMAN,
    reasons: Sequence[str] = (),
    facts: Sequence[str] = tuple(FACTS),
    prefix: str = "192.0.2.0/24",
    settled: bool = False,
    number: int = 0,
) -> int:
    click = id_at(at) + number
    await connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix, facts, settled) VALUES ($1, 1, 0, $2, $3, $4, 'GET', $5, $6, $7, $8)",
        click,
        message or id_at(at) - 1,
        click_class,
        list(reasons),
        agent,
        prefix,
        list(facts),
        settled,
    )
    return click


@dataclass
class Heard:
    """Whoever wants to know which clicks are people's."""

    people: list[int] = field(default_factory=list)
    no_more: list[int] = field(default_factory=list)

    async def __call__(
        self, _connection: Connection, people: Sequence[int], no_more: Sequence[int]
    ) -> None:
        self.people += people
        self.no_more += no_more


async def deliver(
    connection: Connection, message: int, submitted: datetime, done: datetime, told: datetime
) -> None:
    await connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status,"
        " submitted_at, done_at, receipt_at) VALUES ($1, $2, 1, 1, 1, 1, 1, 60, $3, $4, $5)",
        message + 1,
        message,
        submitted,
        done,
        told,
    )


async def verdicts(connection: Connection) -> list[tuple[int, list[str], int, bool]]:
    rows = await connection.fetch("SELECT class, reasons, revision, settled FROM click ORDER BY id")
    return [(row["class"], list(row["reasons"]), row["revision"], row["settled"]) for row in rows]


async def test_a_click_is_judged_again_once_its_receipt_had_time_to_come(
    connection: Connection,
) -> None:
    told: list[Changed] = []

    async def tell(_connection: Connection, changed: Sequence[Changed]) -> None:
        told.extend(changed)

    second = timedelta(seconds=1)
    sent = NOW - timedelta(minutes=10)
    message = id_at(sent - second)
    await deliver(connection, message, sent, sent + 5.5 * second, sent + 6 * second)
    early = await store(connection, sent + 3 * second, message=message)
    later = await store(connection, sent + 60 * second, message=message)
    await store(connection, NOW - timedelta(seconds=30))  # its receipt may still come
    heard = Heard()
    reviewer = Reviewer(tell, people=heard)
    await reviewer.turn(connection, NOW)
    assert await verdicts(connection) == [
        (ClickClass.SCANNER, ["before_delivered"], 2, True),
        (ClickClass.HUMAN, [], 1, True),
        (ClickClass.HUMAN, [], 1, False),
    ]
    assert [(each.id, each.before, each.after, each.revision) for each in told] == [
        (early, ClickClass.HUMAN, ClickClass.SCANNER, 2)
    ]
    assert heard == Heard([later], []), "one settled as a person's; nobody has heard of the other"
    assert (reviewer.settled, reviewer.changed) == (2, 1)
    await reviewer.turn(connection, NOW)
    assert (reviewer.settled, heard) == (2, Heard([later], []))


async def test_a_scanner_that_walks_through_messages_is_no_person(connection: Connection) -> None:
    at = NOW - timedelta(minutes=10)
    for number in range(BURST_MESSAGES_MIN):
        await store(connection, at, message=number + 1, number=number)
    for number in range(3):  # others of that network, meanwhile
        await store(connection, at, message=number + 1, number=100 + number, agent=HUMAN[1])
    await Reviewer().turn(connection, NOW)
    classes = [row[0] for row in await verdicts(connection)]
    assert classes == [ClickClass.SCANNER] * BURST_MESSAGES_MIN + [ClickClass.HUMAN] * 3


async def test_who_becomes_a_person_under_newer_rules_is_named(connection: Connection) -> None:
    heard = Heard()
    found = await store(connection, NOW, click_class=ClickClass.SCANNER, settled=True)
    await store(connection, NOW + timedelta(hours=1), settled=True)
    await Reviewer(people=heard).day(connection, NOW.date())
    assert heard == Heard([found], []), "the other was named when it was settled"


async def test_who_is_a_person_no_more_under_newer_rules_is_named(connection: Connection) -> None:
    heard = Heard()
    found = await store(connection, NOW, agent="curl/8.5.0", settled=True)
    await store(connection, NOW, agent="curl/8.5.0", number=1)
    await store(
        connection, NOW, agent="curl/8.5.0", click_class=ClickClass.SCANNER, settled=True, number=2
    )
    await Reviewer(people=heard).day(connection, NOW.date(), dry_run=True)
    await Reviewer(people=heard).day(connection, NOW.date())
    assert heard == Heard([], [found] * 2), "of the others nobody has heard as of a person's"


async def test_a_day_under_newer_rules_changes_in_one_transaction(
    connection: Connection, database_url: str
) -> None:
    now = NOW + timedelta(days=1)  # a day that is not over, also where midnight passes meanwhile
    day = now.date()
    await store(connection, now, agent="curl/8.5", settled=True)  # the rules of then knew no curl
    await store(connection, now + timedelta(hours=1), settled=True)
    old = now + timedelta(hours=2)  # before facts were kept
    await store(
        connection, old, click_class=ClickClass.UNKNOWN, reasons=["headers_not_a_browser"],
        facts=(), settled=True,
    )  # fmt: skip
    before = await verdicts(connection)
    seen: list[object] = []
    other = await connect(database_url, application_name="other")

    async def look(_connection: Connection, found: Reviewed) -> None:
        seen.append(await verdicts(other))
        with pytest.raises(ReviewRunsError):
            await Reviewer().day(other, day)

    reviewer = Reviewer()
    dry = await reviewer.day(connection, day, dry_run=True)
    assert (dry.clicks, dry.changed, await verdicts(connection)) == (3, 1, before)
    assert await reviewer.days(connection, day, day + timedelta(days=2)) == [
        day,
        day + timedelta(days=1),
    ]
    found = await reviewer.day(connection, day, note=look)
    assert found.moved == {(ClickClass.HUMAN, ClickClass.SCANNER): 1}
    assert seen == [before]
    assert [row[:2] for row in await verdicts(connection)] == [
        (ClickClass.SCANNER, ["ua_library"]),
        (ClickClass.HUMAN, []),
        (ClickClass.UNKNOWN, ["headers_not_a_browser"]),
    ]
    assert await reviewer.days(connection, day, day + timedelta(days=1)) == [day], "it goes on"
    await connection.execute("UPDATE click_review SET at = $1", now + timedelta(days=1))
    assert await reviewer.days(connection, day, day + timedelta(days=1)) == []
    assert await reviewer.days(connection, day, day + timedelta(days=1), again=True) == [day]
    await other.close()


async def test_killed_in_the_middle_of_a_day_it_goes_on_with_that_day(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclassify, "CLICKS_PER_STEP", 2)
    days = [NOW.date() - timedelta(days=1), NOW.date()]
    await ensure_partitions(connection, days[1])  # it may be past midnight by now
    for number in range(5):
        for back in (1, 0):
            at = NOW - timedelta(days=back)
            await store(connection, at, agent="curl/8.5", number=number, settled=True)
    doomed = await connect(database_url, application_name="doomed")
    pid = doomed.get_server_pid()
    steps = 0

    async def die(_connection: Connection, _changed: Sequence[Changed]) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:  # the second step of the second day
            await connection.execute("SELECT pg_terminate_backend($1)", pid)

    reviewer = Reviewer(die)
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        for day in await reviewer.days(doomed, days[0], NOW.date() + timedelta(days=1)):
            await reviewer.day(doomed, day)
    assert steps == 5
    machines = [row[0] == ClickClass.SCANNER for row in await verdicts(connection)]
    assert machines == [True] * 5 + [False] * 5  # a whole day, or nothing of it
    again = Reviewer()
    left = await again.days(connection, days[0], NOW.date() + timedelta(days=1))
    assert left == [days[1]]
    assert (await again.day(connection, left[0])).changed == 5
    revisions = {row[2] for row in await verdicts(connection)}
    assert revisions == {2}
    rows = await connection.fetch("SELECT day, rules, changed FROM click_review ORDER BY day")
    assert [tuple(row) for row in rows] == [(day, RULES, 5) for day in days]


async def test_a_user_agents_text_ends_and_what_it_spoke_for_stays(connection: Connection) -> None:
    old = NOW - timedelta(days=40)
    await ensure_partitions(connection, old.date(), days_ahead=0)
    await store(connection, old, settled=True)
    await store(
        connection, old, agent="GoogleMessages", click_class=ClickClass.PREVIEW, number=1,
        reasons=["ua_preview"], settled=True,
    )  # fmt: skip
    await store(
        connection, old, agent="Thing/1", click_class=ClickClass.SCANNER, number=2,
        reasons=["ua_not_a_browser", "burst"], settled=True,
    )  # fmt: skip
    await store(connection, NOW)
    before = [row[:2] for row in await verdicts(connection)]
    await Reviewer().end_agents(connection, NOW)
    await Reviewer(agents_days=30).end_agents(connection, NOW)
    rows = await connection.fetch("SELECT user_agent, agent FROM click ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("", ["1", ""]),
        ("", ["2", "ua_preview"]),
        ("", ["5", "ua_not_a_browser"]),
        (BROWSER, None),
    ]
    await Reviewer().day(connection, old.date(), note=None)
    assert [row[:2] for row in await verdicts(connection)] == before


async def test_what_settles_takes_turns_with_another_process(
    connection: Connection, database_url: str
) -> None:
    for number in range(10):
        await store(connection, NOW - timedelta(hours=1), number=number)
    other = await connect(database_url, application_name="other")
    one, two = Reviewer(), Reviewer()
    await asyncio.gather(one.turn(connection, NOW), two.turn(other, NOW))
    assert one.settled + two.settled == 10 < CLICKS_PER_STEP
    await other.close()


async def test_of_a_campaign_with_known_visitors_people_are_counted_exactly(
    connection: Connection,
) -> None:
    """People, cards that a messaging app draws, a carrier's scanner, and one that walks later."""
    chance, second = random.Random(15), timedelta(seconds=1)
    began = NOW - timedelta(hours=1)
    people: set[int] = set()
    for number in range(120):
        sent = began + number * 0.1 * second
        message, done = id_at(sent - second) + number, sent + 3.5 * second
        await deliver(connection, message, sent, done, done + 0.5 * second)
        arrives = f"198.51.{number}.0/24"
        # The carrier looks at what it carries, as a browser of a data centre.
        await store(connection, done - 2 * second, message=message, number=number * 4)
        await store(
            connection, done + 0.3 * second, message=message, agent=IMESSAGE, prefix=arrives,
            click_class=ClickClass.PREVIEW, reasons=["ua_preview"], number=number * 4 + 1,
        )  # fmt: skip
        if chance.random() < 0.3:
            wait = chance.uniform(5, 1_500) * second
            people.add(
                await store(
                    connection,
                    done + wait,
                    message=message,
                    prefix=arrives,
                    agent=chance.choice(HUMAN),
                    number=number * 4 + 2,
                )
            )
        await store(
            connection, began + timedelta(minutes=30) + number * 0.05 * second, message=message,
            agent=HUMAN[3], prefix="203.0.113.0/24", number=number * 4 + 3,
        )  # fmt: skip
    await Reviewer().turn(connection, NOW)
    rows = await connection.fetch("SELECT id FROM click WHERE class = $1", ClickClass.HUMAN)
    assert people
    assert {row["id"] for row in rows} == people
