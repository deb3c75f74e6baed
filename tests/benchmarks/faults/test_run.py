"""A short run of faults under load: no promise is broken, and what cannot be done is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import broken_lines, faults
from tests.fork_server import forked
from tests.integration.conftest import folder as folder

# Its first two faults; each is held for less than half a second.
SEED = 39_995
FAULTS = ["kill -9: gateway", "kill -9: PostgreSQL"]


@pytest.mark.usefixtures("forks")
async def test_a_short_seed_breaks_no_promise(folder: Path) -> None:
    rounds = await faults(
        folder, SEED, minutes=1, at_most=len(FAULTS), starts=lambda _: forked, interposing=False
    )
    done = [each for each in rounds if not each.skipped]
    assert [each.fault for each in done] == FAULTS
    assert [line for each in rounds for line in broken_lines(each)] == []
    assert all(each.carried > 0 for each in done)
