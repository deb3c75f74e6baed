"""`smsgate queue`: what waits, through a running gateway's API.

Owns what is printed. Must not touch the database.
"""

from __future__ import annotations

import argparse
import json

from gateway.commands.asking import api_key, get
from gateway.commands.setting_up import configuration
from gateway.commands.tables import table

HEADINGS = ("CONNECTOR", "CATEGORY", "MESSAGES", "PARTS", "IN MEMORY", "OLDEST")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    key = api_key(arguments.key)
    told = get(configuration(arguments), "/v1/queue", key, known_by="held")
    if arguments.json:
        print(json.dumps({"data": told["data"], "held": told["held"]}))
        return 0
    rows = [
        (
            each["connector"] or "-", each["category"], str(each["messages"]), str(each["parts"]),
            str(each["in_memory"]), age(each["oldest_seconds"]),
        )
        for each in told["data"]
    ]  # fmt: skip
    print("\n".join(table([HEADINGS, *rows])) if rows else "nothing waits")
    for rule, count in told["held"].items():
        print(f"held by {rule}: {count}")
    return 0


def age(seconds: float | None) -> str:
    """How long something waits, in the unit that suits it."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
