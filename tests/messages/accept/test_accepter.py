"""Committed before it is answered, each item for itself, two lanes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dlr.reasons import Reason
from dlr.rollups.naming import NEW
from dlr.status import Status
from dlr.webhooks.callbacks import Callback, callback_of
from messages.accept import retraction
from messages.accept.accepter import SLICE_ITEMS
from messages.models import GivenIds, Refused, Verdict
from ratelimit.spec import parse_rate
from shortlinks.code import CODE_LENGTH, split_value
from shortlinks.rewrite import find_links, with_placeholders
from storage.categories import Category
from storage.faults import Overloaded, StorageDown
from storage.ids import id_at
from storage.pool import close_connection, connect
from storage.suppression import Suppression, add
from tests.integration.database_proxy import database_proxy
from tests.messages.accept.world import (
    ACCOUNT,
    BASE_URL,
    CODES,
    CONNECTOR,
    VAULT,
    World,
    accepting,
    prepared,
    wall_ms,
)

OTP, MARKETING = Category.OTP, Category.MARKETING


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


def verdicts(answers: list[Verdict | Refused]) -> list[Verdict]:
    """All of them, if none is a refusal."""
    found = [answer for answer in answers if isinstance(answer, Verdict)]
    assert len(found) == len(answers), answers
    return found


async def test_a_message_is_durable_when_its_answer_comes(world: World) -> None:
    expires_at = 1_890_000_000_000
    item = prepared(
        1, client_ref="r-1", campaign_id="c", variant="b", tags=("x", "y"), parts=2, data_coding=8,
        expires_at=expires_at, country=83, operator=7,
    )  # fmt: skip
    [verdict] = verdicts(await world.accepter.accept([item], batch_id=99))
    assert (verdict.status, verdict.reason, verdict.text) == ("accepted", None, "m1")
    row = (await world.messages())[verdict.id]
    assert VAULT.open(row.pop("to_enc")) == item.to
    instant = datetime.fromtimestamp(expires_at / 1000, UTC)
    assert row == {
        "id": verdict.id, "account": ACCOUNT, "category": item.category, "connector": CONNECTOR,
        "data_coding": 8, "parts": 2, "sender": "SHOP", "to_idx": VAULT.index(item.to),
        "text": "m1", "client_ref": "r-1", "batch_id": 99, "campaign_id": "c", "variant": "b",
        "tags": ["x", "y"], "expires_at": instant, "priority": 5, "options": None, "callback": None,
        "text_days": None, "country": 83, "operator": 7,
    }  # fmt: skip
    waiting = (await world.outbox())[verdict.id]
    assert (waiting["owner"], waiting["parts"], waiting["attempt"]) == (world.term, 2, 0)
    assert (waiting["not_before"], waiting["expires_at"]) == (None, instant)


async def test_a_callback_stands_with_its_message(world: World) -> None:
    callback = Callback("https://shop.example/hooks", ("final",), {"order": 7})
    items = [prepared(1, callback=callback), prepared(2)]
    one, two = verdicts(await world.accepter.accept(items, batch_id=None))
    rows = await world.messages()
    assert callback_of(rows[one.id]["callback"]) == callback
    assert rows[two.id]["callback"] is None


async def test_what_has_room_goes_straight_to_the_queue_and_the_rest_waits_free(
    world: World,
) -> None:
    world.room.parts_max = 3
    answers = verdicts(await world.accepter.accept([prepared(n) for n in range(5)], batch_id=None))
    ids = [answer.id for answer in answers]
    assert ids == sorted(ids)
    assert [message.id for message in world.room.pushed] == ids[:3]
    assert world.room.pushed[0].to == "+8613800000000"
    assert world.room.backlogs == [(CONNECTOR, Category.TRANSACTIONAL)] * 2
    owners = [row["owner"] for row in (await world.outbox()).values()]
    assert owners == [world.term] * 3 + [0] * 2
    assert world.room.reserved == 0
    assert world.accepter.accepted_by_category[Category.TRANSACTIONAL] == 5


async def test_nothing_is_handed_over_before_it_is_committed(
    world: World, database_url: str
) -> None:
    holder = await connect(database_url, application_name="test")
    async with holder.transaction():
        await holder.execute("LOCK TABLE outbox")
        task = asyncio.create_task(world.accepter.accept([prepared(1)], batch_id=None))
        await until_waiting(world, "accept")
        assert (world.room.pushed, task.done()) == ([], False)
    await task
    assert len(world.room.pushed) == 1
    await close_connection(holder)


async def until_waiting(world: World, role: str) -> None:
    """Until this lane's statement waits for the lock that the test holds."""
    async with asyncio.timeout(40):
        while not await world.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database() AND application_name LIKE 'smsgate:%:' || $1",
            role,
        ):
            await asyncio.sleep(0.002)


async def test_a_suppressed_recipient_is_told_and_has_an_end(world: World) -> None:
    items = [prepared(n, MARKETING) for n in range(3)]
    await add(
        world.connection,
        [
            Suppression(VAULT.index(items[0].to), Reason.OPTED_OUT, "api"),
            Suppression(VAULT.index(items[1].to), Reason.OPTED_OUT, "api", account=ACCOUNT + 1),
        ],
    )
    answers = verdicts(await world.accepter.accept(items, batch_id=None))
    assert [(answer.status, answer.reason) for answer in answers] == [
        ("suppressed", "opted_out"),
        ("accepted", None),
        ("accepted", None),
    ]
    assert set(await world.outbox()) == {answer.id for answer in answers[1:]}
    row = await world.connection.fetchrow("SELECT * FROM submission")
    assert row is not None
    assert (row["message_id"], row["part"], row["connector"]) == (answers[0].id, 0, 0)
    assert (Status(row["status"]), Reason(row["reason"])) == (Status.SUPPRESSED, Reason.OPTED_OUT)
    assert world.accepter.ended == {Status.SUPPRESSED: 1}
    assert len(world.room.pushed) == 2


async def test_one_time_passwords_have_a_lane_that_no_batch_holds_up(
    world: World, database_url: str
) -> None:
    """The other lane's transaction waits; a password is accepted meanwhile."""
    other = await connect(database_url, application_name="test")
    async with other.transaction():
        await other.execute("INSERT INTO outbox SELECT 1, 0, 7, 1, 1, 1")
        await world.connection.execute(
            "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$"
        )
        await other.execute("SELECT pg_advisory_xact_lock(42)")
    await other.execute(
        "CREATE TRIGGER wait_here BEFORE INSERT ON outbox FOR EACH ROW"
        " WHEN (NEW.category = 3) EXECUTE FUNCTION wait_here()"
    )
    async with other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(42)")
        bulk = asyncio.create_task(
            world.accepter.accept([prepared(n, MARKETING) for n in range(50)], batch_id=None)
        )
        await until_waiting(world, "accept")
        [password] = verdicts(await world.accepter.accept([prepared(99, OTP)], batch_id=None))
        assert not bulk.done()
        assert password.id in await world.outbox()
    assert len(verdicts(await bulk)) == 50
    await close_connection(other)
    assert [lane.items_flushed for lane in world.accepter.lanes] == [1, 50]


async def test_a_mixed_batch_is_answered_in_its_own_order(world: World) -> None:
    categories = [Category(n % 4) for n in range(2 * SLICE_ITEMS + 30)]
    items = [prepared(n, category) for n, category in enumerate(categories)]
    answers = verdicts(await world.accepter.accept(items, batch_id=5))
    assert [answer.text for answer in answers] == [item.text for item in items]
    stored = await world.messages()
    assert [stored[answer.id]["category"] for answer in answers] == categories
    assert {row["batch_id"] for row in stored.values()} == {5}
    assert world.accepter.accepted_by_category == [categories.count(c) for c in Category]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
async def test_an_item_that_cannot_be_stored_refuses_only_itself(world: World, text: str) -> None:
    items = [prepared(n, text=text if n == 2 else f"m{n}") for n in range(5)]
    answers = await world.accepter.accept(items, batch_id=None)
    refused = answers.pop(2)
    assert isinstance(refused, Refused)
    assert refused.code == "internal"
    good = {answer.id for answer in verdicts(answers)}
    assert set(await world.messages()) == set(await world.outbox()) == good
    assert {message.id for message in world.room.pushed} == good
    assert (len(world.room.pushed), world.room.reserved) == (4, 0)
    assert len(verdicts(await world.accepter.accept([prepared(9)], batch_id=None))) == 1


async def test_a_flush_that_had_to_be_taken_apart_keeps_the_pace(database_url: str) -> None:
    """Each item is paced once, and says `held` only if it is."""
    rates = {ACCOUNT: parse_rate("1/h,burst=2")}
    async with accepting(database_url, rates=rates) as world:
        items = [prepared(1), prepared(2, text="\0"), prepared(3)]
        await world.accepter.accept(items, batch_id=None)
        waits = [row["not_before"] for row in (await world.outbox()).values()]
        assert len(waits) == 2
        horizon = datetime.now(UTC).timestamp() + 3_600 * 1.5
        assert all(at is None or at.timestamp() < horizon for at in waits)


async def test_a_clock_that_stands_ahead_puts_no_message_off(database_url: str) -> None:
    """What waits for its rate waits by the database's clock, which says when it is due."""
    rates = {ACCOUNT: parse_rate("1/s,burst=1")}
    async with accepting(
        database_url, rates=rates, database_ms=lambda: wall_ms() - 86_400_000
    ) as world:
        await world.accepter.accept([prepared(1), prepared(2)], batch_id=None)
        [at] = [row["not_before"] for row in (await world.outbox()).values() if row["not_before"]]
        a_day_ago = datetime.now(UTC) - timedelta(days=1)
        assert abs((at - a_day_ago).total_seconds()) < 60


async def test_an_account_with_a_rate_gives_its_messages_their_moments(
    database_url: str,
) -> None:
    async with accepting(database_url, rates={ACCOUNT: parse_rate("1/s,burst=2")}) as world:
        began = datetime.now(UTC)
        items = [*(prepared(n) for n in range(5)), prepared(10, account=2)]
        answers = verdicts(await world.accepter.accept(items, batch_id=None))
        [password] = verdicts(await world.accepter.accept([prepared(9, OTP)], batch_id=None))
        outbox = await world.outbox()
        held = [outbox[answer.id]["not_before"] for answer in answers]
        assert [at is None for at in held] == [True, True, False, False, False, True]
        assert outbox[password.id]["not_before"] is None
        waits = [(at - began).total_seconds() for at in held[2:5]]
        assert waits == sorted(waits)
        assert waits[2] - waits[0] == pytest.approx(2, abs=0.5)
        assert {outbox[answer.id]["owner"] for answer in answers[2:5]} == {0}
        events = await world.connection.fetch("SELECT message_id, kind, detail FROM event")
        assert [row["message_id"] for row in events] == [answer.id for answer in answers[2:5]]
        assert {row["kind"] for row in events} == {"held"}
        assert events[0]["detail"]["rule"] == "account_rate"
        assert world.room.backlogs == []  # nobody has to look for them before their time


async def test_short_links_are_personal_and_lead_where_they_should(world: World) -> None:
    targets = ("https://shop.example/a", "https://shop.example/b")
    written = f"See {targets[0]} and {targets[1]} and {targets[0]}"
    text = with_placeholders(written, find_links(written), BASE_URL)
    items = [prepared(n, text=text, links=targets, link_slots=(0, 1, 0)) for n in range(3)]
    answers = verdicts(await world.accepter.accept([*items, prepared(9)], batch_id=None))
    seen = set()
    for answer in answers[:3]:
        codes = [word[-CODE_LENGTH:] for word in answer.text.split() if BASE_URL in word]
        assert codes[0] == codes[2] != codes[1]
        decoded = [CODES.decode(code) for code in codes]
        assert [split_value(value)[1] for value in decoded if value is not None] == [0, 1, 0]
        seen |= set(codes)
        assert (await world.messages())[answer.id]["text"] == answer.text
    assert len(seen) == 6
    row = await world.connection.fetchrow("SELECT * FROM link_range")
    assert row is not None
    assert row["message_ids"] == [answer.id for answer in answers[:3]]
    assert set(row["targets"]) == set(targets)
    assert {message.text for message in world.room.pushed} == {answer.text for answer in answers}


async def test_beyond_the_bound_nothing_is_stored_and_the_client_is_told(
    database_url: str,
) -> None:
    async with accepting(database_url, waiting_max=100) as world:
        with pytest.raises(Overloaded) as told:
            await world.accepter.accept([prepared(n) for n in range(101)], batch_id=None)
        assert told.value.retry_after_seconds >= 1
        assert await world.count("message") == 0
        assert len(await world.accepter.accept([prepared(1)], batch_id=None)) == 1


async def test_a_lane_that_is_full_refuses_its_items_and_not_the_others(
    database_url: str,
) -> None:
    async with accepting(database_url, waiting_max=100) as world:
        items = [prepared(0, OTP), *(prepared(n) for n in range(1, 102))]
        answers = await world.accepter.accept(items, batch_id=None)
        assert isinstance(answers[0], Verdict)
        assert {answer.code for answer in answers[1:] if isinstance(answer, Refused)} == {
            "storage_unavailable"
        }
        assert set(await world.messages()) == {answers[0].id}


async def test_after_close_nothing_is_taken_and_what_was_taken_is_stored(world: World) -> None:
    tasks = [
        asyncio.create_task(world.accepter.accept([prepared(n)], batch_id=None)) for n in range(20)
    ]
    await asyncio.sleep(0)
    await world.accepter.close()
    for task in tasks:
        assert len(verdicts(await task)) == 1
    with pytest.raises(Overloaded):
        await world.accepter.accept([prepared(99)], batch_id=None)
    assert await world.count("message") == 20


async def test_a_database_that_is_away_is_one_answer_for_all(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing stays reserved for what was not stored."""
    monkeypatch.setattr(retraction, "RESOLVE_SECONDS", 0.1)
    async with contextlib.AsyncExitStack() as stack:
        async with database_proxy(database_url) as proxy:
            world = await stack.enter_async_context(accepting(database_url, through=proxy.url))
            verdicts(await world.accepter.accept([prepared(0)], batch_id=None))
        with pytest.raises(StorageDown) as told:
            await world.accepter.accept([prepared(1), prepared(2, OTP)], batch_id=None)
        assert told.value.retry_after_seconds >= 1
        assert world.room.reserved == 0
        assert await world.count("message") == 1


async def test_what_half_of_a_batch_could_not_be_stored_says_so_item_by_item(
    world: World,
) -> None:
    """The lane of the passwords loses its session in the middle; the other does not."""
    verdicts(await world.accepter.accept([prepared(0, OTP), prepared(1)], batch_id=None))
    await world.connection.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    await world.connection.execute(
        "CREATE TRIGGER die BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.category = 0)"
        " EXECUTE FUNCTION die()"
    )
    answers = await world.accepter.accept([prepared(2, OTP), prepared(3)], batch_id=None)
    refused, accepted = answers
    assert isinstance(refused, Refused)
    assert refused.code == "storage_unavailable"
    assert isinstance(accepted, Verdict)
    assert {row["text"] for row in (await world.messages()).values()} == {"m0", "m1", "m3"}
    assert world.room.reserved == 0


async def test_a_defect_of_ours_is_not_taken_for_a_database_that_is_away(world: World) -> None:
    """To send it again would not help."""
    await world.connection.execute("ALTER TABLE suppression RENAME TO away")
    answers = await world.accepter.accept([prepared(1), prepared(2)], batch_id=None)
    assert [answer.code for answer in answers if isinstance(answer, Refused)] == ["internal"] * 2
    assert await world.count("message") == 0
    assert world.room.reserved == 0


@pytest.mark.parametrize("seconds", [2, 6])
async def test_what_is_stored_late_is_named_for_reports(world: World, seconds: int) -> None:
    made = id_at(datetime.now(UTC) - timedelta(seconds=seconds))
    await world.accepter.accept([prepared(1)], batch_id=None, ids=GivenIds([made]))
    named = await world.connection.fetch("SELECT kind, message_ids FROM rollup_change")
    assert [tuple(row) for row in named] == ([(NEW, [made])] if seconds > 5 else [])
