"""How the demo shows itself: a live progress display and the report.

Owns the layout. Must not count anything. Every rate is printed with its numerator and denominator.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from dlr.report import OUTCOMES
from gateway.demo.application import Clicked, Sending, Waits
from gateway.rehearsal.client import Figures, Rate
from gateway.rehearsal.judge import Judgement
from gateway.rehearsal.receiver import Told

SHOWN_RATES = ("delivery_rate", "confirmed_rate", "failure_rate")


class Progressing:
    """The three bars: accepted over HTTP, submitted over SMPP, ended by a receipt. Of parts nobody
    knows beforehand how many there will be: those two have no end until they are given one.
    """

    def __init__(self, progress: Progress, messages: int) -> None:
        self._progress = progress
        totals = {"accepted": messages, "submitted": None, "final": None}
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(name, total=total) for name, total in totals.items()
        }

    def update(self, name: str, done: float, total: float | None = None) -> None:
        """Where one of the bars is; without `total` its end stays as it was."""
        self._progress.update(self._tasks[name], completed=done, total=total)


@contextmanager
def sending_progress(console: Console, messages: int) -> Iterator[Progressing]:
    """The live display while messages are under way."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        yield Progressing(progress, messages)


def outcome_table(groups: Sequence[Figures], total: Figures) -> Table:
    """Messages by outcome and category; outcomes that nobody met are left out. Categories are the
    columns: however many outcomes there are, the table fits 80 columns.
    """
    table = Table(title="Messages by outcome", title_justify="left")
    table.add_column("outcome")
    for figures in (*groups, total):
        table.add_column(figures.key.get("category") or "all", justify="right")
    outcomes = [name for name in OUTCOMES if total.counts[name]]
    for name in ("accepted", "sent", *outcomes):
        counts = (str(figures.counts[name]) for figures in (*groups, total))
        table.add_row(name, *counts, end_section=name == "sent")
    return table


def reason_table(groups: Sequence[Figures]) -> Table:
    """Why what was not delivered was not."""
    table = Table(title="Why not", title_justify="left")
    table.add_column("reason")
    table.add_column("messages", justify="right")
    for figures in groups:
        reason = figures.key.get("reason")
        if reason not in (None, "none"):
            table.add_row(reason, str(figures.counts["accepted"]))
    return table


def rate_lines(rates: Mapping[str, Rate], names: Sequence[str]) -> list[str]:
    """`delivery_rate 4 650 / 4 980 = 93.4 % (95 %: 92.6 to 94.0)`."""
    lines = []
    for name in names:
        rate = rates[name]
        words = f"{name:<15} {rate.numerator} / {rate.denominator}"
        if rate.value is not None:
            words += f" = {rate.value:.2%}"
        if rate.low is not None and rate.high is not None:
            words += f"   (95 %: {rate.low:.2%} to {rate.high:.2%})"
        lines.append(words)
    return lines


def speed_lines(sending: Sending) -> list[str]:
    """Throughput as the client saw it."""
    accepted, parts = len(sending.accepted), sending.parts
    return [
        f"accepted   {accepted / sending.accept_seconds:8.0f} messages/s over HTTP",
        f"submitted  {parts / sending.submit_seconds:8.0f} parts/s over SMPP",
        f"receipted  {parts / sending.final_seconds:8.0f} parts/s; the simulator holds receipts "
        "0.1 to 1.5 s",
    ]


def latency_table(sending: Sending, waits: Waits) -> Table:
    """Percentiles, each of what the client measured or of a sample of timelines."""
    table = Table(title="Latency, milliseconds", title_justify="left")
    table.add_column("from … to …")
    for name in ("samples", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for label, seconds in (
        ("POST of a batch … 202, committed", sending.answer_seconds),
        ("accepted … submit_sm written", waits.submit_seconds),
        ("submit_sm … receipt committed", waits.receipt_seconds),
    ):
        ordered = sorted(seconds)
        shares = (_percentile(ordered, share) * 1000 for share in (0.5, 0.95, 0.99))
        table.add_row(label, str(len(ordered)), *(f"{value:.0f}" for value in shares))
    return table


def ledger_lines(judgement: Judgement, clicked: Clicked) -> list[str]:
    """What others counted."""
    return [
        f"simulator's ledger: {judgement.submits} submit_sm, {judgement.accepted} accepted, "
        f"{judgement.refused} refused, {judgement.repeats} repeated",
        f"links: {clicked.by_people} clicks by people, told exactly, "
        f"and {clicked.by_machines} visits by machines",
    ]


def told_lines(told: Told) -> list[str]:
    """What the webhooks told."""
    return [
        f"webhooks: {len(told.events)} events in {told.requests} requests, "
        f"{told.delivered} delivered; every signature verified"
    ]


def timeline_table(events: Sequence[Mapping[str, object]], title: str) -> Table:
    """One message from acceptance to click."""
    table = Table(title=title, title_justify="left")
    for name in ("time (UTC)", "event", "detail"):
        table.add_column(name)
    for event in events:
        at = datetime.fromisoformat(str(event["at"]))
        detail = event.get("detail")
        pairs = detail.items() if isinstance(detail, dict) else ()
        words = ", ".join(f"{name}={_shown(value)}" for name, value in pairs if value is not None)
        part = event.get("part")
        kind = str(event["kind"]) if part is None else f"{event['kind']} (part {part})"
        table.add_row(at.strftime("%H:%M:%S.%f")[:-3], kind, words)
    return table


def curl_lines(api_url: str, key: str) -> list[str]:
    """Calls to try, quoted so that any shell takes them as they stand."""
    report = shlex.quote(f"{api_url}/v1/reports/delivery?group_by=category")
    header = shlex.quote(f"Authorization: Bearer {key}")
    return [
        f"curl -s {report} \\\n       -H {header}",
        f"curl -s {shlex.quote(f'{api_url}/metrics')}",
    ]


def _shown(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank; 0 of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0
