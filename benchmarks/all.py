"""Every benchmark, one after the other, and a page that sums up what they say.

Owns their order, their sizes and the page. Must not measure. Each is a process of its own. The
sizes make all of them end in less than 40 minutes on 2 cores that do nothing else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import plot, tables
from benchmarks.conditions import CHANGED, commit
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import say
from benchmarks.verdicts import Verdict

MINUTES_MAX = 40.0
FAILED_LINES = 3  # of what a benchmark has said, for the page
SUMMARY = "summary.md"
HEAD = "# Every benchmark\n\n"


class Step(NamedTuple):
    """One benchmark, its arguments, those of a quick look, and the figures the page shows."""

    name: str
    arguments: str
    quick: str
    columns: str


# A soak takes half an hour by itself and is not among them.
STEPS = (
    Step(
        "end_to_end",
        "--rounds 3",
        "--rounds 1 --messages 4000 --single 1000 --kannel 500 --jasmin 300",
        "per_second p50_ms p90_ms p99_ms p999_ms gateway_us postgresql_us wal_octets fsyncs",
    ),
    Step(
        "accept",
        "--rounds 3",
        "--rounds 1 --messages 4000 --single 1000",
        "per_second p50_ms p90_ms p99_ms p999_ms gateway_us postgresql_us wal_octets fsyncs",
    ),
    Step(
        "single_post",
        "--rounds 3",
        "--rounds 1 --messages 1000",
        "per_second p50_ms p99_ms gateway_us",
    ),
    Step(
        "sustained",
        "--gap",
        "--messages 8000 --stretch 1000",
        "per_second gateway_us postgresql_us gateway_mib",
    ),
    Step(
        "receipts",
        "--rounds 3",
        "--rounds 1 --messages 3000 --held 6",
        "per_second gateway_us postgresql_us wal_octets fsyncs",
    ),
    Step(
        "backlog",
        "--waiting 1000000",
        "--waiting 3000 --seconds 0.5",
        "filled_per_second gateway_us postgresql_us gateway_mib first_submit_seconds",
    ),
    Step(
        "otp",
        "--waiting 1000000 --seconds 1",
        "--waiting 3000 --seconds 0.5 --otps 50",
        "p50_ms p90_ms p99_ms p999_ms gateway_mib",
    ),
    Step(
        "latency_window",
        "--seconds 5",
        "--seconds 0.5",
        "per_second share_of_best_possible",
    ),
    Step("stages", "--rounds 3", "--messages 2000", "gateway_us postgresql_us wall_us"),
    Step("smpp", "--rounds 3", "--rounds 1 --messages 20000", "per_second client_us carrier_us"),
    Step("webhooks", "--messages 10000", "--messages 1500", "messages told refused seconds"),
    Step(
        "webhooks_beside",
        "--rounds 3",
        "--rounds 1 --messages 2000",
        "receipts_per_second events_per_second p99_seconds",
    ),
    Step(
        "redirect",
        "--rounds 3",
        "--rounds 1 --requests 2000 --many 10000",
        "per_second p50_ms p90_ms p99_ms p999_ms server_us",
    ),
    Step(
        "links",
        "--rounds 3",
        "--rounds 1 --messages 3000 --links 2000",
        "per_second p50_ms p99_ms gateway_us postgresql_us wal_octets fsyncs",
    ),
    Step("reports", "--messages 2000000", "--messages 20000", "cold_ms p50_ms p95_ms"),
    Step(
        "memory",
        "--messages 400000",
        "--messages 6000 --waiting 2000",
        "gateway_mib gateway_peak_mib handles threads",
    ),
    Step(
        "faults",
        "--minutes 3 --seed 1",
        "--minutes 1 --faults 2 --seed 39995",
        "carried lost doubled in_doubt stuck recover_seconds",
    ),
    Step("experiments", "--runs 5000", "--runs 50", "share"),
    Step("contacts_import", "--rows 1000000", "--rows 2000", "rows_per_second peak_mib"),
    Step(
        "campaign",
        "--fed 60000 --held 30000 --otps 200",
        "--people 4000 --fed 600 --held 400 --pauses 3 --otps 25",
        "per_second seconds p95_ms p99_ms gateway_us postgresql_us gateway_peak_mib",
    ),
    Step(
        "simulation",
        "--hours 1000",
        "--hours 4 --processes 1",
        "simulated_hours messages submits seconds",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, how large, and where to."""
    parser.add_argument("--into", metavar="DIR", default="build/benchmarks", help="of the page")
    parser.add_argument("--quick", action="store_true", help="a look at each; no figure of weight")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument(
        "--record", action="store_true", help="write results, pictures and tables of the documents"
    )


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """How long each took. BenchmarkFailed when one has no figure; the page is written before."""
    into = Path(arguments.into).resolve()
    into.mkdir(parents=True, exist_ok=True)
    if arguments.record and (commit() or CHANGED).endswith(CHANGED):
        raise BenchmarkFailed("a result names its commit: commit what was changed first")
    steps = [step for step in STEPS if not arguments.only or step.name in arguments.only]
    began = time.perf_counter()
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    for step in steps:
        say(f"== {step.name}")
        started = time.perf_counter()
        words = (step.quick if arguments.quick else step.arguments).split()
        if said := _run(step.name, words, into / f"{step.name}.json"):
            failed[step.name] = said
        seconds[step.name] = round(time.perf_counter() - started, 1)
    minutes = round((time.perf_counter() - began) / 60, 1)
    found = {
        step.name: json.loads((into / f"{step.name}.json").read_text())
        for step in steps
        if step.name not in failed
    }
    for result in found.values():
        plot.write(result, into)
    (into / SUMMARY).write_text(page(steps, found, failed, minutes), encoding="utf-8")
    say(f"{into / SUMMARY} sums them up; they took {minutes:g} minutes")
    if arguments.record:
        record(into, list(found))
    if failed:
        raise BenchmarkFailed(f"no figure of {', '.join(failed)}")
    return {
        "seconds": seconds,
        "summary": str(into / SUMMARY),
        "verdicts": [
            Verdict("all of them took", minutes, MINUTES_MAX, at_most=True, unit="minutes")
        ],
    }


def record(into: Path, names: Sequence[str], root: Path = tables.ROOT) -> None:
    """Results into the repository, and what is written from them.

    Not before all are measured: the code would no longer be that of its commit.
    """
    results = root / tables.RESULTS.relative_to(tables.ROOT)
    results.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(into / f"{name}.json", results / f"{name}.json")
    say(f"{tables.write(root)} pages and pictures are written anew")


def page(
    steps: Sequence[Step],
    found: Mapping[str, tables.Result],
    failed: Mapping[str, str],
    minutes: float,
) -> str:
    """What is asked and met of all, then each with its table and its pictures."""
    told = [line for result in found.values() for line in tables.asked(result)]
    missed = [line for line in told if "NOT met" in line]
    parts = [
        f"{HEAD}{len(found)} have figures, {len(failed)} have none. They took {minutes:g} minutes.",
        "## What is asked and not met",
        "\n".join(missed) or "Nothing.",
    ]
    for step in steps:
        parts.append(f"## {step.name}")
        if step.name in failed:
            parts.append(f"No figure: {failed[step.name]}")
            continue
        parts.append(tables.figures(step.name, [*step.columns.split(), tables.ASKED], found))
        parts += [f"![{name}]({name}.svg)" for name in plot.pictures(found[step.name])]
    return "\n\n".join(parts) + "\n"


def _run(name: str, words: Sequence[str], result: Path) -> str:
    """Nothing, or why there is no figure."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, *words, "--json", str(result)],
        cwd=tables.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    for line in ran.stderr.splitlines():
        say(line)
    return " ".join(ran.stderr.splitlines()[-FAILED_LINES:]) if ran.returncode else ""
