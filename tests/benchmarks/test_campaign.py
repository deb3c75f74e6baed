"""What the benchmark of campaigns judges by: pauses are timed by the ledger, and books agree."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from benchmarks.campaign import verdicts
from benchmarks.campaign_pauses import pauses_ms
from benchmarks.gateways import BenchmarkFailed

LATE_SECONDS = 0.15


async def _writes(ledger: Path, going: asyncio.Event) -> None:
    while True:
        await going.wait()
        with ledger.open("a") as file:
            file.write(json.dumps({"at": time.time()}) + "\n")
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("late", [0.0, LATE_SECONDS])
async def test_a_pause_that_comes_late_is_found(tmp_path: Path, late: float) -> None:
    """What is still submitted after the request counts, to the last of it."""
    ledger, going = tmp_path / "ledger.jsonl", asyncio.Event()
    going.set()
    moved: list[str] = []

    async def move(verb: str) -> None:
        moved.append(verb)
        if verb == "resume":
            going.set()
        elif late:
            asyncio.get_running_loop().call_later(late, going.clear)
        else:
            going.clear()

    writing = asyncio.create_task(_writes(ledger, going))
    try:
        found = await pauses_ms(ledger, move, 2)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert moved == ["pause", "resume"] * 2
    assert all(each >= late * 500 if late else each == 0 for each in found)


async def test_of_what_is_not_sent_no_pause_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.campaign_pauses.PATIENCE_SECONDS", 0.05)
    with pytest.raises(BenchmarkFailed, match="nothing is sent"):
        await pauses_ms(tmp_path / "ledger.jsonl", lambda verb: asyncio.sleep(0), 1)


FOUND = {
    "plan": {"seconds": 12.0},
    "previews": {"p95_ms": 900.0},
    "batches, to the last receipt": {"per_second": 1_000.0},
    "fed, to the last receipt": {"per_second": 950.0},
    "batches, accepted alone": {"per_second": 2_000.0},
    "fed, accepted alone": {"per_second": 1_000.0},
    "pauses": {"p99_ms": 300.0, "gateway_peak_mib": 150.0},
    "OTP beside it": {"p99_ms": 60.0},
}


def test_each_target_has_its_verdict() -> None:
    met = {verdict.what: verdict.required_met for verdict in verdicts(FOUND)}
    assert list(met.values()) == [True, True, True, False, True, True, False]
    assert met["feed over batches, accepted alone"] is False
    assert met["OTP accepted -> wire beside it, p99"] is False
