"""Another number key while gateways run: nobody is lost sight of, and a kill changes nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.wiring.rotating import tables
from recipients import consent
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.audit_reading import AuditFilter, AuditTrail
from storage.crypto import KeyMismatch, NumberVault
from storage.ids import id_at
from storage.key_rotation import (
    KeyRotation,
    Phase,
    RotationRefused,
    finish,
    open_vault,
    standing,
    start,
    waits_for,
)
from storage.keys import NumberKeys
from storage.number_rewrite import progress
from storage.person_steps import AUDIT
from storage.persons import person
from storage.pool import Connection, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm

ONE, TWO = NumberKeys(bytes(range(64))), NumberKeys(bytes(range(64, 128)))
NOW = datetime.now(UTC)
SETTLE = timedelta(seconds=30)
NUMBERS = [f"+86138000000{place:02d}" for place in range(7)]
MEXICO = "+525562000000"


class Process:
    """One gateway as far as the number key goes."""

    def __init__(self, term: OwnerTerm, vault: NumberVault, next_key: NumberKeys | None) -> None:
        self.term, self.vault, self.now = term, vault, NOW
        self.rotation = KeyRotation(
            vault,
            tables(),
            term=term.term,
            load_next=lambda: next_key,
            settle=SETTLE,
            rows_per_batch=2,
        )

    async def turn(self, connection: Connection) -> None:
        self.now += SETTLE
        await self.rotation.turn(connection, self.now)


async def process(connection: Connection, next_key: NumberKeys | None = TWO) -> Process:
    vault, _ = await open_vault(connection, ONE, next_key)
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    made = Process(term, vault, next_key)
    await made.rotation.begin(connection)
    return made


async def suppressed(connection: Connection, vault: NumberVault, number: str, **more: Any) -> None:
    entry = suppression.Suppression(
        vault.index(number), 5, "api", account=1, to_enc=vault.seal(number), **more
    )
    await suppression.add(connection, [entry])


async def spared(connection: Connection, vault: NumberVault, number: str) -> bool:
    """Whether the look-ups of a process find that this number may not be texted."""
    indexes = [vault.index(number), *vault.old_indexes(number)]
    found = await suppression.look_up(connection, indexes)
    return found.reason(indexes[0], 1, 3, indexes[1:]) is not None


async def seeded(connection: Connection, vault: NumberVault) -> None:
    """A row of each number in every table."""
    for place, number in enumerate(NUMBERS):
        made = id_at(NOW) + place
        enc, idx = vault.seal(number), vault.index(number)
        await suppressed(connection, vault, number)
        await connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text) VALUES ($1, 1, 3, 1, 0, 1, 'SHOP', $2, $3, 'x')",
            made, enc, idx,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO frequency (account, category, to_idx, message_ids, sent_at)"
            " VALUES (1, 3, $1, $2, $3)",
            idx, [made], [int(NOW.timestamp() * 1000)],
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO number_evidence (to_idx, account, day, kind, reason, connector,"
            " message_id, at, to_enc) VALUES ($1, 1, $2, 'p', 3, 1, $3, $4, $5)",
            idx, date(2026, 1, 1), made, NOW, enc,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO preference VALUES (1, 3, $1, $2, 4, $3, $4)", idx, enc, made, NOW
        )
        await connection.execute(
            "INSERT INTO complaint (id, account, reference, fingerprint, to_idx, to_enc, source,"
            " at) VALUES ($1, 1, $2, '', $3, $4, 'app', $5)",
            made, number, idx, enc, NOW,
        )  # fmt: skip
        await consent.record(
            connection,
            consent.Consent(
                account=1, category=3, to_idx=idx, to_enc=enc, granted=True, source="shop",
                text_version=None, evidence=None, at=NOW,
            ),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
            " text, parts, fingerprint) VALUES ($1, 1, 1, $2, $3, '1', 'x', 1, $4)",
            made, enc, idx, made.to_bytes(8),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO raw_delivery (id, connector, receipt, octets, cut, body_enc)"
            " VALUES ($1, 1, true, 1, false, $2)",
            made, vault.seal_octets(number.encode(), made),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO webhook_event (id, account, type, subject, body, number_enc)"
            " VALUES ($1, 1, 'x', 0, '', $2)",
            made, enc,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO idempotency (account, endpoint, key, fingerprint, owner, first_id,"
            " status, answer_enc) VALUES (1, 'e', $1, '', 1, $2, 202, $3)",
            number, made, vault.seal_octets(b"{}", made),
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO unmatched_receipt (id, connector, carrier_id, status, reason,"
            " received_at, to_idx) VALUES ($1, 1, 'c', 60, 0, $2, $3)",
            made, NOW, idx,
        )  # fmt: skip


async def phase(connection: Connection) -> Phase:
    found = await standing(connection)
    assert found is not None
    return found.phase


async def until(connection: Connection, wanted: Phase, processes: Sequence[Process]) -> None:
    async with asyncio.timeout(60):
        while await phase(connection) is not wanted:
            for each in processes:
                await each.turn(connection)


COLUMNS = (
    ("message", "to_enc", "to_idx"), ("inbound_message", "from_enc", "from_idx"),
    ("suppression", "to_enc", "to_idx"), ("consent", "to_enc", "to_idx"),
    ("complaint", "to_enc", "to_idx"), ("number_evidence", "to_enc", "to_idx"),
    ("preference", "to_enc", "to_idx"), ("webhook_event", "number_enc", None),
)  # fmt: skip


async def all_under(connection: Connection, vault: NumberVault) -> None:
    """Every row stands under the key of this vault, and none is lost."""
    expected = {vault.index(number) for number in NUMBERS}
    for table, enc, idx in COLUMNS:
        rows = await connection.fetch(f"SELECT * FROM {table}")
        assert sorted(vault.open(row[enc]) for row in rows) == NUMBERS, table
        if idx is not None:
            assert {row[idx] for row in rows} == expected, table
    counted = await connection.fetch("SELECT to_idx FROM frequency")
    assert {row["to_idx"] for row in counted} == expected
    for row in await connection.fetch("SELECT id, body_enc FROM raw_delivery"):
        assert (vault.open_octets(row["body_enc"], row["id"]) or b"").decode() in NUMBERS
    for row in await connection.fetch("SELECT first_id, answer_enc FROM idempotency"):
        assert vault.open_octets(row["answer_enc"], row["first_id"]) == b"{}"
    for row in await connection.fetch("SELECT other_idx FROM unmatched_receipt"):
        assert row["other_idx"] in expected


async def test_g37_who_is_suppressed_is_found_at_every_moment_by_every_process(
    connection: Connection,
) -> None:
    old = NumberVault(ONE)
    await seeded(connection, old)
    first, second = await process(connection), await process(connection)
    await start(connection, ONE, TWO)
    new_numbers: list[str] = []

    async def nobody_is_lost() -> None:
        for writer in (first, second):
            number = f"+8613900{len(new_numbers):06d}"
            await suppressed(connection, writer.vault, number)
            new_numbers.append(number)
        for each in (first, second):
            for number in (*NUMBERS, *new_numbers):
                assert await spared(connection, each.vault, number), (
                    number,
                    await phase(connection),
                )
            assert not await spared(connection, each.vault, "+8613700000000")

    seen = set()
    async with asyncio.timeout(90):
        while (now := await phase(connection)) is not Phase.REWRITTEN:
            seen.add(now)
            for each in (first, second):
                await each.turn(connection)
                await nobody_is_lost()
    assert seen == {Phase.ANNOUNCED, Phase.WRITING, Phase.REWRITING}
    assert {each.rows_left for each in await progress(connection)} == {0}
    await finish(connection)
    await nobody_is_lost()
    for each in (first, second):
        await each.turn(connection)
    await nobody_is_lost()
    assert not first.vault.moving
    alone, _ = await open_vault(connection, TWO, None)
    assert all([await spared(connection, alone, each) for each in (*NUMBERS, *new_numbers)])


async def test_what_is_on_record_is_found_and_erased_after_a_change(
    connection: Connection, database_url: str
) -> None:
    subject = NumberVault(ONE).index(NUMBERS[0])
    entries = [AuditEntry(id_at(NOW), 1, "key 7", "numbers.reveal", subject, {}, "complaint 4711")]
    await audit.append(connection, entries)
    await start(connection, ONE, TWO)
    await until(connection, Phase.REWRITTEN, [await process(connection)])
    await finish(connection)
    vault, _ = await open_vault(connection, TWO, None)
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        trail = AuditTrail(pool, vault)
        found = await trail.listed([1], AuditFilter(), number=NUMBERS[0], before=None, limit=9)
    assert [each.reason for each in found] == ["complaint 4711"]
    whom = person(vault, NUMBERS[0], None, id_at(NOW) + 1)
    assert AUDIT.erase is not None
    await AUDIT.erase(connection, whom, 0)
    left = await connection.fetchrow("SELECT subject, text FROM audit WHERE id = $1", id_at(NOW))
    assert left is not None
    assert (left["subject"], left["text"]) == (None, None)


async def test_every_table_stands_under_the_new_key_and_the_first_is_not_needed(
    connection: Connection,
) -> None:
    await seeded(connection, NumberVault(ONE))
    one = await process(connection)
    await start(connection, ONE, TWO)
    await until(connection, Phase.REWRITTEN, [one])
    await finish(connection)
    vault, keys = await open_vault(connection, TWO, None)
    await all_under(connection, vault)
    # What is not about numbers goes on: links that were sent still lead somewhere.
    assert keys.derive("short-link codes", 32) == ONE.derive("short-link codes", 32)
    assert vault.fingerprint_of("x") == NumberVault(ONE).digest("x")
    assert vault.request_fingerprint("a", "b", 1, "c") == NumberVault(ONE).request_fingerprint(
        "a", "b", 1, "c"
    )
    # What is on record stays under the index it has.
    assert NumberVault(ONE).index(NUMBERS[0]) in vault.indexes_ever(NUMBERS[0])
    assert NumberVault(ONE).index(NUMBERS[0]) in one.vault.indexes_ever(NUMBERS[0])
    assert vault.indexes(NUMBERS[0]) == (NumberVault(TWO).index(NUMBERS[0]),)
    with pytest.raises(KeyMismatch):
        await open_vault(connection, ONE, None)


@pytest.mark.parametrize("batches", range(0, 26, 5))
async def test_a_process_that_is_killed_is_followed_by_one_that_goes_on(
    connection: Connection, database_url: str, batches: int
) -> None:
    """Its session is ended inside a transaction of the job, after so many batches."""
    await seeded(connection, NumberVault(ONE))
    first = await process(connection)
    await start(connection, ONE, TWO)
    await until(connection, Phase.REWRITING, [first])
    victim = await connect(database_url, application_name="victim")
    names = [table.name for table in tables()]
    await first.rotation.rewrite.turn(victim, NOW)
    for number in range(batches):
        await first.rotation.rewrite.batch(victim, names[number % len(names)], NOW)
    transaction = victim.transaction()
    await transaction.start()
    await first.rotation.rewrite.batch(victim, names[batches % len(names)], NOW)
    victim.terminate()
    await connection.execute("UPDATE owner_term SET ended_at = now()")
    second = await process(connection)
    assert second.vault.fingerprint == TWO.fingerprint
    await until(connection, Phase.REWRITTEN, [second])
    await finish(connection)
    vault, _ = await open_vault(connection, TWO, None)
    await all_under(connection, vault)


async def test_no_phase_goes_on_without_every_process_and_every_transaction(
    connection: Connection, database_url: str
) -> None:
    open_one = await connect(database_url, application_name="smsgate:9:accept")
    before = open_one.transaction()
    await before.start()
    await open_one.fetchval("SELECT 1")
    first, second = await process(connection), await process(connection, next_key=None)
    await start(connection, ONE, TWO)
    for _ in range(3):
        await first.turn(connection)
        await second.turn(connection)  # it has no next key, says so, and the others wait
    assert await phase(connection) is Phase.ANNOUNCED
    assert [row["term"] for row in await waits_for(connection, Phase.ANNOUNCED)] == [
        second.term.term
    ]
    await second.term.release(connection)
    for _ in range(3):
        await first.turn(connection)
    assert await phase(connection) is Phase.ANNOUNCED
    await before.commit()
    await first.turn(connection)
    assert await phase(connection) is Phase.WRITING
    with pytest.raises(KeyMismatch):  # who comes now must know both
        await open_vault(connection, ONE, None)
    with pytest.raises(RotationRefused):
        await finish(connection)
    with pytest.raises(RotationRefused):
        await start(connection, ONE, TWO)
    await close_connection(open_one)


async def test_nothing_is_told_before_what_was_computed_is_stored(connection: Connection) -> None:
    one = await process(connection)
    await start(connection, ONE, TWO)
    await one.rotation.turn(connection, NOW)
    assert one.vault.moving
    await one.rotation.turn(connection, NOW + SETTLE / 2)
    assert await waits_for(connection, Phase.ANNOUNCED)
    await one.rotation.turn(connection, NOW + SETTLE)
    assert await phase(connection) is Phase.WRITING


async def test_g39_a_number_that_cannot_be_read_stops_nothing_and_is_told(
    connection: Connection,
) -> None:
    await seeded(connection, NumberVault(ONE))
    await connection.execute(
        "UPDATE suppression SET to_enc = $1 WHERE to_idx = $2",
        secrets.token_bytes(30), NumberVault(ONE).index(NUMBERS[3]),
    )  # fmt: skip
    one = await process(connection)
    await start(connection, ONE, TWO)
    await until(connection, Phase.REWRITTEN, [one])
    left = {each.name: each.rows_left for each in await progress(connection)}
    assert left["suppression"] == 1
    assert await spared(connection, one.vault, NUMBERS[3])
    await finish(connection)
    await one.turn(connection)
    three = NumberKeys(bytes(range(128, 192)))
    for vault in (one.vault, (await open_vault(connection, TWO, None))[0]):
        assert await spared(connection, vault, NUMBERS[3])  # under the first key's index
        assert not await spared(connection, vault, "+8613700000000")
    _, keys = await open_vault(connection, TWO, three)
    await start(connection, keys, three)
    vault, _ = await open_vault(connection, TWO, three)
    assert await spared(connection, vault, NUMBERS[3])
    await connection.execute("UPDATE number_rotation SET phase = $1", Phase.REWRITTEN)
    await finish(connection, lose_left=True)


async def test_two_entries_of_one_subscriber_become_one_with_the_oldest_evidence(
    connection: Connection,
) -> None:
    old = NumberVault(ONE)
    await suppressed(connection, old, MEXICO)
    await connection.execute("UPDATE suppression SET created_at = $1, detail = 'first'", NOW)
    one = await process(connection)
    await start(connection, ONE, TWO)
    await until(connection, Phase.WRITING, [one])
    await one.turn(connection)
    await suppressed(connection, one.vault, MEXICO, detail="second")
    assert await connection.fetchval("SELECT count(*) FROM suppression") == 2
    await until(connection, Phase.REWRITTEN, [one])
    [row] = await connection.fetch("SELECT to_idx, detail, created_at FROM suppression")
    assert (row["detail"], row["created_at"]) == ("first", NOW)
    assert row["to_idx"] == NumberVault(TWO).index(MEXICO)


@pytest.mark.parametrize(("moved", "between", "stands"), [
    ("receipt", "keyword", "keyword"), ("keyword", "receipt", "keyword"),
    ("keyword", "api", "keyword"), ("receipt", "receipt", "receipt"),
])  # fmt: skip
async def test_a_proof_that_is_moved_takes_the_place_of_no_opt_out(
    connection: Connection, moved: str, between: str, stands: str
) -> None:
    """An entry under the new index was committed while the job was moving the old one."""
    entry = suppression.Suppression(b"i" * 16, 5, between, account=1)
    await suppression.add(connection, [entry])
    put = sql.load("storage")["suppression_put"]
    await connection.execute(
        put, [b"i" * 16], [2], [moved], [1], [entry.category], [7], ["moved"],
        [NOW - timedelta(days=9)], [NOW + timedelta(days=9)], [None], [None], suppression.OPTED_OUT,
    )  # fmt: skip
    [row] = await connection.fetch("SELECT source, detail, expires_at FROM suppression")
    assert row["source"] == stands
    assert row["expires_at"] is None
    assert (row["detail"] == "moved") == (stands == moved)


async def test_every_column_with_a_number_is_sealed_anew(connection: Connection) -> None:
    """A new table with an encrypted number or its index turns this red."""
    rows = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type = 'bytea'"
        r" AND column_name ~ '(_enc|_idx)$' AND table_name !~ '_[0-9]{8}$'"
    )
    elsewhere = {
        "webhook_endpoint", "webhook_callback_secret",  # secrets of their own, which go on
        "number_rotation", "index_rewrite",  # cursors, and the keys that go on
        "unmatched_receipt",  # follows its message
        "campaign_recipient",  # follows its contact's number
        "import_piece",  # gone when its import ends, a day later at most
    }  # fmt: skip
    assert {row["table_name"] for row in rows} - elsewhere <= {each.name for each in tables()}
