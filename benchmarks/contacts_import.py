"""A file of contacts: how long its rows take, and what the process that takes them holds.

Owns that measurement. Must not give a figure of a run in which a row has no verdict.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import costs, gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.result import Figures
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from campaigns.contacts.attributes import Attribute
from campaigns.contacts.desk import ContactDesk
from campaigns.contacts.files.importing import ImportWorker
from campaigns.contacts.files.jobs import CSV, ContactImports, FileWish
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys
from storage.migrate import migrate
from storage.partitions import ensure_partitions
from storage.pool import Database
from storage.terms import HostIdentity, OwnerTerm

ACCOUNT = 1
PIECE_ROWS = 1_000
SECONDS_REQUIRED, PEAK_REQUIRED = 120.0, 200.0  # of a million rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many rows the file has."""
    parser.add_argument("--rows", type=int, default=1_000_000)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Seconds for receiving and for taking the rows, and the peak of this process."""
    return run_to_end(_run(arguments.rows))


async def _run(rows: int) -> dict[str, object]:
    with gateways.folder() as folder:
        database = await Database.open("embedded", folder, application_name="benchmark")
        try:
            found = await _measured(database, rows)
        finally:
            await database.close()
    share = rows / 1_000_000
    seconds = found["received_seconds"] + found["taken_seconds"]
    verdict = Verdict(
        "a million rows", round(seconds / share, 1), SECONDS_REQUIRED, SECONDS_REQUIRED,
        at_most=True, unit="s",
    )  # fmt: skip
    peak = Verdict(
        "peak memory", found["peak_mib"], PEAK_REQUIRED, PEAK_REQUIRED, at_most=True, unit="MiB"
    )
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "rounds": {CSV: [found]},
        "verdicts": [verdict, peak],
    }


async def _measured(database: Database, rows: int) -> Figures:
    setup = await database.dedicated("setup").connection()
    await migrate(setup)
    await ensure_partitions(setup, datetime.now(UTC).date())
    term = (await OwnerTerm.acquire(setup, HostIdentity.current())).term
    vault, ids = NumberVault(NumberKeys(os.urandom(64))), IdSource(1, _wall_ms)
    desk = ContactDesk(database.read, database.dedicated("contacts"), vault=vault, ids=ids)
    for name in ("city", "level"):
        await desk.define(ACCOUNT, "key 1", Attribute(name=name, type="text"))
    worker = ImportWorker(
        database.dedicated("worker"), term=term, vault=vault, ids=ids, wall_ms=_wall_ms,
        ended=lambda _: None,
    )  # fmt: skip
    files = ContactImports(
        database.read, database.dedicated("files"), term=term, vault=vault, ids=ids,
        wall_ms=_wall_ms, wake=worker.wake,
    )  # fmt: skip
    wish = FileWish(format=CSV, mapping=None, mode="fill", dry_run=False)
    began = time.monotonic()
    async with files.receiving(ACCOUNT, "key 1", wish) as intake:
        for octets in _pieces(rows):
            await intake.add(octets)
        job, _ = await intake.received()
    received = time.monotonic()
    await worker.turn()
    taken = time.monotonic()
    view = await files.view(ACCOUNT, job)
    if view is None or view.state != "done" or view.counts.get("created") != rows:
        raise BenchmarkFailed(f"not every row was taken: {view}")
    found = {
        "received_seconds": round(received - began, 2),
        "taken_seconds": round(taken - received, 2),
        "rows_per_second": round(rows / (taken - began)),
        "peak_mib": costs.peak_mib(os.getpid()),
    }
    say(f"{rows} rows: {found}")
    return found


def _pieces(rows: int) -> Iterator[bytes]:
    yield "external_id,手机号,city,level,标签\n".encode()
    for first in range(0, rows, PIECE_ROWS):
        numbers = range(first, min(first + PIECE_ROWS, rows))
        yield "".join(f"crm-{n},138{n:07d}1,广州,{n % 5},会员\n" for n in numbers).encode()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
