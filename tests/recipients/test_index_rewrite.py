"""A database of the release before, in which one subscriber stands under several indexes.

It is asked for under each, and under one once the job has been through.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dispatch.message import Ended
from dispatch.outbox.claims import Claims
from dispatch.wire.intents import IntentWriter
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import FlushCheck
from messages.rules.cap_rules import CapRules
from messages.rules.caps import CapsCheck, CapsLook
from messages.rules.consent import ConsentCheck, ConsentRules
from messages.rules.suppression import SuppressionCheck
from recipients import consent, frequency
from recipients.caps import Caps
from recipients.index_rewrite import IndexRewrite
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.pool import Connection
from storage.subscribers import other_form
from storage.suppression import HYGIENE, Suppression, merged
from tests.dispatch.world import running
from tests.messages.accept.world import ACCOUNT, VAULT, accepting, prepared, wall_ms
from tests.recipients.rewriting import KEYS

NOW = datetime.now(UTC)
SUPPRESSED = Status.SUPPRESSED.label
LONG_AGO = NOW - timedelta(days=100)
MARKETING = int(Category.MARKETING)
MEXICO, ARGENTINA, BRAZIL, CHINA = (
    "+525562000000", "+5491123017883", "+5511981234567", "+8613812345678",
)  # fmt: skip


async def suppressed(
    connection: Connection, stored: str, *, at: datetime = LONG_AGO, **fields: Any
) -> None:
    """As the release before wrote it: under the form that came."""
    row = {
        "to_idx": VAULT.digest(stored), "account": ACCOUNT, "category": MARKETING,
        "reason": int(Reason.OPTED_OUT), "source": "keyword", "message_id": None, "detail": None,
        "created_at": at, "expires_at": None, "to_enc": VAULT.seal(stored), **fields,
    }  # fmt: skip
    names = ", ".join(row)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await connection.execute(f"INSERT INTO suppression ({names}) VALUES ({places})", *row.values())


async def said(connection: Connection, stored: str, *, granted: bool, days_ago: int) -> None:
    await consent.record(
        connection,
        consent.Consent(
            account=ACCOUNT, category=MARKETING, to_idx=VAULT.digest(stored),
            to_enc=VAULT.seal(stored), granted=granted, source="shop", text_version=None,
            evidence=None, at=NOW - timedelta(days=days_ago),
        ),
    )  # fmt: skip


async def counted(connection: Connection, stored: str, *, hours_ago: int, message_id: int) -> None:
    """A message to a number and what the caps of the release before knew of it."""
    at = int((NOW - timedelta(hours=hours_ago)).timestamp() * 1000)
    await connection.execute(
        "INSERT INTO message (id, account, category, connector, data_coding, parts, sender, to_enc,"
        " to_idx, text) VALUES ($1, $2, $3, 1, 0, 1, '', $4, $5, '')",
        message_id, ACCOUNT, MARKETING, VAULT.seal(stored), VAULT.digest(stored),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO frequency (account, category, to_idx, message_ids, sent_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        ACCOUNT, MARKETING, VAULT.digest(stored), [message_id], [at],
    )  # fmt: skip


async def through(connection: Connection, rows_per_batch: int = 3) -> NumberVault:
    """Do the whole job; returns the vault that knows of it."""
    vault = NumberVault(KEYS)
    job = IndexRewrite(vault, rows_per_batch=rows_per_batch)
    while not await job.turn(connection, NOW):
        continue
    return vault


async def keys(connection: Connection) -> list[tuple[bytes, int, int]]:
    rows = await connection.fetch("SELECT to_idx, account, category FROM suppression ORDER BY 1")
    return [tuple(row) for row in rows]


async def verdicts(
    database_url: str, checks: Sequence[FlushCheck], *numbers: str
) -> list[str | None]:
    """How a message to each of these numbers fares."""
    async with accepting(database_url, checks=checks) as world:
        items = [
            prepared(place, Category.MARKETING, to=number) for place, number in enumerate(numbers)
        ]
        answers = await world.accepter.accept(items, batch_id=None)
        return [getattr(answer, "status", None) for answer in answers]


async def test_n3_who_opted_out_in_another_form_is_not_texted_before_and_after_the_job(
    connection: Connection, database_url: str
) -> None:
    for stored in ("5215562000000", "+541123017883", "551181234567", CHINA):
        await suppressed(connection, stored)
    free = ["+525562000001", "+5511912345678"]
    checks = (SuppressionCheck(),)
    numbers = [MEXICO, ARGENTINA, BRAZIL, CHINA]
    outcome = await verdicts(database_url, checks, *numbers, *free)
    assert outcome[:4] == [SUPPRESSED] * 4
    assert SUPPRESSED not in outcome[4:]
    vault = await through(connection)
    assert vault.rewritten
    assert {key[0] for key in await keys(connection)} == {VAULT.index(each) for each in numbers}
    VAULT.rewritten = True
    try:
        assert await verdicts(database_url, checks, *numbers, *free) == outcome
    finally:
        VAULT.rewritten = False


async def test_n3_the_last_look_asks_for_every_form(database_url: str) -> None:
    async with running(database_url) as world:
        await suppressed(world.connection, "5215562000000", account=0)
        messages = [
            world.message(Category.MARKETING, to=to, old_idx=VAULT.old_indexes(to))
            for to in (CHINA, MEXICO, BRAZIL)
        ]
        [stopped] = await world.intents.commit(world.intent(messages))
        assert isinstance(stopped, dict)
        expected = Ended(Status.SUPPRESSED, Reason.OPTED_OUT, "suppression")
        assert stopped == {messages[1].id: expected}
        assert await world.intents_open() == [[messages[0].id, messages[2].id]]


async def test_n3_what_the_release_before_has_accepted_is_claimed_under_todays_index(
    database_url: str,
) -> None:
    async with running(database_url) as world:
        stored = world.message(
            Category.MARKETING, to=ARGENTINA, to_idx=VAULT.digest(ARGENTINA), tags=()
        )
        await world.store([stored], owner=0)
        claims = Claims(
            world.database.dedicated("claims"),
            vault=VAULT,
            ids=world.ids,
            term=world.term.term,
            texts_differ=lambda: False,
        )
        _, [claimed] = await claims.claim(
            lambda database: database.fetch(
                "SELECT id, attempt, in_doubt, way FROM outbox FOR UPDATE"
            )
        )
        assert (claimed.to, claimed.to_idx) == (ARGENTINA, VAULT.index(ARGENTINA))
        assert VAULT.digest(ARGENTINA) in claimed.old_idx


async def test_n3_the_latest_word_counts_whichever_form_it_stands_under(
    connection: Connection, database_url: str
) -> None:
    """Consent given today and withdrawn before, and the reverse."""
    await said(connection, MEXICO, granted=False, days_ago=9)
    await said(connection, "+5215562000000", granted=True, days_ago=1)
    await said(connection, "+541123017883", granted=True, days_ago=9)
    await said(connection, ARGENTINA, granted=False, days_ago=1)
    await said(connection, "551181234567", granted=True, days_ago=1)
    checks = (ConsentCheck(ConsentRules({ACCOUNT: frozenset({MARKETING})})),)
    numbers = [MEXICO, ARGENTINA, BRAZIL]
    before = await verdicts(database_url, checks, *numbers)
    assert [each == SUPPRESSED for each in before] == [False, True, False]
    await through(connection, 2)
    assert {row["to_idx"] for row in await connection.fetch("SELECT to_idx FROM consent")} == {
        VAULT.index(number) for number in numbers
    }
    VAULT.rewritten = True
    try:
        assert await verdicts(database_url, checks, *numbers) == before
    finally:
        VAULT.rewritten = False


async def test_n3_what_was_counted_under_two_forms_is_counted_together(
    connection: Connection, database_url: str
) -> None:
    first = id_at(NOW - timedelta(hours=3))
    await counted(connection, "+541123017883", hours_ago=3, message_id=first)
    await counted(connection, ARGENTINA, hours_ago=2, message_id=first + 1)
    checks = (CapsCheck(CapRules({(ACCOUNT, MARKETING): Caps(day=2)}), wall_ms),)
    assert await verdicts(database_url, checks, ARGENTINA) == [Status.CAPPED.label]
    old = [VAULT.digest(form) for form in ("+541123017883", ARGENTINA)]
    number = (ACCOUNT, MARKETING, VAULT.index(ARGENTINA))
    await through(connection, 1)
    found = await frequency.read(connection, [number, (ACCOUNT, MARKETING, old[1])])
    assert list(found[number].at) == [first, first + 1]
    assert not found[ACCOUNT, MARKETING, old[1]].at
    assert old[0] == number[2]


async def test_n3_a_cap_counts_what_stands_under_the_other_form_and_the_job_adds_it_once(
    connection: Connection, database_url: str
) -> None:
    first = id_at(NOW - timedelta(hours=3))
    await counted(connection, ARGENTINA, hours_ago=3, message_id=first)
    async with running(database_url) as world:
        rules = CapRules({(ACCOUNT, MARKETING): Caps(day=2)})
        intents = IntentWriter(
            world.database.dedicated("caps"),
            term=world.term.term,
            looks=(CapsLook(rules, wall_ms),),
        )
        second, third = (
            world.message(Category.MARKETING, account=ACCOUNT, to=to, old_idx=VAULT.old_indexes(to))
            for to in ("+541123017883", ARGENTINA)
        )
        [stopped] = await intents.commit(world.intent([second, third]))
        assert isinstance(stopped, dict)
        assert stopped.keys() == {third.id}
        await intents.close()
    number = (ACCOUNT, MARKETING, VAULT.index(ARGENTINA))
    await through(connection)
    assert set((await frequency.read(connection, [number]))[number].at) == {first, second.id}
    assert await connection.fetchval("SELECT count(*) FROM frequency") == 1


async def test_n3_duplicates_become_one_with_the_oldest_evidence(connection: Connection) -> None:
    await suppressed(connection, "5215562000000", at=NOW - timedelta(days=3), detail="oldest")
    await suppressed(connection, "+5215562000000", at=NOW - timedelta(days=2), detail="older")
    await suppressed(connection, MEXICO, at=NOW - timedelta(days=1), detail="new")
    await suppressed(connection, MEXICO, category=0, detail="another category")
    await through(connection)
    rows = await connection.fetch("SELECT to_idx, category, detail, to_enc FROM suppression")
    assert {tuple(row) for row in rows} == {
        (VAULT.index(MEXICO), MARKETING, "oldest", VAULT.seal(MEXICO)),
        (VAULT.index(MEXICO), 0, "another category", VAULT.seal(MEXICO)),
    }


MOMENTS = st.integers(-50, 50).map(lambda days: NOW + timedelta(days=days, seconds=1))
ENTRIES = st.builds(
    Suppression,
    st.just(b"x" * 16),
    st.sampled_from([2, 9]),
    st.sampled_from(["receipt", "keyword", "api"]),
    created_at=MOMENTS,
    expires_at=st.none() | MOMENTS,
    to_enc=st.none() | st.just(b"sealed"),
)


@given(st.lists(ENTRIES, min_size=1, max_size=5), st.randoms())
def test_n3_one_of_several_entries_lasts_as_long_as_any(
    entries: list[Suppression], chance: Any
) -> None:
    one = merged(entries, NOW)
    in_force = [each for each in entries if each.expires_at is None or each.expires_at > NOW]
    if in_force:
        # What people told stays, or a delivery would end it as it ends what hygiene made.
        told = [each for each in in_force if each.source != HYGIENE]
        assert (one.source == HYGIENE) is (not told)
        oldest = min(each.created_at for each in told or in_force if each.created_at)
        assert one.created_at == oldest
        for each in in_force:
            assert one.expires_at is None or (each.expires_at or one.expires_at) <= one.expires_at
        assert (one.expires_at is None) == any(each.expires_at is None for each in in_force)
    else:
        assert one.expires_at is not None
        assert one.expires_at <= NOW
    again = list(entries)
    chance.shuffle(again)
    shuffled = merged(again, NOW)
    assert (shuffled.created_at, shuffled.expires_at) == (one.created_at, one.expires_at)


async def test_n3_a_job_that_is_killed_goes_on_where_it_was(
    connection: Connection, database_url: str
) -> None:
    """kill -9 in the middle of the first table, then to the end."""
    numbers = [f"+5255620{place:05d}" for place in range(300)]
    for place, number in enumerate(numbers):
        other = other_form(number)
        assert other is not None
        await suppressed(connection, other if place % 2 else other[1:])
        await said(connection, other, granted=True, days_ago=1)
        if place % 3 == 0:
            await suppressed(connection, number, at=NOW)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.recipients.rewriting", database_url, "10",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        for _ in range(5):
            assert await child.stdout.readline() == b"suppression\n"
    finally:
        child.kill()
        await child.wait()
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
        " WHERE application_name = 'rewriting'"
    )
    await said(connection, "5215562000001", granted=False, days_ago=0)
    half = await connection.fetchrow("SELECT * FROM index_rewrite WHERE name = 'suppression'")
    assert half is not None
    assert not half["done"]
    assert half["rows_moved"] > 0
    vault = await through(connection, 10)
    assert vault.rewritten
    assert {key[0] for key in await keys(connection)} == {VAULT.index(each) for each in numbers}
    assert len(await keys(connection)) == len(numbers)
    oldest = await connection.fetchval("SELECT max(created_at) FROM suppression")
    assert oldest == LONG_AGO
    granted = await consent.granted(connection, [VAULT.index(each) for each in numbers], [ACCOUNT])
    assert granted == {(VAULT.index(each), ACCOUNT, MARKETING) for each in numbers} - {
        (VAULT.index("+525562000001"), ACCOUNT, MARKETING)
    }


async def test_n3_a_row_whose_number_nothing_tells_is_asked_for_for_good(
    connection: Connection,
) -> None:
    message_id = id_at(NOW)
    await counted(connection, "+541123017884", hours_ago=1, message_id=message_id)
    by_receipt: dict[str, Any] = {"source": "receipt", "to_enc": None, "category": -1, "account": 0}
    await suppressed(connection, "+5491123017884", message_id=message_id, **by_receipt)
    assert (await through(connection)).rewritten  # the message tells it
    await connection.execute("UPDATE index_rewrite SET done = false, after_idx = ''")
    await suppressed(connection, "+5491123017885", message_id=1, **by_receipt)
    assert not (await through(connection)).rewritten
    assert (VAULT.digest("+5491123017885"), 0, -1) in await keys(connection)


async def test_n3_the_job_waits_for_the_gateways_of_the_release_before(
    connection: Connection,
) -> None:
    await suppressed(connection, "5215562000000")
    await connection.execute(
        "INSERT INTO owner_term (node, host, pid, pid_started, acquired_at, expires_at)"
        " SELECT 9, 'h', 1, '1', created_at - interval '1 day', now() + interval '1 day'"
        " FROM index_rewrite LIMIT 1"
    )
    job = IndexRewrite(NumberVault(KEYS))
    for _ in range(3):
        assert not await job.turn(connection, NOW)
    assert await keys(connection) == [(VAULT.digest("5215562000000"), ACCOUNT, MARKETING)]
    await connection.execute("UPDATE owner_term SET ended_at = now() WHERE node = 9")
    assert (await through(connection)).rewritten
    assert await keys(connection) == [(VAULT.index(MEXICO), ACCOUNT, MARKETING)]
