"""Readiness follows what the work itself last met."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import msgspec
import pytest

from gateway.health import FAILURE_SECONDS, FLUSH_SECONDS_MAX, Health, trouble_of
from storage.faults import DatabaseDown
from storage.group_commit import GroupCommit
from storage.pool import Database


class Writer(msgspec.Struct):
    failure: Exception | None = None
    failed_at: float = 0.0
    began_at: float | None = None


DISK_FULL = asyncpg.DiskFullError("no space left on device")


@pytest.mark.parametrize(
    ("writer", "said"),
    [
        (Writer(), None),
        (Writer(DISK_FULL, 100.0), "no space left on device"),
        (Writer(DISK_FULL, 100.0 - FAILURE_SECONDS - 1), None),  # nobody has tried since
        (Writer(asyncpg.UniqueViolationError("twice"), 100.0), None),  # of one value
        (Writer(began_at=100.0 - FLUSH_SECONDS_MAX), None),
        (Writer(began_at=90.0), "the database has not answered for 10 s"),
        (Writer(DatabaseDown(), 100.0), "DatabaseDown"),
    ],
)
def test_o8_a_writer_that_fails_or_hangs_is_in_trouble(writer: Writer, said: str | None) -> None:
    assert trouble_of(writer, 100.0) == said


async def test_o8_a_group_commit_says_what_it_last_met(caplog: pytest.LogCaptureFixture) -> None:
    met: list[Exception | None] = [DISK_FULL, DISK_FULL, None]
    running = asyncio.Event()

    async def flush(items: list[int], _attempt: int) -> list[int]:
        running.set()
        if (error := met.pop(0)) is not None:
            raise error
        return items

    commits: GroupCommit[int, int] = GroupCommit(flush, name="accept")
    for _ in range(2):
        assert await commits.submit([1]) == [DISK_FULL]
        assert trouble_of(commits, commits.failed_at) == "no space left on device"
    assert await commits.submit([1]) == [1]
    assert (commits.failure, commits.began_at) == (None, None)
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "accept cannot be written: no space left on device"
    assert "accept is written again" in told[-1]


async def test_o10_what_does_a_part_of_its_work_is_shown_and_not_required(
    database_url: str,
) -> None:
    why: list[str | None] = [None]
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    try:
        health = Health(
            database.read,
            [],
            lambda: False,
            writers={},
            degraded={"keeping clicks": lambda: why[0]},
            monotonic=time.monotonic,
        )
        for trouble in (None, "clicks are not kept: File too large"):
            why[0] = trouble
            (clicks,) = [each for each in await health.check() if each.name == "keeping clicks"]
            assert (clicks.ok, clicks.reason, clicks.required) == (not trouble, trouble, False)
    finally:
        await database.close()
