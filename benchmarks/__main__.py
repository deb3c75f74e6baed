"""`python -m benchmarks NAME`: run one benchmark.

Owns the list of benchmarks and how a result is shown. JSON goes to standard output and to `--json
FILE`, plots as SVG to the folder of `--plot`. What is required beside each figure, and whether it
is met, goes to standard error. Must not measure.

A benchmark is a module of this package with `add_arguments(parser)` and `run(arguments)`. That
returns its `rounds` and `verdicts`; or it raises what says why there is no figure. One that has no
`--rounds` of its own is run as often as that says.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import plot
from benchmarks.conditions import busy_share, conditions
from benchmarks.gateways import BenchmarkFailed
from benchmarks.http_load import LoadError
from benchmarks.peer_processes import PeerError
from benchmarks.result import complete, together, verdicts_of
from benchmarks.running import say
from gateway.rehearsal.processes import RehearsalError

NAMES = (
    "end_to_end",
    "accept",
    "single_post",
    "sustained",
    "receipts",
    "backlog",
    "otp",
    "latency_window",
    "stages",
    "smpp",
    "soak",
    "soak_faults",
    "webhooks",
    "webhooks_beside",
    "redirect",
    "links",
    "reports",
    "memory",
    "faults",
    "experiments",
    "contacts_import",
    "campaign",
    "simulation",
    "compare",
    "all",
)
# They run others, and have no rounds themselves.
OVER_OTHERS = frozenset({"compare", "all"})
NOT_SHOWN = frozenset({"name", "json", "plot", "run"})  # of the arguments, in a result

Run = Callable[[argparse.Namespace], dict[str, object]]


def listed() -> str:
    """A line for each: its name, and what it measures."""
    first = {name: importlib.import_module(f"benchmarks.{name}").__doc__ for name in NAMES}
    return "\n".join(f"{name:16}{(text or name).splitlines()[0]}" for name, text in first.items())


def parser() -> argparse.ArgumentParser:
    """Of the command line, every benchmark's options included."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Run one benchmark of smsgate."
    )
    benchmarks = made.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        sub = benchmarks.add_parser(name, help=(module.__doc__ or name).splitlines()[0])
        sub.add_argument("--json", metavar="FILE", help="also write the result there")
        module.add_arguments(sub)
        run: Run = module.run
        if name not in OVER_OTHERS:
            sub.add_argument("--plot", metavar="DIR", help="draw it there, as SVG")
            if sub.get_default("rounds") is None:
                sub.add_argument("--rounds", type=int, default=1, help="of the whole benchmark")
                run = partial(_repeated, module.run)
        sub.set_defaults(run=run)
    benchmarks.add_parser("list", help="name them").set_defaults(run=None)
    return made


def _repeated(run: Run, arguments: argparse.Namespace) -> dict[str, object]:
    return together([run(arguments) for _ in range(arguments.rounds)])


def main() -> int:
    """Exit code 1 when a run did not add up."""
    arguments = parser().parse_args()
    if arguments.run is None:
        print(listed())
        return 0
    measured_on = conditions()
    try:
        found = arguments.run(arguments)
    except (BenchmarkFailed, RehearsalError, PeerError, LoadError) as error:
        print(f"{arguments.name} has no figure: {error}", file=sys.stderr)
        return 1
    for verdict in verdicts_of(found):
        say(verdict.line())
    asked = {key: each for key, each in vars(arguments).items() if key not in NOT_SHOWN}
    result = {
        "benchmark": arguments.name,
        "conditions": measured_on
        | {"load_average_after": round(os.getloadavg()[0], 2), "busy_share_after": busy_share()},
        "arguments": asked,
        **complete(found),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n")
    if arguments.name not in OVER_OTHERS and arguments.plot:
        plot.write(result, Path(arguments.plot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
