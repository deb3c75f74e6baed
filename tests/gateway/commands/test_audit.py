"""`smsgate audit`: the chain is looked through and shown, with an exit code for scripts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import main
from storage import audit
from storage.audit import AuditEntry
from storage.audit_anchor import FILE_NAME, KEY_BYTES, KEY_PURPOSE, Anchors
from storage.audit_cut import AuditCut
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import load_keys
from storage.pool import Connection, close_connection, connect

NUMBER = "+8613812345678"
AT = datetime(2026, 12, 1, tzinfo=UTC)


class Audit:
    """`smsgate audit … --config FILE`, on a database with a chain of three."""

    def __init__(self, capture: pytest.CaptureFixture[str], folder: Path, url: str) -> None:
        self._capture = capture
        self._url = url
        self._path = folder / "smsgate.toml"
        self._path.write_text(
            f"[database]\nurl = {json.dumps(url)}\ndata_dir = {json.dumps(str(folder))}\n"
        )
        self.keys = load_keys(folder, {})
        self.anchors = folder / FILE_NAME
        self.said = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capture.readouterr()
        assert main(["audit", *arguments, "--config", str(self._path)]) == code
        captured = self._capture.readouterr()
        self.said = captured.err
        return captured.out.strip()

    def rows(self, *arguments: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self("list", "--json", *arguments).splitlines()]

    def work(self, do: Callable[[Connection], object]) -> None:
        async def working() -> None:
            connection = await connect(self._url, application_name="test")
            await do(connection)  # type: ignore[misc]
            await close_connection(connection)

        asyncio.run(working())

    async def fill(self, connection: Connection) -> None:
        ids = IdSource(1, lambda: int(AT.timestamp() * 1000))
        subject = NumberVault(self.keys).index(NUMBER)
        await audit.append(
            connection,
            [
                AuditEntry(
                    ids.next(), 1, "key 7", "numbers.reveal", subject, {"list": "proof"},
                    "complaint 4711",
                ),
                AuditEntry(ids.next(), 1, "keyword", "suppression.add", subject, {"category": 3}),
                AuditEntry(ids.next(), 0, "operator", "key.create", None, {"key": 2}),
            ],
        )  # fmt: skip
        await Anchors(self.anchors.parent, self.keys.derive(KEY_PURPOSE, KEY_BYTES)).turn(
            connection, AT
        )


@pytest.fixture
def audited(capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str) -> Audit:
    made = Audit(capsys, tmp_path, database_url)
    made.work(made.fill)
    return made


def test_a_whole_chain_is_said_to_be_whole(audited: Audit) -> None:
    assert audited("verify").startswith("whole: 3 rows, 1 to 3\nends with ")
    anchored = json.loads(audited("verify", "--json", "--anchors", str(audited.anchors)))
    assert (anchored["whole"], anchored["rows"], anchored["anchors"]) == (True, 3, 1)


def test_a_changed_row_is_named_and_the_exit_code_is_one(audited: Audit) -> None:
    audited.work(lambda c: c.execute("UPDATE audit SET actor = 'key 8' WHERE seq = 2"))
    said = audited("verify", code=1)
    assert said.startswith("2 (aud_")
    assert "2026-12-01T00:00:00.000Z): the row, or the one before it," in said
    assert "NOT WHOLE: 3 rows" in said
    verdict = json.loads(audited("verify", "--json", code=1))
    assert [each["kind"] for each in verdict["faults"]] == ["changed"]


def test_g33_an_end_cut_off_is_found_by_the_file_of_anchors(audited: Audit) -> None:
    audited.work(
        lambda c: c.execute(
            "DELETE FROM audit WHERE seq = 3;"
            "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)"
        )
    )
    audited("verify")
    said = audited("verify", "--anchors", str(audited.anchors), code=1)
    assert said.startswith("3: the row of an anchor is gone")


def test_a_cut_is_told_with_the_row_that_says_so(audited: Audit) -> None:
    async def cut(connection: Connection) -> None:
        anchors = Anchors(audited.anchors.parent, audited.keys.derive(KEY_PURPOSE, KEY_BYTES))
        ids = IdSource(1, lambda: int((AT + timedelta(days=1)).timestamp() * 1000))
        await AuditCut(ids, anchors).step(connection, AT + timedelta(days=1))
        await audit.append(connection, [AuditEntry(ids.next(), 0, "operator", "x", None, {})])

    audited.work(cut)
    said = audited("verify", "--anchors", str(audited.anchors)).splitlines()
    assert said[0] == "whole: 2 rows, 4 to 5, against 2 anchors"
    assert said[2] == "1 to 3 are gone, from before 2026-12-02T00:00:00Z, as row 4 says"


def test_a_file_that_is_no_anchors_is_one_line(audited: Audit, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text('{"mac": 1}\n')
    audited("verify", "--anchors", str(tmp_path / "bad"), code=1)
    assert audited.said.splitlines()[-1].startswith(f"smsgate: {tmp_path}/bad: line 1 is no anchor")
    audited("verify", "--anchors", str(tmp_path / "none"), code=1)
    assert "No such file" in audited.said


@pytest.mark.parametrize(
    ("asked", "seqs"),
    [
        ((), [3, 2, 1]),
        (("--limit", "2"), [3, 2]),
        (("--action", "numbers.reveal"), [1]),
        (("--actor", "keyword"), [2]),
        (("--number", NUMBER), [2, 1]),
        (("--number", "+8613912345678"), []),
        (("--since", "2026-12-01"), [3, 2, 1]),
        (("--until", "2026-12-01"), []),
    ],
)
def test_rows_are_listed_newest_first_and_filtered(
    audited: Audit, asked: tuple[str, ...], seqs: list[int]
) -> None:
    assert [row["seq"] for row in audited.rows(*asked)] == seqs


def test_a_row_shows_its_reason_and_no_number(audited: Audit) -> None:
    *_, row = audited.rows()
    assert (row["reason"], row["about_a_person"], row["erased"]) == ("complaint 4711", True, False)
    text = audited("list", "--action", "numbers.reveal")
    assert text.endswith("numbers.reveal  list=proof  complaint 4711")
    assert NUMBER[1:] not in text + json.dumps(row)
