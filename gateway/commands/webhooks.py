"""`smsgate webhooks list|test|replay`: an account's endpoints, through a running gateway's API.

Owns what is printed. A replay goes on until all of it waits. Must not touch the database.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.commands.asking import api_key, get, post
from gateway.commands.setting_up import configuration
from gateway.config import Config

PATH = "/v1/webhook-endpoints"
PAGE = 1000


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 when a test fails."""
    config, key = configuration(arguments), api_key(arguments.key)
    if arguments.action == "list":
        return _list(config, key, arguments)
    if arguments.action == "test":
        return _test(config, key, arguments)
    return _replay(config, key, arguments)


def _list(config: Config, key: str, arguments: argparse.Namespace) -> int:
    found: list[Mapping[str, Any]] = []
    cursor: object = ""
    while cursor is not None:
        behind = f"&cursor={cursor}" if cursor else ""
        page = get(config, f"{PATH}?limit={PAGE}{behind}", key, known_by="data")
        found += page["data"]
        cursor = page["next_cursor"]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for each in found:
        reason = f" ({each['reason']})" if each["reason"] else ""
        print(f"{each['id']}  {each['state']}{reason}  {each['url']}  {' '.join(each['events'])}")
    return 0


def _test(config: Config, key: str, arguments: argparse.Namespace) -> int:
    told = post(config, f"{PATH}/{arguments.id}/test", key, None, known_by="delivered")
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        said = told["error"] if told["status"] is None else f"status {told['status']}"
        verdict = "delivered" if told["delivered"] else "NOT delivered"
        print(f"{verdict}: {said} in {told['milliseconds']} ms")
    return 0 if told["delivered"] else 1


def _replay(config: Config, key: str, arguments: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    asked: dict[str, object] = {
        "since": _moment(arguments.since, now),
        "until": _moment(arguments.until or timedelta(), now),
        "types": arguments.types,
        "states": arguments.states,
    }
    events, seconds = 0, 0.0
    while True:
        told = post(config, f"{PATH}/{arguments.id}/replay", key, asked, known_by="events")
        events += told["events"]
        seconds = max(seconds, told["seconds"])
        if told["next_cursor"] is None:
            break
        asked["cursor"] = told["next_cursor"]
    if arguments.json:
        print(json.dumps({"events": events, "seconds": seconds}))
    else:
        print(f"{events} events are told once more, the last in about {seconds:.0f} s")
    return 0


def _moment(asked: datetime | timedelta, now: datetime) -> str:
    moment = now - asked if isinstance(asked, timedelta) else asked
    return moment.astimezone(UTC).isoformat()
