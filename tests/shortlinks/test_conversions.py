"""Conversions over a real database: whose they are, which click counts, and once each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shortlinks.classify import ClickClass
from shortlinks.click_ids import ClickIds
from shortlinks.code import CodePermutation
from shortlinks.conversion_desk import ConversionDesk
from shortlinks.conversions import (
    Attribution,
    Conflict,
    Conversion,
    ConversionWord,
    Recorded,
    Unknown,
    decimal,
)
from storage.ids import IdSource, id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from tests.shortlinks.conftest import Links

ACCOUNT, OTHER = 3, 4
NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)
HUMAN, PREVIEW = ClickClass.HUMAN, ClickClass.PREVIEW


class Site:
    """An account's site that tells what happened, and what webhooks were told."""

    def __init__(self, database: Database, connection: Connection, ids: IdSource) -> None:
        self.connection = connection
        self.ids = ids
        self.told: list[Conversion] = []
        self.codes = CodePermutation(b"a key of the test suite, 32 byte")
        self.desk = ConversionDesk(
            database.dedicated("conversions"),
            rules={},
            click_ids=ClickIds(bytes(32)),
            codes=self.codes,
            ids=ids,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            told=self._told,
        )

    async def _told(
        self,
        _connection: Connection,
        _account: int,
        _rule: Attribution,
        new: Sequence[Conversion],
    ) -> None:
        self.told += new

    async def message(self, account: int = ACCOUNT, at: datetime = NOW - 60 * MINUTE) -> int:
        message_id = id_at(at) + self.ids.next() % 4_000_000
        await self.connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text) VALUES ($1, $2, 3, 1, 0, 1, 'S', '', '', 't')",
            message_id,
            account,
        )
        return message_id

    async def click(
        self, message_id: int, at: datetime, click_class: ClickClass = HUMAN, slot: int = 0
    ) -> int:
        click_id = id_at(at)
        await self.connection.execute(
            "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
            " ip_prefix) VALUES ($1, 1, $2, $3, $4, '{}', 'GET', '', '')",
            click_id, slot, message_id, click_class,
        )  # fmt: skip
        return click_id

    async def one(self, **fields: object) -> Recorded | Unknown | Conflict:
        [outcome] = await self.desk.record(ACCOUNT, [word(**fields)])
        return outcome


def word(**fields: object) -> ConversionWord:
    given: dict[str, object] = {"reference": "1", "event": "order", "occurred_at": NOW, **fields}
    return msgspec.convert(given, ConversionWord)


def stored(outcome: object) -> Conversion:
    assert isinstance(outcome, Recorded), outcome
    return outcome.conversion


@pytest.fixture
async def site(database: Database, connection: Connection, ids: IdSource) -> AsyncIterator[Site]:
    for day in (NOW, NOW - timedelta(days=4)):
        await ensure_partitions(connection, day.date())
    site = Site(database, connection, ids)
    yield site
    await site.desk.close()


async def test_the_last_click_of_a_person_before_it_counts_and_no_machine(site: Site) -> None:
    message = await site.message()
    await site.click(message, NOW - 30 * MINUTE)
    last = await site.click(message, NOW - 10 * MINUTE, slot=2)
    await site.click(message, NOW - 5 * MINUTE, PREVIEW)
    await site.click(message, NOW + 5 * MINUTE)
    found = stored(await site.one(message_id=message, value_micros=129_900_000, currency="CNY"))
    assert (found.click_id, found.slot, found.message_id) == (last, 2, message)
    assert site.told == [found]
    assert site.desk.counts == {"attributed": 1, "without_click": 0}


async def test_the_first_click_counts_where_the_account_says_so(site: Site) -> None:
    site.desk.rules = {ACCOUNT: Attribution(first=True)}
    message = await site.message()
    first = await site.click(message, NOW - 30 * MINUTE)
    await site.click(message, NOW - 10 * MINUTE)
    assert stored(await site.one(message_id=message)).click_id == first


@pytest.mark.parametrize(("hours", "counts"), [(72, False), (73, True)])
async def test_a_click_before_the_window_does_not_count(
    site: Site, hours: int, counts: bool
) -> None:
    site.desk.rules = {ACCOUNT: Attribution(window_hours=hours)}
    message = await site.message(at=NOW - timedelta(hours=73))
    await site.click(message, NOW - timedelta(hours=72, seconds=1))
    found = stored(await site.one(message_id=message))
    assert (found.click_id is not None) == counts
    assert site.desk.counts == {"attributed": int(counts), "without_click": int(not counts)}


async def test_a_sites_clock_may_be_a_minute_behind(site: Site) -> None:
    message = await site.message()
    click = await site.click(message, NOW + timedelta(seconds=59))
    assert stored(await site.one(message_id=message)).click_id == click


async def test_by_click_id_by_link_and_by_message_it_is_of_the_same_message(
    site: Site, links: Links
) -> None:
    message = await site.message()
    _, (code,) = await links.store([(message, ["https://a.example/", "https://b.example/"])])
    click = await site.click(message, NOW - MINUTE)
    named = site.desk.click(site.desk.click_text(click))
    by_click = stored(await site.one(reference="a", click_id=named))
    for number, text in enumerate((code, f"http://127.0.0.1:8081/{code}", f"s.example/{code}/")):
        link = site.desk.link(text)
        by_link = stored(await site.one(reference=f"b{number}", link=link))
        assert (by_link.message_id, by_link.slot, by_link.click_id) == (message, 0, click)
    assert (by_click.message_id, by_click.click_id) == (message, click)


async def test_what_is_named_has_to_be_the_accounts_own(site: Site, links: Links) -> None:
    theirs = await site.message(OTHER)
    click = await site.click(theirs, NOW - MINUTE)
    _, (code,) = await links.store([(theirs, ["https://a.example/"])])
    assert await site.one(message_id=theirs) == Unknown("message")
    assert await site.one(click_id=click) == Unknown("click")
    assert await site.one(click_id=click + 1) == Unknown("click")
    assert await site.one(link=site.desk.link(code)) == Unknown("link")
    assert await site.one(link=(10**12, 0)) == Unknown("link")
    assert await site.one(message_id=1) == Unknown("message")
    assert await site.connection.fetchval("SELECT count(*) FROM conversion") == 0
    assert site.told == []


async def test_told_again_it_is_the_same_one_and_with_other_words_refused(site: Site) -> None:
    message = await site.message()
    first = await site.one(message_id=message)
    await site.click(message, NOW - MINUTE)  # known later: what was stored stands
    again = await site.one(message_id=message)
    assert isinstance(first, Recorded) and isinstance(again, Recorded)
    assert (first.new, again.new, again.conversion) == (True, False, first.conversion)
    assert await site.one(message_id=message, value_micros=1, currency="CNY") == Conflict(
        ("value", "currency")
    )
    other = await site.message(OTHER)
    [elsewhere] = await site.desk.record(OTHER, [word(message_id=other)])
    assert stored(elsewhere).id != first.conversion.id  # ids are an account's own
    assert len(site.told) == 2


async def test_each_of_a_batch_stands_for_itself(site: Site) -> None:
    message = await site.message()
    words = [
        word(reference="a", message_id=message),
        word(reference="b", message_id=5),
        word(reference="a", message_id=message),
        word(reference="a", message_id=message, event="cart"),
        *(word(reference=f"n{n}", message_id=message) for n in range(996)),
    ]
    outcomes = await site.desk.record(ACCOUNT, words)
    assert isinstance(outcomes[0], Recorded) and outcomes[0].new
    assert outcomes[1] == Unknown("message")
    assert isinstance(outcomes[2], Recorded) and not outcomes[2].new
    assert outcomes[3] == Conflict(("event",))
    assert site.desk.answered == {
        "recorded": 997, "repeated": 1, "conflict": 1, "unknown": 1, "forged": 0
    }  # fmt: skip
    assert [stored(each).reference for each in outcomes[4:]] == [f"n{n}" for n in range(996)]
    assert await site.connection.fetchval("SELECT count(*) FROM conversion") == 997


async def test_two_processes_that_are_told_at_once_store_it_once(
    site: Site, database: Database, ids: IdSource
) -> None:
    message = await site.message()
    others = [Site(database, site.connection, ids) for _ in range(3)]
    words = [word(reference=f"n{n}", message_id=message) for n in range(50)]
    answers = await asyncio.gather(
        *(
            each.desk.record(ACCOUNT, words[::step])
            for each, step in zip(others, (1, -1, 1), strict=True)
        )
    )
    kept = {stored(each).id for answer in answers for each in answer}
    assert len(kept) == 50 == sum(len(each.told) for each in others)
    for each in others:
        await each.desk.close()


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0"), (1, "0.000001"), (129_900_000, "129.9"), (5_000_000, "5")],
)
def test_a_value_is_shown_without_needless_zeros(micros: int, text: str) -> None:
    assert decimal(micros) == text


async def test_a_visit_is_of_the_account_whose_click_it_is_and_counts_once(site: Site) -> None:
    message = await site.message(OTHER, at=datetime.now(UTC) - MINUTE)
    click = await site.click(message, datetime.now(UTC) - MINUTE / 2)
    text = site.desk.click_text(click)
    assert await site.desk.visited(text) == "recorded"
    assert await site.desk.visited(text) == "recorded"
    assert await site.desk.visited(site.desk.click_text(click + 1)) == "awaited"
    old = site.desk.click_text(id_at(datetime.now(UTC) - 2 * MINUTE))
    assert await site.desk.visited(old) == "unknown"
    assert await site.desk.visited(text[:-1] + ("a" if text[-1] != "a" else "b")) == "forged"
    row = await site.connection.fetchrow("SELECT account, event, click_id FROM conversion")
    assert tuple(row or ()) == (OTHER, "visit", click)
    assert site.desk.answered["forged"] == site.desk.answered["repeated"] == 1


async def link_of_its_own(site: Site, account: int) -> int:
    link_id = site.ids.next()
    await site.connection.execute(
        "INSERT INTO link (id, account, domain, code, target, tags)"
        " VALUES ($1, $2, 's.example', $3, 'https://a.example/', '{}')",
        link_id, account, str(link_id),
    )  # fmt: skip
    return link_id


async def click_on(site: Site, link_id: int, at: datetime, click_class: ClickClass = HUMAN) -> int:
    click_id = id_at(at) + site.ids.next() % 4_000_000
    await site.connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix, link_id) VALUES ($1, 0, 0, 0, $2, '{}', 'GET', '', '', $3)",
        click_id, click_class, link_id,
    )  # fmt: skip
    return click_id


async def test_of_a_link_of_its_own_the_named_click_counts_and_no_other(site: Site) -> None:
    link, theirs = await link_of_its_own(site, ACCOUNT), await link_of_its_own(site, OTHER)
    named = await click_on(site, link, NOW - 10 * MINUTE)
    await click_on(site, link, NOW - MINUTE)  # somebody else's
    machine = await click_on(site, link, NOW - MINUTE, PREVIEW)
    old = await click_on(site, link, NOW - timedelta(hours=73))
    foreign = await click_on(site, theirs, NOW - MINUTE)
    found = stored(await site.one(reference="a", click_id=named))
    assert (found.click_id, found.message_id, found.slot) == (named, 0, 0)
    for reference, click in (("b", machine), ("c", old)):
        assert stored(await site.one(reference=reference, click_id=click)).click_id is None
    assert await site.one(reference="d", click_id=foreign) == Unknown("click")
    assert await site.one(reference="e", message_id=0) == Unknown("message")
    assert await site.desk.visited(site.desk.click_text(foreign)) == "recorded"
