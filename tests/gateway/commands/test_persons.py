"""`smsgate persons`: one person handed out or erased from the command line, without a gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.cli import main
from storage.ids import IdSource
from storage.keys import FILE_NAME
from storage.pool import Connection, close_connection, connect
from tests.dispatch.world import wall_ms
from tests.gateway.wiring.person import Life

NUMBER, MARKER = "+8613812345678", "Wang-Xiaoming"


class Persons:
    """`smsgate persons … --config FILE`; the key is that of the tests' vault."""

    def __init__(self, capture: pytest.CaptureFixture[str], folder: Path, url: str) -> None:
        self._capture = capture
        self._url = url
        self._path = folder / "smsgate.toml"
        self._path.write_text(
            f"[database]\nurl = {json.dumps(url)}\ndata_dir = {json.dumps(str(folder))}\n"
        )
        (folder / FILE_NAME).write_text(bytes(range(64)).hex())
        (folder / FILE_NAME).chmod(0o600)
        self.said = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capture.readouterr()
        assert main(["persons", *arguments, "--config", str(self._path)]) == code
        captured = self._capture.readouterr()
        self.said = captured.err
        return captured.out.strip()

    def work(self, do: Callable[[Connection], Awaitable[object]]) -> object:
        async def working() -> object:
            connection = await connect(self._url, application_name="test")
            try:
                return await do(connection)
            finally:
                await close_connection(connection)

        return asyncio.run(working())


@pytest.fixture
def persons(capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str) -> Persons:
    made = Persons(capsys, tmp_path, database_url)
    ids = IdSource(9, lambda: wall_ms() - 1_000)
    made.work(lambda connection: Life(connection, NUMBER, MARKER, ids=ids).live())
    return made


def test_an_export_is_lines_on_standard_output(persons: Persons) -> None:
    lines = [
        json.loads(line)
        for line in persons("export", NUMBER, "--reason", "letter 4711").splitlines()
    ]
    assert lines[0]["number"] == NUMBER
    assert lines[-1] == {"rows": len(lines) - 2, "complete": True}
    assert MARKER in json.dumps(lines)
    assert MARKER not in persons.said


def test_an_erasure_is_carried_to_its_end(persons: Persons) -> None:
    said = persons("erase", NUMBER, "--reason", "letter 4711").splitlines()
    assert said[-1].startswith("erased, ")
    assert "message: 1" in said
    left = persons.work(lambda c: c.fetchval("SELECT count(*) FROM message WHERE text <> ''"))
    assert left == 0
    again = json.loads(persons("erase", NUMBER, "--reason", "again", "--json"))
    assert set(again["rows"]) == {"audit"}, "only that it was asked for again"


def test_what_cannot_be_is_one_line(persons: Persons) -> None:
    persons("erase", "12", "--reason", "x", code=1)
    assert persons.said.startswith("smsgate: the number ")
    persons("erase", NUMBER, "--reason", "", code=1)
    assert "a reason is 1 to 500" in persons.said
    persons("erase", NUMBER, "--reason", "x", "--account", "nobody", code=1)
    assert persons.said.splitlines()[-1] == "smsgate: there is no account 'nobody'"
    persons.work(
        lambda c: c.execute(
            "INSERT INTO outbox (id, owner, connector, category, account, parts)"
            " SELECT id, 0, 1, 2, 1, 1 FROM message"
        )
    )
    persons("erase", NUMBER, "--reason", "x", code=1)
    assert "1 messages to this person have no end yet, the first is msg_" in persons.said
