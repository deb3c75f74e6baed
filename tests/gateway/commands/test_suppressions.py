"""`smsgate suppressions import` and `export` against a real API over a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli import main
from tests.web.api.files import ACCOUNT, SCOPES, Desk, running_desk
from web.edge.reveals import REVEAL

NUMBER, OTHER = "+8613812345678", "+8613912345678"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with running_desk(database_url) as desk:
        desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, REVEAL)
        yield desk


async def command(desk: Desk, tmp_path: Path, *arguments: str) -> int:
    config = tmp_path / "smsgate.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:{desk.api.port}"\n')
    key = desk.api.headers["Authorization"].removeprefix("Bearer ")
    asked = ["suppressions", *arguments, "--config", str(config), "--key", key]
    return await asyncio.to_thread(main, asked)


def begun(folder: Path, name: str) -> list[Path]:
    return list(folder.glob(f"{name}*"))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(f"number,source\n{NUMBER},x\n{OTHER},x\n123,x\n")
    return path


async def test_a_file_is_rehearsed_imported_and_not_twice(
    desk: Desk, tmp_path: Path, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command(desk, tmp_path, "import", str(listed), "--dry-run") == 0
    said = capsys.readouterr().out
    assert "3 rows, 2 would be added, 0 there already, 1 refused\n  1 number_invalid" in said
    assert "not stored: source" in said
    assert await desk.world.count("suppression") == 0
    assert await command(desk, tmp_path, "import", str(listed)) == 0
    assert "2 added" in capsys.readouterr().out
    assert await command(desk, tmp_path, "import", str(listed)) == 0
    said = capsys.readouterr().out
    assert "2 added" in said
    assert "imported before; --again" in said
    assert await command(desk, tmp_path, "import", str(listed), "--again") == 0
    assert "0 added, 2 there already" in capsys.readouterr().out
    assert await desk.world.count("suppression_import") == 3


async def test_what_is_wrong_with_a_file_is_one_line(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("phone\n1\n")
    for name, said in (
        ("wrong.csv", "refused (422): unknown column phone"),
        ("list.txt", "is it csv or ndjson? say so with --format"),
        ("gone.csv", "No such file"),
    ):
        assert await command(desk, tmp_path, "import", str(tmp_path / name)) == 1
        assert said in capsys.readouterr().err


async def test_the_list_is_written_masked_in_clear_and_as_hashes(
    desk: Desk, tmp_path: Path, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await command(desk, tmp_path, "import", str(listed))
    for name, more in (
        ("masked", ()), ("clear", ("--reveal", "ticket 4711")), ("hashes", ("--hash", "acme")),
    ):  # fmt: skip
        assert await command(desk, tmp_path, "export", str(tmp_path / name), *more) == 0
    assert NUMBER not in (tmp_path / "masked").read_text()
    assert NUMBER in (tmp_path / "clear").read_text()
    assert len((tmp_path / "hashes").read_text().splitlines()) == 3
    assert {revealed.reason for _, _, revealed in desk.api.memory.revealed} == {"ticket 4711"}
    assert await command(desk, tmp_path, "export", str(tmp_path / "no"), "--hash", "nobody") == 1
    assert "no partner of the configuration" in capsys.readouterr().err
    assert not begun(tmp_path, "no")


async def test_a_part_is_not_taken_for_the_whole(
    desk: Desk, tmp_path: Path, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway breaks off in the middle: no file is there, and the command says so."""
    await command(desk, tmp_path, "import", str(listed))
    entries = type(desk.exports).entries

    async def breaking(*asked: object) -> AsyncIterator[object]:
        async for page in entries(*asked):  # type: ignore[arg-type]
            yield page
            raise RuntimeError("the rest cannot be read")

    monkeypatch.setattr(type(desk.exports), "entries", breaking)
    assert await command(desk, tmp_path, "export", str(tmp_path / "cut")) == 1
    assert not begun(tmp_path, "cut")
