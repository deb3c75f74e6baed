"""A process that does not start, or whose command fails, is one line that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.rehearsal.processes import RehearsalError, printed, with_an_interpreter
from gateway.rehearsal.running import serve


async def test_a_gateway_that_does_not_start_says_why(tmp_path: Path) -> None:
    config = tmp_path / "smsgate.toml"
    config.write_text("[http]\nlisten = 1\n")
    with pytest.raises(RehearsalError, match=r"^gateway did not start: .*http\.listen"):
        await serve(config)


async def test_a_command_is_what_it_prints_or_why_it_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    said = await printed(["--version"], log, start=with_an_interpreter)
    assert said.startswith("smsgate ")
    with pytest.raises(RehearsalError, match=r"^nonsense failed: .*nonsense"):
        await printed(["nonsense"], log, start=with_an_interpreter)
