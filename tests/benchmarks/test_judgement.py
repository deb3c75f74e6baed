"""The suite's own judgement: what a run has lost, doubled or told late is found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from benchmarks import gateways, judgement
from benchmarks.gateways import BenchmarkFailed
from benchmarks.judgement import LATE_SECONDS, Judged
from benchmarks.receipt_sink import ReceiptSink
from dlr.status import Status
from gateway.rehearsal.simulator import Simulator
from smpp.simulator.ledger import LedgerLine
from storage.ids import id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection, connect

MESSAGES = 20
CLEAN = Judged(lost=0, doubled=0, strange=0, untold=0, told_twice=0, late=0)
NOON = 1_790_000_000.0  # seconds since 1970


class Carrier(Simulator):
    """One that has ended: what is left is its ledger."""

    def __init__(self, ledger_file: Path) -> None:
        self.ledger_file = ledger_file


def line(number: int, *, n: int | None = None, status: int = 0) -> LedgerLine:
    """What the carrier has noted of the message with this number."""
    return LedgerLine(
        n or number + 1, NOON + number / 10, "bench", "SHOP", judgement.bare(number), status,
        f"{number:05d}", 0, "00",
    )  # fmt: skip


def written(path: Path, lines: Sequence[LedgerLine]) -> Carrier:
    """A ledger of these lines."""
    path.write_bytes(msgspec.json.Encoder().encode_lines(lines))
    return Carrier(path)


def owed() -> list[str]:
    return [judgement.bare(number) for number in range(MESSAGES)]


def judged(
    lines: Sequence[LedgerLine], told: dict[int, float], late_seconds: float = LATE_SECONDS
) -> Judged:
    moments = [(judgement.bare(number), at) for number, at in told.items()]
    return judgement.judged(owed(), judgement.carried_by(lines), moments, late_seconds)


LINES = [line(number) for number in range(MESSAGES)]
TOLD = {number: NOON + number / 10 + 1 for number in range(MESSAGES)}


def test_a_run_that_adds_up_has_its_figure() -> None:
    found = judged(LINES, TOLD)
    assert found == CLEAN
    found.must_add_up()


def test_a_lost_message_is_found() -> None:
    found = judged(LINES[1:], {number: at for number, at in TOLD.items() if number})
    assert (found.lost, found.untold, found.doubled) == (1, 1, 0)
    with pytest.raises(BenchmarkFailed, match="1 lost, 1 untold"):
        found.must_add_up()


def test_a_doubled_message_is_found_also_where_the_counts_agree() -> None:
    """One lost and one doubled are as many submits as were accepted."""
    lines = [*LINES[1:], line(5, n=MESSAGES + 1)]
    assert len(lines) == MESSAGES
    found = judged(lines, TOLD)
    assert (found.lost, found.doubled) == (1, 1)
    with pytest.raises(BenchmarkFailed, match="1 doubled"):
        found.must_add_up()


def test_a_late_receipt_is_found() -> None:
    late = TOLD | {7: NOON + 0.7 + LATE_SECONDS + 0.01}
    assert judged(LINES, late).late == 1
    assert judged(LINES, TOLD | {7: NOON + 0.7 + LATE_SECONDS - 0.01}) == CLEAN
    with pytest.raises(BenchmarkFailed, match="1 late"):
        judged(LINES, late).must_add_up()


def test_a_missing_receipt_and_a_message_of_nobody_are_found() -> None:
    found = judged([*LINES, line(99)], {number: at for number, at in TOLD.items() if number != 3})
    assert (found.untold, found.strange, found.lost) == (1, 1, 0)


def test_what_the_carrier_refused_did_not_arrive() -> None:
    assert judged([*LINES[1:], line(0, status=8)], TOLD).lost == 1


def test_a_peer_that_calls_back_twice_or_not_at_all_is_found(tmp_path: Path) -> None:
    carrier = written(tmp_path / "ledger.jsonl", LINES)
    sink = ReceiptSink()
    for number in range(MESSAGES):
        sink.called(number, judgement.DELIVERED_BIT)
        sink.called_at[number] = TOLD[number]
    judgement.peers_adds_up(range(MESSAGES), carrier, sink)
    with pytest.raises(BenchmarkFailed, match="1 lost, 1 untold"):
        judgement.peers_adds_up(range(MESSAGES + 1), carrier, sink)
    sink.reported[4, judgement.DELIVERED_BIT] += 1
    with pytest.raises(BenchmarkFailed, match="1 told twice"):
        judgement.peers_adds_up(range(MESSAGES), carrier, sink)


async def test_the_ledger_is_judged_against_what_the_gateway_has_stored(
    database_url: str, tmp_path: Path
) -> None:
    """The three of them once more, through the ledger's file and the table of submissions."""
    connection = await connect(database_url, application_name="test")
    try:
        await _store(connection)
        whole = written(tmp_path / "whole.jsonl", LINES)
        await judgement.ours_adds_up(owed(), whole, connection)
        doubled = written(tmp_path / "doubled.jsonl", [*LINES, line(5, n=MESSAGES + 1)])
        with pytest.raises(BenchmarkFailed, match="1 doubled"):
            await judgement.ours_adds_up(owed(), doubled, connection)
        with pytest.raises(BenchmarkFailed, match="1 lost, 1 untold"):
            await judgement.ours_adds_up([*owed(), "999"], whole, connection)
        short = written(tmp_path / "short.jsonl", LINES[1:])
        with pytest.raises(BenchmarkFailed, match="1 are delivered under ids"):
            await judgement.ours_adds_up(owed(), short, connection)
        with pytest.raises(BenchmarkFailed, match=f"{MESSAGES} late"):
            await judgement.ours_adds_up(owed(), whole, connection, 0.5)
    finally:
        await connection.close()


async def _store(connection: Connection) -> None:
    now = datetime.fromtimestamp(NOON, UTC)
    await ensure_partitions(connection, now.date())
    first = id_at(now)
    await connection.executemany(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector,"
        " status, carrier_id, receipt_at)"
        " VALUES ($1, $1, 1, 1, 1, 0, 1, $2, $3, to_timestamp($4))",
        [
            (first + 2 * number, int(Status.DELIVERED), f"{number:05d}", TOLD[number])
            for number in range(MESSAGES)
        ],
    )


def test_destinations_are_those_that_messages_go_to() -> None:
    [message] = gateways.messages(1, 42)
    assert message["to"] == f"+{judgement.bare(42)}"
