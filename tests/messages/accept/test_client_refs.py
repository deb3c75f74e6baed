"""client_ref: the second message with it is not stored, wherever it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from messages.accept import client_refs, retraction
from messages.models import Prepared, Refused, Verdict
from storage.categories import Category
from storage.crypto import NumberVault
from storage.faults import StorageDown
from storage.ids import id_at
from storage.keys import NumberKeys
from tests.integration.database_proxy import database_proxy
from tests.messages.accept.world import ACCOUNT, CONNECTOR, VAULT, World, accepting, prepared


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


async def accept(world: World, *items: Prepared) -> list[Verdict]:
    answers = await world.accepter.accept(items, batch_id=None)
    found = [answer for answer in answers if isinstance(answer, Verdict)]
    assert len(found) == len(answers), answers
    return found


async def test_a_repeat_in_the_batch_or_later_stores_nothing_and_names_the_first(
    world: World,
) -> None:
    first, other, again = await accept(
        world, prepared(1, client_ref="r"), prepared(2), prepared(3, client_ref="r")
    )
    assert (again.id, again.status, again.deduplicated) == (first.id, "accepted", True)
    assert not first.deduplicated
    [later, new] = await accept(world, prepared(4, client_ref="r"), prepared(5, client_ref="other"))
    assert (later.id, later.status, later.deduplicated) == (first.id, "queued", True)
    assert set(await world.messages()) == set(await world.outbox()) == {first.id, other.id, new.id}
    assert len(world.room.pushed) == 3
    assert (world.room.reserved, world.accepter.deduplicated) == (0, 2)
    [alone] = await accept(world, prepared(1, client_ref="r"))  # a flush that stores nothing
    assert alone.id == first.id


async def test_a_repeat_is_told_how_the_first_one_stands_now(world: World) -> None:
    [first] = await accept(world, prepared(1, parts=2, client_ref="r"))
    await world.connection.execute("DELETE FROM outbox")
    rows = [
        SubmissionRow(
            id=first.id + part, message_id=first.id, part=part, parts=2, account=ACCOUNT,
            category=1, connector=CONNECTOR, status=status,
        )
        for part, status in ((1, Status.DELIVERED), (2, Status.SENT))
    ]  # fmt: skip
    await insert_submissions(world.connection, rows)
    assert [(await accept(world, prepared(1, client_ref="r")))[0].status] == ["sent"]
    await world.connection.execute("UPDATE submission SET status = 50, reason = 2 WHERE part = 2")
    [repeat] = await accept(world, prepared(1, client_ref="r"))
    assert (repeat.status, repeat.reason) == ("undelivered", "number_unknown")


def asked(number: int, ref: str = "r", **fields: Any) -> Prepared:
    """As validation hands it over: with the text that was asked for."""
    message = prepared(number, client_ref=ref, **fields)
    message.asked_text = fields.get("asked_text", message.text)
    return message


OTHERS = {
    "to": {"to": "+8613900000001"}, "text": {"asked_text": "other"}, "from": {"sender": "OTHER"},
    "category": {"category": Category.SERVICE},
}  # fmt: skip


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
async def test_h1_a_reference_used_for_another_message_is_refused(
    world: World, fields: dict[str, Any]
) -> None:
    [first] = await accept(world, asked(1))
    answers = await world.accepter.accept(
        [asked(1, **fields), asked(2, ref="s", **fields), asked(1)], batch_id=None
    )
    refused, new, again = answers
    assert isinstance(refused, Refused)
    assert (refused.code, refused.errors[0].pointer) == ("client_ref_reused", "/client_ref")
    assert isinstance(new, Verdict)
    assert isinstance(again, Verdict)
    assert (again.id, again.deduplicated, new.deduplicated) == (first.id, True, False)
    assert set(await world.messages()) == {first.id, new.id}
    assert world.accepter.deduplicated == 1
    assert (world.room.reserved, len(world.room.pushed)) == (0, 2)


async def test_h1_a_repeat_whose_text_is_made_differently_now_is_the_same(world: World) -> None:
    """Signature, suffix and short links are ours: what counts is what was asked for."""
    first, again = await accept(
        world, asked(1, text="hello [SHOP]", asked_text="hello"), asked(1, asked_text="hello")
    )
    assert (again.id, again.deduplicated) == (first.id, True)


async def test_n3_the_other_form_of_the_number_is_no_other_recipient(world: World) -> None:
    first, again = await accept(world, asked(1, to="+5491123017883"), asked(1, to="+541123017883"))
    assert (again.id, again.deduplicated) == (first.id, True)


async def test_h1_in_one_batch_the_first_one_counts_or_what_was_stored(world: World) -> None:
    answers = await world.accepter.accept(
        [asked(1), asked(2), asked(1), asked(3, ref="s")], batch_id=7
    )
    first, other, again, free = answers
    assert isinstance(other, Refused)
    assert isinstance(first, Verdict)
    assert isinstance(again, Verdict)
    assert isinstance(free, Verdict)
    assert (again.id, again.deduplicated) == (first.id, True)
    other, repeat = await world.accepter.accept([asked(2), asked(1)], batch_id=8)
    assert isinstance(other, Refused)
    assert isinstance(repeat, Verdict)
    assert (repeat.id, repeat.deduplicated) == (first.id, True)
    assert set(await world.messages()) == {first.id, free.id}


async def test_h1_processes_that_race_store_one_and_refuse_the_other(database_url: str) -> None:
    async with accepting(database_url) as one, accepting(database_url) as two:
        names = [f"r{n}" for n in range(150)]
        mine, theirs = await asyncio.gather(
            one.accepter.accept([asked(1, ref=name) for name in names], batch_id=None),
            two.accepter.accept([asked(2, ref=name) for name in reversed(names)], batch_id=None),
        )
        for ours, other in zip(mine, reversed(theirs), strict=True):
            stored = [each for each in (ours, other) if isinstance(each, Verdict)]
            assert len(stored) == 1
            assert not stored[0].deduplicated
        assert len(await one.messages()) == len(names)
        assert (one.room.reserved, two.room.reserved) == (0, 0)


@pytest.mark.parametrize("left", ["NULL", "int8send(1) || substr(fingerprint, 9)"])
async def test_h1_a_row_that_does_not_say_what_it_was_used_for_dedupes(
    world: World, left: str
) -> None:
    """Of the release before this one: written by it, or taken over when its 72 hours were over."""
    [first] = await accept(world, asked(1))
    await world.connection.execute(f"UPDATE client_ref SET fingerprint = {left}")
    [again] = await accept(world, asked(2))
    assert (again.id, again.deduplicated) == (first.id, True)


async def test_h1_a_fingerprint_tells_nobody_what_it_is_of(world: World) -> None:
    """Without the key no number or text can be tried: two keys give two of one message."""
    await accept(world, asked(1))
    stored = await world.connection.fetchval("SELECT fingerprint FROM client_ref")
    one, two = (NumberVault(NumberKeys(bytes([n]) * 64)) for n in (1, 2))
    prints = {
        vault.request_fingerprint("+8613800000001", "SHOP", 1, "m1") for vault in (one, two, VAULT)
    }
    assert len(prints) == 3
    assert stored[8:] in prints
    assert len(stored) == 24


async def test_the_same_reference_of_another_account_is_another(world: World) -> None:
    one, two = await accept(
        world, prepared(1, client_ref="r"), prepared(2, client_ref="r", account=ACCOUNT + 1)
    )
    assert one.id != two.id
    assert not two.deduplicated


async def test_processes_and_lanes_that_race_store_one_of_each(database_url: str) -> None:
    """Sorted keys: opposite orders in two processes do not deadlock."""
    async with accepting(database_url) as one, accepting(database_url) as two:
        names = [f"r{n}" for n in range(200)]
        answers = await asyncio.gather(
            accept(one, *(prepared(n, client_ref=name) for n, name in enumerate(names))),
            accept(two, *(prepared(n, client_ref=names[-1 - n]) for n in range(200))),
            accept(one, *(prepared(n, Category.OTP, client_ref=names[n]) for n in range(200))),
        )
        ids = [{answer.id for answer in each} for each in answers]
        assert ids[0] == ids[1] == ids[2]
        assert len(await one.messages()) == len(ids[0]) == 200
        stored = sum(not answer.deduplicated for each in answers for answer in each)
        assert stored == len(one.room.pushed) + len(two.room.pushed) == 200


async def test_after_72_hours_a_reference_is_free_again_and_is_forgotten(world: World) -> None:
    now = datetime.now(UTC)
    over = id_at(now - client_refs.REMEMBERED - timedelta(seconds=1))
    fresh = id_at(now - client_refs.REMEMBERED + timedelta(minutes=1))
    await world.connection.executemany(
        "INSERT INTO client_ref VALUES (1, $1, $2)",
        [("over", over), ("purged", over + 1), ("fresh", fresh)],
    )
    reused, kept = await accept(
        world, prepared(1, client_ref="over"), prepared(2, client_ref="fresh")
    )
    assert not reused.deduplicated
    assert (kept.id, kept.deduplicated) == (fresh, True)
    await client_refs.forget(world.connection, now)
    rows = await world.connection.fetch("SELECT client_ref FROM client_ref ORDER BY 1")
    assert [row["client_ref"] for row in rows] == ["fresh", "over"]


async def test_a_message_that_cannot_be_stored_leaves_its_reference_to_the_next(
    world: World,
) -> None:
    items = [prepared(1, text="\0", client_ref="r"), prepared(2, client_ref="r")]
    refused, stored = await world.accepter.accept(items, batch_id=None)
    assert not isinstance(refused, Verdict)
    assert isinstance(stored, Verdict)
    assert not stored.deduplicated
    assert set(await world.messages()) == {stored.id}


@pytest.mark.parametrize("seconds", [0.0, 3.0], ids=["taken back", "asked"])
async def test_a_commit_whose_answer_was_lost_and_its_references_agree(
    database_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(retraction, "RESOLVE_SECONDS", seconds)
    async with (
        database_proxy(database_url) as proxy,
        accepting(database_url, through=proxy.url) as world,
    ):
        [before] = await accept(world, prepared(1, client_ref="before"))
        cut = proxy.arm("accept", asked=rb"COMMIT")
        items = [prepared(2, client_ref="r"), prepared(1, client_ref="before")]
        first: Verdict | None = None
        try:
            first, repeat = await accept(world, *items)
            assert repeat.id == before.id
        except StorageDown:
            assert seconds == 0
        await proxy.fired(cut)
        async with asyncio.timeout(40):
            again: Verdict | None = None
            while again is None:
                try:
                    [again] = await accept(world, prepared(2, client_ref="r"))
                except StorageDown:
                    await asyncio.sleep(0.01)
        assert again.deduplicated is (first is not None)
        assert len(await world.messages()) == await world.count("client_ref") == 2
        assert len(world.room.pushed) == 2
