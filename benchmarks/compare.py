"""One benchmark in two versions of the code, in turns: what differs surely.

Owns the turns and the checkout of the base. Must not judge figures itself (paired.py). The machine
is shared and swings, so each round measures both, and only their ratio counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks import paired
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import say

HERE = Path(__file__).resolve().parents[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is compared with what."""
    parser.add_argument("benchmark", help="the name of a benchmark")
    parser.add_argument("--base", required=True, metavar="REVISION", help="of git; this is the new")
    parser.add_argument("--rounds", type=int, default=8, help="six or more, to say anything")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="only figures whose name contains it"
    )
    parser.add_argument(
        "--with",
        dest="more",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="ARGUMENT",
        help="what the benchmark itself is given; the last option here",
    )


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The ratio of each figure, new over base, with its interval."""
    with _checkout(arguments.base) as base:
        folders = [base, HERE]
        found: dict[Path, list[dict[str, float]]] = {folder: [] for folder in folders}
        for number in range(arguments.rounds):
            # Whichever comes first in a round may find the machine warmer or colder.
            for folder in folders if number % 2 == 0 else reversed(folders):
                found[folder].append(_once(folder, arguments.benchmark, arguments.more))
            say(f"round {number + 1} of {arguments.rounds}")
    ratios = [
        each for each in paired.ratios(found[base], found[HERE]) if arguments.only in each.figure
    ]
    if not ratios:
        raise BenchmarkFailed(f"no figure of {arguments.benchmark} is in every round")
    for each in ratios:
        say(each.line())
    return {
        "compared": arguments.benchmark,
        "base": arguments.base,
        "arguments": arguments.more,
        "differ": [each.figure for each in ratios if each.differs],
        "ratios": [msgspec.structs.asdict(each) for each in ratios],
    }


@contextlib.contextmanager
def _checkout(revision: str) -> Iterator[Path]:
    """The code of another revision in a folder of its own, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="smsgate-base-") as folder:
        archive = subprocess.run(
            ["git", "-C", str(HERE), "archive", revision], capture_output=True, check=False
        )
        if archive.returncode:
            raise BenchmarkFailed(archive.stderr.decode().strip())
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def _once(folder: Path, name: str, more: Sequence[str]) -> dict[str, float]:
    """Its processes take the code of that folder, and the libraries of this interpreter."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise BenchmarkFailed(f"{name} of {folder}: {ran.stderr.strip()[-500:]}")
    return paired.figures_of(json.loads(ran.stdout))
