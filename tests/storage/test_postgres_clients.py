"""pg_dump is told of a database without its password where others can see it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from storage.manifest import BackupUnusable
from storage.postgres_clients import find_clients, run_client, without_password


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        ("postgresql://u:p%40s@h:5/db", "postgresql://u@h:5/db", "p@s"),
        ("postgresql://u@h/db", "postgresql://u@h/db", None),
        ("postgresql://u@/db?host=%2Ftmp&port=5", "postgresql://u@/db?host=%2Ftmp&port=5", None),
        ("postgresql://u:a@/db?password=b%26c&host=h", "postgresql://u@/db?host=h", "b&c"),
    ],
)
def test_a_password_is_taken_out_of_its_url(url: str, shown: str, secret: str | None) -> None:
    assert without_password(url) == (shown, {} if secret is None else {"PGPASSWORD": secret})


def program(folder: Path, lines: str) -> str:
    """A program in Python, in the place of pg_dump."""
    path = folder / "pg_dump"
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def test_the_password_is_in_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", "another")
    said = tmp_path / "said"
    lines = f"open({str(said)!r}, 'w').write(repr((sys.argv[1:], dict(os.environ))))"
    url = "postgresql://u:secret@h/db"
    await run_client([program(tmp_path, lines), "--jobs=2"], url, lambda: None)
    arguments, environment = eval(said.read_text())
    assert arguments == ["--jobs=2", "--dbname=postgresql://u@h/db"]
    assert environment["PGPASSWORD"] == "secret"
    assert "PGDATABASE" not in environment
    assert environment["PATH"] == os.environ["PATH"]


async def test_a_complaint_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    refused = (
        "sys.stderr.write('pg_dump: error: aborting because of server version mismatch\\n');"
        "sys.exit(1)"
    )
    with pytest.raises(BackupUnusable, match=r"pg_dump: .*mismatch: .*--programs DIR"):
        await run_client([program(tmp_path, refused)], "postgresql://u@h/db", lambda: None)
    with pytest.raises(BackupUnusable, match="exit code 3"):
        await run_client([program(tmp_path, "sys.exit(3)")], "postgresql://u@h/db", lambda: None)
    unknown = 'unrecognized configuration parameter "transaction_timeout"'
    older = f"sys.stderr.write('pg_restore: error: {unknown}\\n'); sys.exit(1)"
    await run_client([program(tmp_path, older)], "postgresql://u@h/db", lambda: None)


def test_named_programs_have_to_be_there(tmp_path: Path) -> None:
    program(tmp_path, "")
    with pytest.raises(BackupUnusable, match="pg_restore"):
        find_clients(tmp_path, print)
    (tmp_path / "pg_restore").touch()
    assert find_clients(tmp_path, print) == tmp_path
