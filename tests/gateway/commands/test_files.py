"""Progress of a file on its way: a bar where its length is known."""

from __future__ import annotations

import asyncio

import pytest

from gateway.commands import files


@pytest.mark.parametrize(
    ("total", "line"),
    [
        (2_000_000, "sent 0.5 MB [##########..............................] 25 %\n"),
        (None, "sent 0.5 MB\n"),
    ],
)
def test_progress_is_told_on_stderr_every_so_often(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    total: int | None,
    line: str,
) -> None:
    monkeypatch.setattr(files, "TELL_SECONDS", 0.0)

    async def tell() -> None:
        files.Progress("sent", total)(500_000)

    asyncio.run(tell())
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line)
