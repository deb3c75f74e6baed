"""`python -m benchmarks NAME`: run one benchmark.

Owns the list of benchmarks and how a result is shown. JSON goes to standard output and to `--json
FILE`. What is required beside each figure, and whether it is met, goes to standard error. Must not
measure.

A benchmark is a module of this package with `add_arguments(parser)` and `run(arguments)`. That
returns what it measured, with its `verdicts`; or it raises what says why there is no figure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.conditions import conditions
from benchmarks.gateways import BenchmarkFailed
from benchmarks.http_load import LoadError
from benchmarks.kannel import KannelError
from benchmarks.verdicts import Verdict
from gateway.rehearsal.processes import RehearsalError

NAMES = (
    "end_to_end",
    "sustained",
    "single_post",
    "latency_window",
    "otp",
    "stages",
    "smpp",
    "soak",
    "webhooks",
    "webhooks_beside",
    "reports",
    "compare",
    "redirect",
)


def listed() -> str:
    """A line for each: its name, and what it measures."""
    first = {name: importlib.import_module(f"benchmarks.{name}").__doc__ for name in NAMES}
    return "\n".join(f"{name:16}{(text or name).splitlines()[0]}" for name, text in first.items())


def main() -> int:
    """Exit code 1 when a run did not add up."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Run one benchmark of smsgate."
    )
    benchmarks = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        sub = benchmarks.add_parser(name, help=(module.__doc__ or name).splitlines()[0])
        sub.add_argument("--json", metavar="FILE", help="also write the result there")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    benchmarks.add_parser("list", help="name them").set_defaults(run=None)
    arguments = parser.parse_args()
    if arguments.run is None:
        print(listed())
        return 0
    measured_on = conditions()
    try:
        result = {
            "benchmark": arguments.name,
            "conditions": measured_on,
            **arguments.run(arguments),
        }
    except (BenchmarkFailed, RehearsalError, KannelError, LoadError) as error:
        print(f"{arguments.name} has no figure: {error}", file=sys.stderr)
        return 1
    verdicts: list[Verdict] = result.pop("verdicts", [])
    for verdict in verdicts:
        print(verdict.line(), file=sys.stderr)
    text = json.dumps(result | {"verdicts": [verdict.fields() for verdict in verdicts]}, indent=2)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
