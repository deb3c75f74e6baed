"""`smsgate numbers`: who is given up and why, and what a person decides about proofs that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from gateway.cli import main
from storage.pool import Connection, close_connection, connect
from tests.conftest import LoopThread
from tests.dispatch.world import VAULT

KEY = bytes(range(64)).hex()
DEAD, SEEN, OFTEN, ABSENT = (f"+861380000000{last}" for last in range(1, 5))


class Desk:
    """`smsgate numbers … --config FILE`, and the database it works on."""

    def __init__(self, capture: pytest.CaptureFixture[str], path: Path, url: str) -> None:
        self._capture = capture
        self._path = path
        self._loop = LoopThread()
        self._connection: Connection = self._loop.run(connect(url, application_name="test"))
        self.query(
            "INSERT INTO connector (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'carrier-a')"
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capture.readouterr()
        assert main(["numbers", *arguments, "--config", str(self._path)]) == code
        captured = self._capture.readouterr()
        return captured.out if code == 0 else captured.err

    def query(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = self._loop.run(self._connection.fetch(sql, *arguments))
        return rows

    def evidence(
        self, number: str, kind: str, *days_ago: int, error: str = "MK:0001", state: int = 0
    ) -> None:
        for days in days_ago:
            at = datetime.now(UTC) - timedelta(days=days)
            self.query(
                "INSERT INTO number_evidence (to_idx, account, day, kind, state, reason, connector,"
                " error, message_id, at, to_enc) VALUES ($1, 1, $2, $3, $4, $5, 7, $6, 9, $7, $8)",
                VAULT.index(number), at.date(), kind, state, 2 if kind == "p" else 4, error, at,
                VAULT.seal(number),
            )  # fmt: skip

    def suppressed(self) -> set[bytes]:
        return {row["to_idx"] for row in self.query("SELECT to_idx FROM suppression")}

    def audited(self) -> list[dict[str, object]]:
        rows = self.query("SELECT action, actor, detail FROM audit ORDER BY seq")
        return [dict(row) for row in rows]

    def close(self) -> None:
        self._loop.run(close_connection(self._connection))
        self._loop.close()


@pytest.fixture
def desk(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", KEY)
    path = tmp_path / "smsgate.toml"
    path.write_text(
        f"[database]\nurl = {json.dumps(database_url)}\ndata_dir = {json.dumps(str(tmp_path))}\n",
        encoding="utf-8",
    )
    desk = Desk(capsys, path, database_url)
    yield desk
    desk.close()


def some(desk: Desk) -> None:
    desk.evidence(DEAD, "p", 0)
    desk.evidence(SEEN, "p", 10)
    desk.evidence(SEEN, "d", 3)
    desk.evidence(OFTEN, "s", 0, 7, 14, error="MI:0054")
    desk.evidence(ABSENT, "t", *range(60))


def test_a_dry_run_says_who_and_why_and_changes_nothing(desk: Desk) -> None:
    some(desk)
    heading, *rows, totals = desk("prune", "--dry-run").splitlines()
    assert heading.split() == [
        "NUMBER", "REASON", "DAYS", "CODES", "CONNECTOR", "DELIVERED", "VALIDITY", "UNTIL",
    ]  # fmt: skip
    until = (datetime.now(UTC) + timedelta(days=180)).date()
    [row] = rows
    assert row.split() == [
        "+86138****0001", "number_unknown", "1", "MK:0001", "carrier-a", "-", "0.30", str(until),
    ]  # fmt: skip
    assert totals == (
        "1 numbers: 1 number_unknown; 0 are suppressed already, 1 would be suppressed"
    )
    assert (desk.suppressed(), desk.audited()) == (set(), [])


def test_a_higher_bar_takes_what_came_back_and_never_what_is_temporary(desk: Desk) -> None:
    some(desk)
    *rows, totals = map(json.loads, desk("prune", "--below", "0.75", "--json").splitlines())
    assert {(each["number"], each["reason"]) for each in rows} == {
        ("+86138****0001", "number_unknown"), ("+86138****0003", "handset_unreachable"),
    }  # fmt: skip
    assert totals == {
        "totals": {"number_unknown": 1, "handset_unreachable": 1}, "standing": 0, "new": 2,
        "dry_run": False,
    }  # fmt: skip
    assert desk.suppressed() == {VAULT.index(DEAD), VAULT.index(OFTEN)}
    [row] = desk.audited()
    assert (row["action"], row["actor"]) == ("numbers.prune", "operator")
    *rows, totals = map(json.loads, desk("prune", "--dry-run", "--json").splitlines())
    assert [each["standing"] for each in rows] == ["already", "already"]
    assert (totals["standing"], totals["new"]) == (2, 0)


def test_what_waits_or_was_undone_is_not_given_up(desk: Desk) -> None:
    desk.evidence(DEAD, "p", 0, state=1)
    desk.evidence(SEEN, "p", 0, state=2)
    assert desk("prune").splitlines()[1:] == [
        "0 numbers; 0 are suppressed already, 0 are suppressed now"
    ]


def test_pages_hold_each_number_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlr.hygiene.prune.NUMBERS_PER_PAGE", 2)
    for last in range(5):
        desk.evidence(f"+861390000000{last}", "p", 0)
    assert desk("prune").splitlines()[-1].endswith("5 are suppressed now")
    assert len(desk.suppressed()) == 5


def test_g39_a_number_that_cannot_be_read_sinks_no_list(desk: Desk) -> None:
    desk.evidence(DEAD, "p", 0)
    desk.query("UPDATE number_evidence SET to_enc = 'damaged'")
    assert "unreadable" in desk("prune", "--dry-run")


def test_g28_a_person_decides_about_proofs_that_wait(desk: Desk) -> None:
    assert desk("proofs") == "no proofs wait\n"
    desk.evidence(DEAD, "p", 0, state=1)
    assert desk("proofs").startswith("carrier-a: 1 proofs wait since 20")
    assert "want --connector" in desk("proofs", "--release", code=1)
    assert "no connector 'b'" in desk("proofs", "--release", "--connector", "b", code=1)
    said = desk("proofs", "--release", "--connector", "carrier-a")
    assert said == "1 proofs released, 1 numbers suppressed\n"
    assert desk.suppressed() == {VAULT.index(DEAD)}
    desk.evidence(OFTEN, "p", 0, state=1)
    assert desk("proofs", "--discard", "--connector", "carrier-a", "--json") == (
        '{"proofs":1,"suppressed":0}\n'
    )
    assert desk.suppressed() == {VAULT.index(DEAD)}
    assert [row["action"] for row in desk.audited()] == ["numbers.release", "numbers.discard"]
    assert desk("proofs", "--json") == "[]\n"
