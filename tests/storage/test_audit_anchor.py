"""Anchors: one an hour where the chain has grown, signed, and read again from a file or a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from storage.audit_anchor import (
    EVERY,
    FILE_NAME,
    KEY_BYTES,
    KEY_PURPOSE,
    Anchors,
    AnchorUnreadable,
    line_of,
    read_anchors,
)
from storage.audit_check import verify
from storage.keys import ROOT_BYTES, NumberKeys
from storage.pool import Connection
from tests.storage.audited import chain

KEY = bytes(range(32))
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


async def test_an_anchor_an_hour_where_the_chain_has_grown(
    connection: Connection, tmp_path: Path
) -> None:
    anchors = Anchors(tmp_path, KEY)
    assert await anchors.turn(connection, NOON) is None, "nothing to anchor"
    made = await chain(connection, 2)
    first = await anchors.turn(connection, NOON)
    assert first is not None
    assert first.seq == len(made)
    assert await anchors.turn(connection, NOON + EVERY) is None, "it has not grown"
    await connection.execute("DELETE FROM audit")
    await connection.execute("UPDATE audit_head SET seq = 7")
    assert await anchors.turn(connection, NOON + EVERY - timedelta(seconds=1)) is None
    again = Anchors(tmp_path, KEY)  # after a restart
    assert await again.turn(connection, NOON + timedelta(minutes=59)) is None
    second = await again.turn(connection, NOON + EVERY)
    assert second is not None
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert [anchor.seq for anchor in read_anchors(KEY, lines)] == [first.seq, second.seq]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


async def test_its_lines_prove_the_chain(connection: Connection, tmp_path: Path) -> None:
    await chain(connection)
    await Anchors(tmp_path, KEY).turn(connection, NOON)
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    verdict = await verify(connection, read_anchors(KEY, lines))
    assert (verdict.whole, verdict.anchors) == (True, 1)


async def test_a_line_cut_by_a_crash_does_not_stop_the_next(
    connection: Connection, tmp_path: Path
) -> None:
    await chain(connection)
    (tmp_path / FILE_NAME).write_text('{"anchored_at":"2026-12-01T11:30')
    assert await Anchors(tmp_path, KEY).turn(connection, NOON) is not None
    assert len(read_anchors(KEY, (tmp_path / FILE_NAME).read_text().splitlines())) == 1


@pytest.mark.parametrize("at", ["yesterday", "2026-12-01T11:30:00", "2026-13-01T11:30:00Z"])
async def test_a_line_whose_moment_is_none_does_not_stop_the_next(
    connection: Connection, tmp_path: Path, at: str
) -> None:
    await chain(connection)
    line = {"anchored_at": at, "seq": 1, "hash": "00" * 32, "mac": "00" * 32}
    (tmp_path / FILE_NAME).write_bytes(msgspec.json.encode(line) + b"\n")
    assert await Anchors(tmp_path, KEY).turn(connection, NOON) is not None


async def test_a_file_that_cannot_be_written_stops_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    await chain(connection)
    (tmp_path / FILE_NAME).mkdir()
    assert await Anchors(tmp_path, KEY).turn(connection, NOON) is not None


def test_a_log_in_json_is_read_and_its_other_lines_are_passed_over() -> None:
    line = line_of(KEY, 3, bytes(32), NOON)
    logged = {"event": "audit_anchor", "level": "info", **msgspec.to_builtins(line)}
    lines = ['{"event": "started"}', "", msgspec.json.encode(logged).decode()]
    (anchor,) = read_anchors(KEY, lines)
    assert (anchor.seq, anchor.proved) == (3, True)
    (foreign,) = read_anchors(bytes(32), lines)
    assert not foreign.proved


@pytest.mark.parametrize("text", ['{"mac": "00"}', '{"mac": "zz", "seq": 1', '"mac"'])
def test_a_malformed_anchor_is_told_with_its_line(text: str) -> None:
    with pytest.raises(AnchorUnreadable, match="line 2"):
        read_anchors(KEY, ["", text])


def test_an_anchor_from_before_two_changes_of_the_number_key_is_proved() -> None:
    first, second, third = (NumberKeys(bytes([root]) * ROOT_BYTES) for root in (1, 2, 3))
    line = line_of(first.derive(KEY_PURPOSE, KEY_BYTES), 7, bytes(32), NOON)
    lines = [msgspec.json.encode(line).decode()]
    carrying = second.carrying(first.carry_to(second))
    carrying = third.carrying(carrying.carry_to(third))
    for keys, proved in ((carrying, True), (third, False)):
        anchors = read_anchors(keys.derive(KEY_PURPOSE, KEY_BYTES), lines)
        assert [each.proved for each in anchors] == [proved]
