"""`smsgate numbers show NUMBER`: how a number fares, through a running gateway's API.

Owns what is printed. Must not touch the database. The number is printed masked.
"""

from __future__ import annotations

import argparse
import json
from typing import Any
from urllib.parse import quote

from gateway.commands.asking import api_key, get
from gateway.commands.setting_up import configuration
from gateway.commands.tables import table

HEADINGS = ("DAY", "KIND", "STATE", "REASON", "CODE", "CONNECTOR")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    key = api_key(arguments.key)
    path = f"/v1/numbers/{quote(arguments.number, safe='')}"
    told = get(configuration(arguments), path, key, known_by="number")
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        print("\n".join(lines_of(told)))
    return 0


def lines_of(told: dict[str, Any]) -> list[str]:
    """The answer for people."""
    if told["fault"] is not None:
        return [f"{told['number']}: {told['fault']}"]
    origin = " ".join(filter(None, (told["country"], told["type"])))
    recycled = ", a new owner has it" if told["recycled"] else ""
    more = "" if told["complete"] else " at least"
    lines = [
        f"{told['number']} ({origin})  validity {told['validity']}{recycled}",
        f"{told['messages']}{more} messages in 90 days: {told['delivered']} delivered, "
        f"{told['failed']} failed; delivered on {told['delivered_days']} days of 400",
    ]
    for each in told["suppressions"]:
        until = each["expires_at"] or "for good"
        lines.append(f"suppressed: {each['category']} {each['reason']} ({each['source']}) {until}")
    rows = [
        (
            str(each["day"]), each["kind"], each["state"], each["reason"] or "-",
            each["carrier_code"] or "-", each["connector"] or "-",
        )
        for each in told["evidence"]
    ]  # fmt: skip
    return [*lines, *(table([HEADINGS, *rows]) if rows else ())]
