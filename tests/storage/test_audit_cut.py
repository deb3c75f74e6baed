"""What was kept long enough goes from the beginning of the chain, and what is left is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from gateway.config.retention_settings import RetentionSettings
from gateway.wiring.maintaining import forgets, kept_days
from storage import audit, audit_cut
from storage.audit import AuditEntry
from storage.audit_anchor import FILE_NAME, Anchors, read_anchors
from storage.audit_check import verify
from storage.audit_cut import AuditCut
from storage.faults import UNAVAILABLE
from storage.ids import IdSource, id_at
from storage.pool import Connection, connect
from storage.retention import Retention
from tests.dispatch.world import wall_ms

KEY = bytes(32)
NOW = datetime.now(UTC)  # it stays today, also where midnight passes meanwhile
KEPT = 30


async def rows_of(connection: Connection, *days_ago: int) -> None:
    """A row of each of these days, in this order."""
    await audit.append(
        connection,
        [
            AuditEntry(id_at(NOW - timedelta(days=days)) + at, 1, "key 7", "key.create", None, {})
            for at, days in enumerate(days_ago)
        ],
    )


def cutting(folder: Path) -> Retention:
    cut = AuditCut(IdSource(1, wall_ms), Anchors(folder, KEY))
    now_ms = int(NOW.timestamp() * 1000)
    return Retention(
        kept_days(RetentionSettings(audit_days=KEPT)),
        lambda: now_ms,
        forgets=forgets(),
        cut_audit=cut.step,
    )


async def test_rows_that_were_kept_long_enough_go_and_a_row_says_so(
    connection: Connection, tmp_path: Path
) -> None:
    await rows_of(connection, KEPT + 9, KEPT + 2, KEPT - 1, 1)
    anchors = Anchors(tmp_path, KEY)
    await anchors.turn(connection, NOW - timedelta(days=1))
    second = await connection.fetchval("SELECT hash FROM audit WHERE seq = 2")
    retention = cutting(tmp_path)
    await retention.turn(connection)
    verdict = await verify(connection)
    assert (verdict.whole, verdict.rows, verdict.first, verdict.last) == (True, 3, 3, 5)
    assert verdict.cut is not None
    assert (verdict.cut.last, verdict.cut.hash, verdict.cut.said_by) == (2, second.hex(), 5)
    assert verdict.cut.until == f"{(NOW - timedelta(days=KEPT)).date()}T00:00:00Z"
    assert retention.rows_forgotten["audit"] == 2
    await retention.turn(connection)
    assert (await verify(connection)).last == 5, "nothing was due"
    found = read_anchors(KEY, (tmp_path / FILE_NAME).read_text().splitlines())
    assert [(each.seq, each.proved) for each in found] == [(4, True), (2, True)]
    verdict = await verify(connection, found)
    assert (verdict.whole, verdict.anchors_cut) == (True, 0)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'key 8' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit_head SET cut_hash = sha256('')",
        "DELETE FROM audit WHERE seq = 5; UPDATE audit_head SET seq = 4,"
        " hash = (SELECT hash FROM audit WHERE seq = 4)",
        "UPDATE audit SET detail = '{}' WHERE seq = 5",
        "DELETE FROM audit WHERE seq < 5;"
        "UPDATE audit_head SET cut_seq = 4,"
        " cut_hash = decode((SELECT detail->>'hash' FROM audit WHERE seq = 5), 'hex')",
    ],
)
async def test_what_is_changed_after_a_cut_is_found(
    connection: Connection, tmp_path: Path, tampering: str
) -> None:
    await rows_of(connection, KEPT + 9, KEPT + 2, KEPT - 1, 1)
    await cutting(tmp_path).turn(connection)
    assert (await verify(connection)).whole
    await connection.execute(tampering)
    assert not (await verify(connection)).whole


async def test_an_anchor_of_a_row_that_was_cut_is_said_to_prove_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    await rows_of(connection, KEPT + 9)
    await Anchors(tmp_path, KEY).turn(connection, NOW - timedelta(days=KEPT + 9))
    await rows_of(connection, KEPT + 2, 1)
    await cutting(tmp_path).turn(connection)
    found = read_anchors(KEY, (tmp_path / FILE_NAME).read_text().splitlines())
    verdict = await verify(connection, found)
    assert (verdict.whole, verdict.anchors, verdict.anchors_cut) == (True, 2, 1)


async def test_a_younger_row_ends_the_cut(connection: Connection, tmp_path: Path) -> None:
    await rows_of(connection, KEPT + 9, 1, KEPT + 2)
    await cutting(tmp_path).turn(connection)
    assert (await verify(connection)).first == 2
    await cutting(tmp_path).turn(connection)
    assert (await verify(connection)).first == 2


async def test_all_of_an_old_chain_goes_in_steps_and_the_rows_that_say_so_stay(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_cut, "ROWS_PER_STEP_MAX", 2)
    monkeypatch.setattr("storage.retention.ROWS_PER_STEP_MAX", 2)
    await rows_of(connection, *(KEPT + days for days in (9, 8, 7, 6, 5)))
    await cutting(tmp_path).turn(connection)
    verdict = await verify(connection)
    assert (verdict.whole, verdict.first, verdict.rows) == (True, 6, 3)


async def test_a_beginning_that_is_not_whole_is_not_cut(
    connection: Connection, tmp_path: Path
) -> None:
    """Else who changed a row would be rid of the proof."""
    await rows_of(connection, KEPT + 9, KEPT + 8, 1)
    await connection.execute("UPDATE audit SET actor = 'key 8' WHERE seq = 2")
    await cutting(tmp_path).turn(connection)
    assert (await verify(connection)).faults[0].seq == 2
    assert await connection.fetchval("SELECT count(*) FROM audit") == 3


async def test_a_process_that_dies_in_the_cut_has_cut_nothing(
    connection: Connection, database_url: str, tmp_path: Path
) -> None:
    await rows_of(connection, KEPT + 9, 1)
    await connection.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;"
        "CREATE TRIGGER die AFTER UPDATE OF cut_seq ON audit_head"
        " FOR EACH STATEMENT EXECUTE FUNCTION die()"
    )
    dying = await connect(database_url, application_name="test")
    with pytest.raises((*UNAVAILABLE, asyncpg.PostgresError)):
        await cutting(tmp_path).turn(dying)
    verdict = await verify(connection)
    assert (verdict.whole, verdict.first, verdict.rows) == (True, 1, 2)
