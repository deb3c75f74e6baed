"""`python -m benchmarks NAME`: run one benchmark.

Owns the list of benchmarks. A benchmark is a module of this package with `add_arguments(parser)`
and `run(arguments)`, which returns what it measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.conditions import conditions

NAMES = ("end_to_end", "smpp")


def main() -> int:
    """Exit code 1 when a run did not add up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    benchmarks = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        sub = benchmarks.add_parser(name, help=(module.__doc__ or name).splitlines()[0])
        sub.add_argument("--json", metavar="FILE", help="also write the result there")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    arguments = parser.parse_args()
    result = {"benchmark": arguments.name, "conditions": conditions(), **arguments.run(arguments)}
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
