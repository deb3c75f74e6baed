"""Who must not be texted: every entry that bears on a recipient, and no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from dlr.reasons import Reason
from storage import suppression
from storage.pool import Connection, close_connection, connect
from storage.suppression import (
    COMPLAINT,
    EVERY_ACCOUNT,
    EVERY_CATEGORY,
    OPTED_OUT,
    Suppression,
    Undo,
    add,
    add_new,
    harden,
    look_up,
    move,
    remove,
    replace,
    undo_keywords,
    undo_page,
)

DEAD = 2
FIRST, SECOND, THIRD = (bytes([n]) * 16 for n in (1, 2, 3))
SHOP, BANK = 1, 2
OTP, MARKETING = 0, 3


@pytest.mark.parametrize(
    ("account", "category", "applies_to"),
    [
        (EVERY_ACCOUNT, EVERY_CATEGORY, {(SHOP, OTP), (SHOP, MARKETING), (BANK, MARKETING)}),
        (SHOP, EVERY_CATEGORY, {(SHOP, OTP), (SHOP, MARKETING)}),
        (EVERY_ACCOUNT, MARKETING, {(SHOP, MARKETING), (BANK, MARKETING)}),
        (SHOP, MARKETING, {(SHOP, MARKETING)}),
        (SHOP, OTP, {(SHOP, OTP)}),  # category 0 is one of them, not all
    ],
)
async def test_an_entry_bears_on_its_account_and_category(
    connection: Connection, account: int, category: int, applies_to: set[tuple[int, int]]
) -> None:
    await add(connection, [Suppression(FIRST, OPTED_OUT, "api", account, category)])
    found = await look_up(connection, [FIRST, SECOND])
    for asked in ((SHOP, OTP), (SHOP, MARKETING), (BANK, MARKETING)):
        expected = OPTED_OUT if asked in applies_to else None
        assert found.reason(FIRST, *asked) == expected
        assert found.reason(SECOND, *asked) is None


async def test_several_entries_of_one_number_are_all_looked_at(connection: Connection) -> None:
    await add(
        connection,
        [
            Suppression(FIRST, OPTED_OUT, "keyword", BANK, MARKETING),
            Suppression(FIRST, DEAD, "receipt", SHOP),
        ],
    )
    found = await look_up(connection, [FIRST])
    assert found.reason(FIRST, SHOP, MARKETING) == DEAD
    assert found.reason(FIRST, BANK, MARKETING) == OPTED_OUT
    assert found.reason(FIRST, BANK, OTP) is None


async def test_nobody_suppressed_is_nothing_found(connection: Connection) -> None:
    await add(connection, [Suppression(FIRST, OPTED_OUT, "api")])
    assert not await look_up(connection, [SECOND, THIRD])
    assert not await look_up(connection, [])
    assert await look_up(connection, [SECOND, FIRST])


async def test_an_older_entry_keeps_its_evidence(connection: Connection) -> None:
    first = Suppression(FIRST, OPTED_OUT, "keyword", message_id=5, detail="10690001")
    assert await add(connection, [first]) == 1
    again = Suppression(FIRST, OPTED_OUT, "api", message_id=6)
    assert await add(connection, [again, Suppression(SECOND, OPTED_OUT, "api")]) == 1
    row = await connection.fetchrow(
        "SELECT reason, source, message_id, detail FROM suppression WHERE to_idx = $1", FIRST
    )
    assert row is not None
    assert tuple(row) == (OPTED_OUT, "keyword", 5, "10690001")


async def test_an_entry_twice_in_one_call_is_one(connection: Connection) -> None:
    entry = Suppression(FIRST, OPTED_OUT, "api")
    assert await add(connection, [entry, entry]) == 1
    assert await add(connection, []) == 0


SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
async def test_an_opt_out_outlives_an_entry_that_ends(
    connection: Connection, *, at_once: bool, backwards: bool
) -> None:
    both = [
        Suppression(FIRST, DEAD, "api", SHOP, MARKETING, expires_at=SOON),
        Suppression(FIRST, OPTED_OUT, "keyword", SHOP, MARKETING),
    ]
    if backwards:
        both.reverse()
    for entries in [both] if at_once else [[each] for each in both]:
        await add(connection, entries)
    assert await connection.fetchval("SELECT expires_at FROM suppression") is None


@pytest.mark.parametrize("source", ["keyword", "page"])
async def test_an_opt_out_is_not_taken_back_with_what_stood_before(
    connection: Connection, source: str
) -> None:
    await add(connection, [Suppression(FIRST, DEAD, "api", SHOP, MARKETING)])
    assert await add(connection, [Suppression(FIRST, OPTED_OUT, source, SHOP, MARKETING)]) == 1
    removed = await remove(connection, [FIRST], [SHOP], None, opted_out=OPTED_OUT)
    assert (removed.gone, removed.kept) == (set(), {(FIRST, SHOP, MARKETING)})
    # What the API put there, a word of the recipient does not take back.
    assert await undo_keywords(connection, [Undo(FIRST, SHOP, "SHOP")]) == {}
    assert await undo_page(connection, [FIRST], SHOP, [MARKETING], None) == {}


@pytest.mark.parametrize("source", ["api", "receipt"])
async def test_a_complaint_is_not_taken_back_with_what_stood_before(
    connection: Connection, source: str
) -> None:
    await add(connection, [Suppression(FIRST, DEAD, source, SHOP, MARKETING)])
    complaint = Suppression(FIRST, OPTED_OUT, COMPLAINT, SHOP, MARKETING, message_id=7)
    await harden(connection, [complaint], datetime.now(UTC))
    removed = await remove(connection, [FIRST], [SHOP], None, opted_out=OPTED_OUT)
    assert (removed.gone, removed.kept) == (set(), {(FIRST, SHOP, MARKETING)})
    assert await connection.fetchval("SELECT source FROM suppression") == COMPLAINT


NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=1)


@pytest.mark.parametrize("source", ["api", "keyword", "page", COMPLAINT])
@pytest.mark.parametrize("in_between", [False, True])
async def test_an_opt_out_that_meets_an_older_entry_in_a_move_stays_one(
    connection: Connection, source: str, *, in_between: bool
) -> None:
    older = Suppression(FIRST, DEAD, "api", SHOP, MARKETING, created_at=BEFORE)
    opt_out = Suppression(SECOND, OPTED_OUT, source, SHOP, MARKETING, created_at=NOW)
    if in_between:  # it came to the new index while the older one was on its way there
        await add(connection, [opt_out])
        moved = msgspec.structs.replace(older, to_idx=SECOND)
        await replace(connection, [older.key], [moved])
    else:
        await add_new(connection, [older], BEFORE)
        await add_new(connection, [opt_out], NOW)
        await move(connection, {older.key: (SECOND, b"")}, NOW)
    removed = await remove(connection, [SECOND], [SHOP], None, opted_out=OPTED_OUT)
    assert (removed.gone, removed.kept) == (set(), {(SECOND, SHOP, MARKETING)})


@pytest.mark.parametrize("in_between", [False, True])
async def test_a_complaint_that_meets_an_opt_out_in_a_move_is_undone_by_no_word(
    connection: Connection, *, in_between: bool
) -> None:
    word = Suppression(FIRST, OPTED_OUT, "keyword", SHOP, MARKETING, created_at=BEFORE)
    complaint = Suppression(SECOND, OPTED_OUT, COMPLAINT, SHOP, MARKETING, created_at=NOW)
    await add(connection, [complaint])
    if in_between:
        await replace(connection, [word.key], [msgspec.structs.replace(word, to_idx=SECOND)])
    else:
        await add_new(connection, [word], BEFORE)
        await move(connection, {word.key: (SECOND, b"")}, NOW)
    assert await undo_keywords(connection, [Undo(SECOND, SHOP, "SHOP")]) == {}
    assert await connection.fetchval("SELECT count(*) FROM suppression") == 1


def test_the_reason_of_opt_outs_is_the_one_of_receipts() -> None:
    assert Reason.OPTED_OUT == suppression.OPTED_OUT


async def test_an_entry_of_all_senders_gets_no_narrower_as_it_gets_longer(
    connection: Connection,
) -> None:
    both = [
        Suppression(FIRST, OPTED_OUT, "api", SHOP, MARKETING, expires_at=SOON),
        Suppression(FIRST, OPTED_OUT, "page", SHOP, MARKETING, senders=["SHOP"]),
    ]
    for each in both:
        await add(connection, [each])
    row = await connection.fetchrow("SELECT expires_at, senders FROM suppression")
    assert row is not None
    assert (row["expires_at"], row["senders"]) == (None, None)


@pytest.mark.parametrize("at_once", [False, True])
async def test_an_opt_out_of_some_senders_gets_wider_and_no_shorter(
    connection: Connection, *, at_once: bool
) -> None:
    both = [
        Suppression(FIRST, OPTED_OUT, "page", SHOP, MARKETING, senders=["SHOP"]),
        Suppression(FIRST, DEAD, "api", SHOP, MARKETING, expires_at=SOON),
    ]
    for entries in [both] if at_once else [[each] for each in both]:
        await add(connection, entries)
    row = await connection.fetchrow("SELECT expires_at, senders FROM suppression")
    assert row is not None
    assert (row["expires_at"], row["senders"]) == (None, None)


@pytest.mark.parametrize("first", [None, ["SHOP"]])
async def test_what_comes_in_between_a_move_makes_nothing_narrower(
    connection: Connection, first: list[str] | None
) -> None:
    second = ["SHOP"] if first is None else None
    await add(connection, [Suppression(FIRST, OPTED_OUT, "page", SHOP, senders=first)])
    moved = Suppression(
        FIRST, OPTED_OUT, "page", SHOP, senders=second, created_at=datetime.now(UTC)
    )
    await replace(connection, [(SECOND, SHOP, EVERY_CATEGORY)], [moved])
    assert await connection.fetchval("SELECT senders FROM suppression") is None


async def test_writers_of_the_same_numbers_in_any_order_do_not_deadlock(
    connection: Connection, database_url: str
) -> None:
    random = Random(7)
    entries = [Suppression(n.to_bytes(16, "big"), OPTED_OUT, "api") for n in range(400)]
    connections = [await connect(database_url, application_name="test") for _ in range(4)]

    async def write(own: Connection) -> int:
        added = 0
        async with own.transaction():
            added += await add(own, random.sample(entries, len(entries)))
        return added

    added = await asyncio.gather(*(write(own) for own in connections))
    for own in connections:
        await close_connection(own)
    assert sum(added) == len(entries)
    assert await connection.fetchval("SELECT count(*) FROM suppression") == len(entries)
