"""Texts are emptied once their message is final, not before, and nothing else of it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from messages.control.text_ends import message_texts
from messages.models import Verdict
from storage.ids import IdSource
from storage.text_ends import BATCHES_PER_TURN_MAX, REST_SECONDS
from tests.messages.accept.world import ACCOUNT, CONNECTOR, World, accepting, prepared, wall_ms

SOON = timedelta(minutes=1)
REST = timedelta(seconds=REST_SECONDS)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


async def accepted(world: World, *days: int | None, **fields: Any) -> list[int]:
    answers = await world.accepter.accept(
        [prepared(number, text_days=each, **fields) for number, each in enumerate(days)],
        batch_id=None,
    )
    return [answer.id for answer in answers if isinstance(answer, Verdict)]


async def ended(world: World, *ids: int, status: Status = Status.DELIVERED) -> None:
    await world.connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", ids)
    source = IdSource(5, wall_ms)
    await insert_submissions(
        world.connection,
        [
            SubmissionRow(
                id=source.next(), message_id=each, part=1, parts=1, account=ACCOUNT, category=1,
                connector=CONNECTOR, status=status, submitted_at=datetime.now(UTC),
            )
            for each in ids
        ],
    )  # fmt: skip


async def texts(world: World) -> dict[int, str]:
    return {key: row["text"] for key, row in (await world.messages()).items()}


def now(later: timedelta = SOON) -> datetime:
    return datetime.now(UTC) + later


async def test_a_discarded_text_goes_when_its_message_is_final(world: World) -> None:
    waits, final, kept = await accepted(world, 0, 0, None)
    await ended(world, final, kept)
    rows = await world.messages()
    await message_texts().turn(world.connection, now())
    assert await texts(world) == {waits: "m0", final: "", kept: "m2"}
    after = await world.messages()
    assert after[final] == rows[final] | {"text": ""}


@pytest.mark.parametrize("status", [status for status in Status if status >= 0])
async def test_what_has_no_final_status_keeps_its_text(world: World, status: Status) -> None:
    """Also what is in doubt: it may be sent again."""
    (one,) = await accepted(world, 0)
    await ended(world, one, status=status)
    await message_texts().turn(world.connection, now())
    assert (await texts(world))[one] == ("" if status.final else "m0")


async def test_a_part_that_is_missing_or_waits_for_another_attempt_keeps_the_text(
    world: World,
) -> None:
    (one,) = await accepted(world, 0)
    outbox = (await world.outbox())[one]
    await ended(world, one, status=Status.UNDELIVERED)
    await world.connection.execute(
        "INSERT INTO outbox (id, owner, connector, category, account, parts)"
        " VALUES ($1, 0, $2, $3, $4, 1)",
        one, outbox["connector"], outbox["category"], outbox["account"],
    )  # fmt: skip
    await message_texts().turn(world.connection, now())
    assert (await texts(world))[one] == "m0"


async def test_days_are_counted_from_the_acceptance(world: World) -> None:
    seven, thirty, waits = await accepted(world, 7, 30, 7)
    await ended(world, seven, thirty)
    for days, left in ((6, {seven, thirty, waits}), (8, {thirty, waits}), (31, {waits})):
        await message_texts().turn(world.connection, now(timedelta(days=days)))
        assert {key for key, text in (await texts(world)).items() if text} == left


async def test_a_pass_is_cut_into_batches_and_turns_and_another_process_may_begin_anew(
    world: World,
) -> None:
    ids = await accepted(world, *[0, 5] * BATCHES_PER_TURN_MAX)
    waits = ids[0]
    await ended(world, *ids[1:])
    first = message_texts(rows_per_batch=1)
    await first.turn(world.connection, now(timedelta(days=9)))
    assert 0 < first.emptied < len(ids) - 1  # killed here
    second = message_texts(rows_per_batch=1)
    later = now(timedelta(days=9))
    for _ in range(4):
        await second.turn(world.connection, later)
    assert first.emptied + second.emptied == len(ids) - 1
    assert {key for key, text in (await texts(world)).items() if text} == {waits}
    await ended(world, waits)
    await second.turn(world.connection, later + REST - SOON)  # it rests
    await second.turn(world.connection, later + REST + SOON)
    assert set((await texts(world)).values()) == {""}
