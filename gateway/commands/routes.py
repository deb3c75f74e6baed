"""`smsgate routes`: what each route may carry and how it delivered, through a gateway's API.

Owns what is printed. Must not touch the database, nor choose a route.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from gateway.commands.asking import api_key, get
from gateway.commands.setting_up import configuration
from gateway.commands.tables import rate_line, table

COUNTRIES_SHOWN = 8


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    key = api_key(arguments.key)
    told = get(configuration(arguments), "/v1/routes", key, known_by="data")
    if arguments.json:
        print(json.dumps(told["data"], ensure_ascii=False))
        return 0
    for each in told["data"]:
        rate = f", rate {each['rate']}" if each["rate"] else ""
        print(f"routes[{each['route']}]  {_match(each['match'])}  {_parts(each['capacity'])}{rate}")
        for line in table([_cells(leg) for leg in each["connectors"]]):
            print(f"  {line}")
    print(f"delivery of what was accepted since {told['since'][:16]}Z, with bounds of 95 %")
    return 0


def _match(match: Mapping[str, list[str]]) -> str:
    words = [f"{name} {' '.join(values)}" for name, values in match.items() if values]
    return ", ".join(words) or "everything else"


def _parts(capacity: float | None) -> str:
    return "without limit" if capacity is None else f"{capacity:g} parts/s"


def _cells(leg: Mapping[str, Any]) -> tuple[str, ...]:
    share = "" if leg["weight"] is None else f"weight {leg['weight']}"
    countries = leg["countries"]
    more = (
        f" and {len(countries) - COUNTRIES_SHOWN} more" if len(countries) > COUNTRIES_SHOWN else ""
    )
    shown = " ".join(countries[:COUNTRIES_SHOWN]) + more
    state = "up" if leg["up"] else "DOWN"
    delivery = f"delivered {rate_line(leg['delivery'])}"
    return (leg["name"], state, share, _parts(leg["capacity"]), delivery, shown)
