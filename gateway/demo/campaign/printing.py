"""How the demo of a campaign shows itself: its steps, and the truth beside the report.

Owns the layout, within 80 columns. Must not count anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dlr.rates import rate_of
from gateway.demo.campaign.carrier import Carrier
from gateway.demo.campaign.cast import STEP_NAMES
from gateway.demo.campaign.judge import Line
from gateway.demo.campaign.truth import ARMS, Figures
from gateway.demo.printing import rate_lines
from gateway.rehearsal.client import Rate


class Going:
    """The bars of a campaign on its way: who was fed, and what the carrier took of it."""

    def __init__(self, progress: Progress, carrier: Carrier, people: int) -> None:
        self._progress = progress
        self._carrier = carrier
        self._before = carrier.accepted
        self._people = people
        self._tasks = [progress.add_task(name, total=people) for name in ("fed", "submitted")]

    @property
    def over(self) -> bool:
        """Whether the carrier has taken a text for each, and told the gateway how each ended."""
        return self._carrier.accepted - self._before >= self._people and self._carrier.quiet

    def __call__(self, stands: Mapping[str, Any]) -> None:
        """The campaign stands so."""
        done = (stands["fed"], self._carrier.accepted - self._before)
        for task, number in zip(self._tasks, done, strict=True):
            self._progress.update(task, completed=min(number, self._people))


@contextmanager
def going(console: Console, carrier: Carrier, people: int) -> Iterator[Going]:
    """The live display while so many are texted."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Going(progress, carrier, people)


def compared_table(lines: Sequence[Line]) -> Table:
    """The truth beside the report, a line for each figure."""
    table = Table(title="What happened, and what the gateway says", title_justify="left")
    table.add_column("figure")
    for name in ("truth", "report"):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        told = "not told" if line.report is None else str(line.report)
        table.add_row(line.what, str(line.truth), told, "ok" if line.ok else "DIFFERS")
    return table


def power_line(power: Mapping[str, Any]) -> str:
    """What so many people can show, said before anybody is texted."""
    size = power["size"]
    words = f"{size['per_arm']} an arm, {power['per_arm']} needed"
    verdict = "enough" if size["enough"] else "too few to name a winner"
    return f"power      {power['base']:.0%} against {power['other']:.0%}: {words}: {verdict}"


def step_lines(report: Figures) -> list[str]:
    """The funnel of all arms, each rate with its bounds."""
    delivered = sum(int(report[f"{arm} delivered"]) for arm in ARMS)
    rates = {}
    for name in ("clicked", *STEP_NAMES):
        found = rate_of(sum(int(report[f"{arm} {name}"]) for arm in ARMS), delivered)
        rates[name] = Rate(found.numerator, found.denominator, found.value, found.low, found.high)
    return rate_lines(rates, list(rates))
