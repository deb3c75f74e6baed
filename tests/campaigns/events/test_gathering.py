"""What the gateway knows of a contact becomes an event of theirs, each once, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.events.folding import Folding
from campaigns.events.gathering import IDS_PER_STEP_MAX
from campaigns.events.naming import What, name
from campaigns.segments.compiling import compiled
from campaigns.segments.names import Moment
from campaigns.segments.presets import PRESETS
from campaigns.segments.reading import names_of
from dlr.status import Status
from shortlinks.classify import ClickClass
from storage.crypto import NumberVault
from storage.ids import time_of
from storage.keys import NumberKeys
from storage.partitions import drop_partitions
from storage.pool import Connection, Database
from tests.campaigns.events.people import ACCOUNT, OTHER, People

SECOND = "+8613987654321"


@pytest.fixture
async def people(database_url: str, tmp_path: Any, connection: Connection) -> AsyncIterator[People]:
    database = await Database.open(database_url, tmp_path, application_name="smsgate")
    yield People(database, connection)
    await database.close()


async def test_c42_what_is_known_of_a_contact_becomes_events(people: People) -> None:
    contact = await people.contact()
    recall = await people.campaign("recall")
    first = await people.message(campaign=recall)
    await people.message(campaign=await people.campaign("sale"))
    await people.message(status=Status.UNDELIVERED, what=What.FAILED)
    await people.click(first)
    await people.click(first, ClickClass.SCANNER)
    await people.inbound("other")
    await people.inbound("opt_out")
    await people.complaint()
    await people.conversion(first)
    await people.conversion(first, "visit", what=What.CONVERSION)
    gathering = people.gathering()
    await gathering.turn()
    assert await people.kinds() == [
        "click", "complaint", "delivered", "delivered", "failed", "opted_out", "order_paid",
        "recall_delivered", "reply", "visit",
    ]  # fmt: skip
    assert {who for who, _ in await people.events()} == {contact}
    assert gathering.made["delivered"] == 2
    assert gathering.made["other"] == 2
    rows = await people.connection.fetch(
        "SELECT id, at, amount FROM contact_event"
        " WHERE kind IN ('order_paid', 'visit', 'delivered') ORDER BY amount NULLS LAST, id"
    )
    assert [row["amount"] for row in rows] == [5_000_000, None, None, None]
    assert all(row["at"] <= time_of(row["id"]) + timedelta(milliseconds=1) for row in rows)
    at = {row["at"] for row in rows if row["at"] < people.now}
    assert at == {people.now - timedelta(seconds=30)}, "when the receipt came"
    assert await people.connection.fetchval("SELECT count(*) FROM contact_event_due") == 0


async def test_segments_ask_about_what_became_an_event(people: People) -> None:
    """Whoever was called back three times in vain is found, until they click."""
    in_vain = next(each.source for each in PRESETS if each.name == "recalled_in_vain")
    contact = await people.contact()
    recall = await people.campaign("recall")
    messages = [await people.message(campaign=recall) for _ in range(3)]
    await people.gathering().turn()
    assert await found(people, in_vain) == [contact]
    assert await found(people, "days_since(any) >= 0") == [], "nothing that the contact did"
    await people.click(messages[0])
    await people.gathering().turn()
    folding = Folding(people.database.dedicated("fold"), zone="UTC", ended=lambda _: None)
    await folding.turn()
    assert await found(people, in_vain) == []
    assert await found(people, "count(click) = 1 and days_since(any) <= 1") == [contact]


async def found(people: People, source: str) -> list[int]:
    """The contacts of a segment."""
    names = await names_of(people.connection, ACCOUNT, source)
    now = datetime.now(UTC)
    asked = compiled(source, names, Moment(now=now, today=now.date(), zone="UTC"))
    return [row["id"] for row in await people.connection.fetch(asked.sql, *asked.parameters)]


async def test_an_event_is_made_once_however_often_it_is_named(people: People) -> None:
    await people.contact()
    message = await people.message()
    await name(people.connection, What.DELIVERED, [message, message])
    await people.gathering().turn()
    await name(people.connection, What.DELIVERED, [message])
    await name(people.connection, What.PAGE_OPT_OUT, [message])
    await people.gathering().turn()
    assert await people.kinds() == ["delivered", "opted_out"], "both are of one message"


async def test_who_is_no_contact_of_that_account_has_no_events(people: People) -> None:
    await people.contact()
    await people.message(SECOND)
    await people.message(account=OTHER)
    await people.message(connector=-1)
    await people.inbound("other", account=OTHER)
    label = await people.campaign("recall", account=OTHER)
    await people.message(campaign=label)
    await people.conversion(0)
    await people.gathering().turn()
    assert await people.kinds() == ["delivered"], "and another's campaign is no recall"


async def test_nothing_is_named_where_nobody_has_contacts(people: People) -> None:
    due = "SELECT count(*) FROM contact_event_due"
    await people.click(await people.message())
    await people.inbound("other")
    assert await people.connection.fetchval(due) == 0
    await people.contact(account=OTHER)
    await people.inbound("other")
    await people.complaint()
    assert await people.connection.fetchval(due) == 0
    await people.inbound("other", account=OTHER)
    assert await people.connection.fetchval(due) == 1


@pytest.mark.parametrize(
    ("written", "kept"), [("+5215512345678", "+525512345678"), ("+551162345678", "+5511962345678")]
)
async def test_both_forms_of_a_number_are_one_contact(
    people: People, written: str, kept: str
) -> None:
    await people.contact(kept)
    message = await people.message(written)
    await people.click(message)
    await people.inbound("other", written)
    await people.gathering().turn()
    assert await people.kinds() == ["click", "delivered", "reply"]


async def test_a_merged_contact_leaves_its_events_to_the_one_that_stays(people: People) -> None:
    stays, goes = await people.contact(), await people.contact(SECOND)
    await people.message(SECOND)
    await people.connection.execute("UPDATE contact_number SET contact = $1, rank = 1", stays)
    await people.connection.execute(
        "UPDATE contact SET merged_into = $1 WHERE id = $2", stays, goes
    )
    await people.gathering().turn()
    assert await people.events() == [(stays, "delivered")]


class Cut:
    """A session of a process that dies before its n-th statement."""

    def __init__(self, connection: Connection, statements: int) -> None:
        self._connection = connection
        self._left = statements

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in ("fetch", "fetchrow", "fetchval", "execute"):
            return found

        def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Killed
            return found(*arguments)

        return call


class Killed(BaseException):
    """Nothing of the process runs any more."""


async def test_c42_a_kill_before_each_statement_loses_and_doubles_nothing(people: People) -> None:
    await people.contact()
    message = await people.message(campaign=await people.campaign("recall"))
    await people.click(message)
    expected = ["click", "delivered", "recall_delivered"]
    for statements in range(100):
        try:
            while await people.gathering().step(Cut(people.connection, statements)):  # type: ignore[arg-type]
                pass
        except Killed:
            assert await people.kinds() in ([], expected), "all of a step, or nothing"
            continue
        break
    else:
        pytest.fail("it never came to its end")
    assert await people.kinds() == expected
    assert statements > 8, "each one was tried"


async def test_c42_two_processes_make_each_event_once(people: People) -> None:
    await people.contact()
    messages = [await people.message(what=None) for _ in range(60)]
    for start_ in range(0, 60, 4):
        await name(people.connection, What.DELIVERED, messages[start_ : start_ + 6])
    both = people.gathering("one"), people.gathering("two")
    await asyncio.gather(*(each.turn() for each in both))
    assert sum(each.made["delivered"] for each in both) == 60
    assert len(await people.events()) == 60


async def test_a_step_is_bounded_and_says_what_is_left(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.events.gathering.STEPS_PER_TURN_MAX", 1)
    await people.contact()
    message = await people.message(what=None)
    for _ in range(IDS_PER_STEP_MAX // 2_000 + 1):
        await name(people.connection, What.DELIVERED, [message] * 2_000)
    gathering = people.gathering()
    await gathering.turn()
    assert gathering.waiting == 2_000
    assert gathering.late_seconds > 0
    await gathering.turn()
    assert (gathering.waiting, gathering.late_seconds) == (0, 0)


async def test_a_row_of_a_later_release_is_left_to_it(people: People) -> None:
    await people.contact()
    await people.connection.execute("INSERT INTO contact_event_due (what, ids) VALUES (99, '{1}')")
    await people.message()
    gathering = people.gathering()
    await gathering.turn()
    assert (await people.kinds(), gathering.waiting) == (["delivered"], 1)


async def test_a_source_of_a_day_that_retention_has_dropped_is_taken(people: People) -> None:
    await people.contact()
    long_ago = datetime(2024, 3, 1, tzinfo=UTC)
    gathering = people.gathering()
    for hour in range(2):
        await people.complaint(told=long_ago + timedelta(hours=hour))
        await gathering.turn()
        assert gathering.waiting == 0
        next_day = (long_ago + timedelta(days=1)).date()
        dropped = await drop_partitions(people.connection, "contact_event_source", next_day)
        assert dropped == ["contact_event_source_20240301"]
    assert await people.kinds() == ["complaint"] * 2


async def test_events_wait_while_the_number_key_changes(people: People) -> None:
    """A message may stand under one key's index and the contact under the other's."""
    vault = NumberVault(NumberKeys(bytes(range(64))))
    await people.contact()
    await people.message()
    gathering = people.gathering(vault=vault)
    vault.learn(NumberKeys(bytes(range(1, 65))))
    await gathering.turn()
    assert (await people.kinds(), gathering.waiting) == ([], 1)
    vault.forget()
    await gathering.turn()
    assert await people.kinds() == ["delivered"]
