"""Whatever is done to the chain behind our back is found, with its place."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from storage import audit, audit_check
from storage.audit import AuditEntry
from storage.audit_anchor import Anchor, line_of, read_anchors
from storage.audit_check import Fault, verify
from storage.pool import Connection
from tests.storage.audited import chain

KEY = bytes(32)


async def anchor_of(connection: Connection) -> Anchor:
    head = await connection.fetchrow("SELECT seq, hash FROM audit_head")
    assert head is not None
    return Anchor(head["seq"], head["hash"], proved=True)


@pytest.mark.parametrize(
    ("tampering", "kind", "seq"),
    [
        ("UPDATE audit SET actor = 'key 8' WHERE seq = 3", "changed", 3),
        ("UPDATE audit SET action = 'suppression.remove' WHERE seq = 1", "changed", 1),
        ("UPDATE audit SET account = 2 WHERE seq = 6", "changed", 6),
        ("""UPDATE audit SET detail = '{"category": 2}' WHERE seq = 2""", "changed", 2),
        ("UPDATE audit SET id = id + (1 << 22) WHERE seq = 2", "changed", 2),
        ("UPDATE audit SET hash = sha256(hash) WHERE seq = 4", "changed", 4),
        ("UPDATE audit SET text = 'none' WHERE seq = 5", "uncommitted", 5),
        ("UPDATE audit SET subject = '\\x00' WHERE seq = 5", "uncommitted", 5),
        ("UPDATE audit SET salt = NULL WHERE seq = 5", "uncommitted", 5),
        ("UPDATE audit SET subject_hash = NULL WHERE seq = 5", "changed", 5),
        ("DELETE FROM audit WHERE seq = 3", "missing", 3),
        ("DELETE FROM audit WHERE seq = 1", "missing", 1),
        ("DELETE FROM audit WHERE seq > 4", "end", 5),
        ("DELETE FROM audit", "end", 1),
        ("UPDATE audit SET seq = 100 - seq WHERE seq IN (3, 4);"
         "UPDATE audit SET seq = seq - 93 WHERE seq > 90", "changed", 3),
        ("UPDATE audit SET seq = seq + 100 WHERE seq > 3;"
         "INSERT INTO audit (id, account, actor, action, seq, hash, detail)"
         " VALUES (7, 1, 'key 7', 'x', 4, sha256(''), '{}');"
         "UPDATE audit SET seq = seq - 99 WHERE seq > 100", "changed", 4),
    ],
)  # fmt: skip
async def test_a_change_removal_order_or_insertion_is_found_where_it_is(
    connection: Connection, tampering: str, kind: str, seq: int
) -> None:
    await chain(connection)
    assert (await verify(connection)).whole
    await connection.execute(tampering)
    verdict = await verify(connection)
    assert not verdict.whole
    assert (verdict.faults[0].kind, verdict.faults[0].seq) == (kind, seq)


async def test_one_changed_row_is_one_fault_and_rows_in_a_gap_are_one(
    connection: Connection,
) -> None:
    await chain(connection)
    await connection.execute("UPDATE audit SET actor = 'key 8' WHERE seq = 5")
    await connection.execute("DELETE FROM audit WHERE seq IN (2, 3)")
    verdict = await verify(connection)
    assert [(each.kind, each.seq, each.until) for each in verdict.faults] == [
        ("missing", 2, 3),
        ("changed", 4, None),  # it stood behind the third
        ("changed", 5, None),
    ]


async def test_g33_an_end_cut_off_with_its_head_is_found_by_an_anchor(
    connection: Connection,
) -> None:
    await chain(connection)
    anchor = await anchor_of(connection)
    await connection.execute("DELETE FROM audit WHERE seq > 4")
    await connection.execute(
        "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)"
    )
    assert (await verify(connection)).whole, "the chain alone cannot tell"
    verdict = await verify(connection, [anchor])
    assert verdict.faults == [Fault("anchor", 6)]


async def test_g33_an_end_written_anew_is_found_by_an_anchor(connection: Connection) -> None:
    made = await chain(connection)
    anchor = await anchor_of(connection)
    await connection.execute("DELETE FROM audit WHERE seq > 4")
    await connection.execute(
        "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)"
    )
    forged = [AuditEntry(each.id, 1, "key 8", "suppression.add", None, {}) for each in made[4:]]
    await audit.append(connection, forged)
    assert (await verify(connection)).whole
    verdict = await verify(connection, [anchor])
    assert [(each.kind, each.seq) for each in verdict.faults] == [("anchor", 6)]


async def test_an_anchor_that_nobody_of_us_signed_is_a_fault(connection: Connection) -> None:
    await chain(connection)
    head = await anchor_of(connection)
    at = datetime(2026, 12, 1, tzinfo=UTC)
    line = line_of(bytes([1] * 32), head.seq, head.hash, at)
    found = read_anchors(KEY, [msgspec.json.encode(line).decode()])
    verdict = await verify(connection, found)
    assert [each.kind for each in verdict.faults] == ["anchor_unproved"]


async def test_g34_what_an_erasure_takes_away_leaves_the_chain_whole(
    connection: Connection,
) -> None:
    await chain(connection)
    await connection.execute(
        "UPDATE audit SET subject = NULL, salt = NULL, text = NULL WHERE seq IN (2, 5)"
    )
    verdict = await verify(connection)
    assert (verdict.whole, verdict.rows, verdict.erased) == (True, 6, 2)


async def test_many_faults_are_counted_and_the_first_are_shown(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_check, "FAULTS_SHOWN_MAX", 2)
    await chain(connection)
    await connection.execute("UPDATE audit SET actor = 'nobody'")
    verdict = await verify(connection)
    assert ([each.seq for each in verdict.faults], verdict.faults_total) == ([1, 2], 6)


async def test_a_beginning_that_was_cut_off_in_silence_is_found(connection: Connection) -> None:
    await chain(connection)
    await connection.execute("DELETE FROM audit WHERE seq <= 3")
    assert [each.kind for each in (await verify(connection)).faults] == ["missing", "changed"]
    await connection.execute(
        "UPDATE audit_head SET cut_seq = 3, cut_hash = decode('7f' || repeat('00', 31), 'hex')"
    )
    assert [each.kind for each in (await verify(connection)).faults] == ["changed", "cut"]


async def test_a_head_that_knows_the_right_hash_is_not_enough_for_a_cut(
    connection: Connection,
) -> None:
    await chain(connection)
    await connection.execute(
        "UPDATE audit_head SET cut_seq = 3, cut_hash = (SELECT hash FROM audit WHERE seq = 3)"
    )
    await connection.execute("DELETE FROM audit WHERE seq <= 3")
    verdict = await verify(connection)
    assert (verdict.faults, verdict.first, verdict.rows) == ([Fault("cut", 3)], 4, 3)


async def test_a_row_before_the_beginning_of_the_chain_is_found(connection: Connection) -> None:
    await chain(connection)
    await connection.execute(
        "UPDATE audit_head SET cut_seq = 2, cut_hash = (SELECT hash FROM audit WHERE seq = 2)"
    )
    verdict = await verify(connection)
    assert [(each.kind, each.seq) for each in verdict.faults] == [
        ("outside", 1), ("outside", 2), ("cut", 2),
    ]  # fmt: skip


async def test_a_row_that_was_put_in_before_the_first_place_is_found(
    connection: Connection,
) -> None:
    await chain(connection)
    await connection.execute(
        "INSERT INTO audit (id, account, actor, action, seq, hash, detail)"
        " VALUES (7, 1, 'key 7', 'x', 0, sha256(''), '{}')"
    )
    verdict = await verify(connection)
    assert [(each.kind, each.seq, each.id) for each in verdict.faults] == [("outside", 0, 7)]


async def test_an_empty_chain_is_whole(connection: Connection) -> None:
    verdict = await verify(connection)
    assert (verdict.whole, verdict.rows, verdict.last, verdict.hash) == (True, 0, 0, "00" * 32)
