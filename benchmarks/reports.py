"""Reports over millions of messages: each grouping, lists by status, and a number's look-up.

Owns that run: messages of 20 days by COPY, rolled up by the merger, then each question cold and
warm. Must not go over HTTP. Cold is the first one after PostgreSQL's start; what the system's cache
holds stays there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import TypeVar
from zoneinfo import ZoneInfo

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed
from benchmarks.report_traffic import CONNECTORS, DAYS, Traffic, roll_up
from benchmarks.running import run as run_to_the_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from campaigns.funnel_desk import FunnelReports
from dlr.report_desk import Asked, DeliveryReports, GroupPage
from dlr.thresholds import thresholds_of
from gateway.wiring.report_names import ReportNames
from messages.reading.listing import MessageFilter
from messages.reading.reader import Messages
from recipients.number_view import NumberDesk
from recipients.reply_report import ReplyReports
from storage.crypto import NumberVault
from storage.keys import load_keys
from storage.migrate import migrate
from storage.names import DEFAULT_ACCOUNT, Registry, register
from storage.pool import Database

MESSAGES = 10_000_000
REPEATS = 20
REPORT_SECONDS_MAX = 0.2
LIST_SECONDS_MAX = 1.0
NUMBER_SECONDS_MAX = 0.05
# What a report is grouped by, and whose clock it goes by.
GROUPINGS: Sequence[tuple[str, str]] = (
    ("", "UTC"), ("connector", "UTC"), ("operator", "UTC"), ("country", "UTC"), ("account", "UTC"),
    ("sender", "UTC"), ("category", "UTC"), ("campaign", "UTC"), ("variant", "UTC"),
    ("tag", "UTC"), ("reason", "UTC"), ("hour", "UTC"), ("day", "UTC"), ("hour", "Asia/Kolkata"),
    ("day", "Asia/Kolkata"), ("day", "Europe/Berlin"), ("week", "Asia/Shanghai"),
    ("connector,country", "UTC"), ("operator,category", "UTC"), ("campaign,variant", "UTC"),
    ("sender,connector", "UTC"), ("day,connector", "Asia/Kolkata"), ("day,campaign", "UTC"),
    ("hour,operator", "UTC"), ("reason,connector", "UTC"), ("reason,country", "UTC"),
    ("day,reason", "UTC"), ("tag,day", "UTC"), ("tag,category", "UTC"),
)  # fmt: skip

Question = Callable[[], Awaitable[object]]
_Desk = TypeVar("_Desk")


class Bench:
    """A database that is started anew, and what is asked of it."""

    def __init__(self, path: Path, registry: Registry, vault: NumberVault, now: datetime) -> None:
        self._path = path
        self._registry = registry
        self._vault = vault
        self._now = now
        self._database: Database | None = None

    async def start(self) -> None:
        """Start PostgreSQL; what it had in memory is gone."""
        await self.stop()
        self._database = await Database.open(
            "embedded", self._path, application_name="benchmark", read_connections=2
        )

    async def stop(self) -> None:
        """Stop PostgreSQL."""
        if self._database is not None:
            await self._database.close()
            self._database = None

    def questions(self, traffic: Traffic) -> Mapping[str, Question]:
        """Everything that is asked, by what it is called."""
        account = self._registry.accounts[DEFAULT_ACCOUNT]
        asked: dict[str, Question] = {}
        for names, zone in GROUPINGS:
            where = "" if zone == "UTC" else f" {zone}"
            asked[f"delivery by {names or 'nothing'}{where}"] = self._delivery(names, zone)
        about = self._asked("campaign")
        asked["failures"] = lambda: self._desk(DeliveryReports).failures(self._asked(""))
        asked["latency"] = lambda: self._desk(DeliveryReports).latency(self._asked(""))
        page = GroupPage(1_000)
        asked["funnel by campaign"] = lambda: self._desk(FunnelReports).funnel(about, page)
        asked["replies by campaign"] = lambda: self._desk(ReplyReports).replies(about, page)
        for status in ("undelivered", "unknown", "delivered"):
            asked[f"list of {status}"] = self._list(account, status)
        numbers = iter(traffic.numbers * REPEATS)
        asked["number"] = lambda: NumberDesk(
            self._open.read, self._vault, lambda: int(self._now.timestamp() * 1000)
        ).number([account], next(numbers))
        return asked

    @property
    def _open(self) -> Database:
        assert self._database is not None
        return self._database

    def _desk(self, kind: Callable[..., _Desk]) -> _Desk:
        names = ReportNames(self._registry)
        return kind(self._open.read, names, thresholds_of())

    def _asked(self, names: str, zone: str = "UTC") -> Asked:
        by = tuple(names.split(",")) if names else ()
        since = self._now - timedelta(days=DAYS)
        return Asked(
            self._registry.accounts[DEFAULT_ACCOUNT], since, self._now, self._now, by,
            ZoneInfo(zone),
        )  # fmt: skip

    def _delivery(self, names: str, zone: str) -> Question:
        asked = self._asked(names, zone)
        return lambda: self._desk(DeliveryReports).delivery(asked, GroupPage(10_000))

    def _list(self, account: int, status: str) -> Question:
        wanted = MessageFilter(
            since=self._now - timedelta(days=DAYS), until=self._now, status=status
        )
        messages = Messages
        return lambda: messages(self._open.read, self._registry, self._vault).listed(
            account, wanted, None, 100
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many messages."""
    parser.add_argument("--messages", type=int, default=MESSAGES)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Milliseconds of each question."""
    return run_to_the_end(_run(arguments.messages))


async def _run(count: int) -> dict[str, object]:
    now = datetime.now(UTC)
    with gateways.folder() as path:
        database = await Database.open("embedded", path, application_name="benchmark")
        connection = await database.open_connection("setup")
        await migrate(connection)
        registry = await register(connection, [], [f"carrier-{n}" for n in range(CONNECTORS)])
        vault = NumberVault(load_keys(path, {}))
        traffic = Traffic(count, registry.accounts[DEFAULT_ACCOUNT], now, vault)
        began = time.perf_counter()
        await traffic.write(connection)
        written = time.perf_counter()
        say(f"{count} messages written in {written - began:.0f} s")
        counted = await roll_up(connection)
        merged = time.perf_counter()
        say(f"{counted} rolled up in {merged - written:.0f} s")
        rows = await connection.fetchval("SELECT count(*) FROM rollup_cell")
        await connection.close()
        await database.close()
        if counted != count:
            raise BenchmarkFailed(f"{counted} of {count} messages were counted")
        bench = Bench(path, registry, vault, now)
        try:
            figures = await _measured(bench, bench.questions(traffic))
        finally:
            await bench.stop()
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "days": DAYS,
        "rounds": {
            "made": [
                {
                    "messages": count,
                    "written_seconds": round(written - began, 1),
                    "rolled_up_seconds": round(merged - written, 1),
                    "cells": rows,
                }
            ],
            **{name: [each] for name, each in figures.items()},
        },
        "verdicts": _verdicts(figures),
    }


async def _measured(bench: Bench, questions: Mapping[str, Question]) -> dict[str, dict[str, float]]:
    """For each question: the first answer after a start, then p50 and p95 of the next."""
    figures: dict[str, dict[str, float]] = {}
    for name, ask in questions.items():
        await bench.start()
        cold, *warm = [await _milliseconds(ask) for _ in range(REPEATS + 1)]
        cuts = quantiles(warm, n=20, method="inclusive")
        figures[name] = {
            "cold_ms": round(cold, 1), "p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1),
        }  # fmt: skip
        say(f"{name}: {figures[name]}")
    return figures


async def _milliseconds(ask: Question) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1000


def _verdicts(figures: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    kinds = (
        ("report", ("delivery", "failures", "latency", "funnel", "replies"), REPORT_SECONDS_MAX),
        ("list", ("list",), LIST_SECONDS_MAX),
        ("number look-up", ("number",), NUMBER_SECONDS_MAX),
    )
    found = []
    for what, names, seconds in kinds:
        for when in ("p95", "cold"):
            worst = max(
                each[f"{when}_ms"] for name, each in figures.items() if name.split()[0] in names
            )
            found.append(
                Verdict(f"slowest {what}, {when}", worst, seconds * 1000, at_most=True, unit="ms")
            )
    return found
