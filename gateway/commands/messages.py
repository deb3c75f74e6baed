"""`smsgate messages list|show`: messages and what became of them, through a running gateway's API.

Owns what is printed. Must not touch the database. Numbers come masked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from gateway.commands.asking import api_key, get
from gateway.commands.setting_up import configuration
from gateway.commands.tables import plain, table
from gateway.config import Config

PATH = "/v1/messages"
PAGE = 1_000
FILTERS = ("to", "status", "batch_id", "client_ref", "campaign_id", "tag")
HEADINGS = ("ID", "CREATED", "TO", "CATEGORY", "STATUS", "CONNECTOR", "REASON", "ERROR")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    config, key = configuration(arguments), api_key(arguments.key)
    if arguments.action == "show":
        return _show(config, key, arguments)
    found = list(listed(config, key, query_of(arguments, datetime.now(UTC)), arguments.limit))
    if arguments.json:
        for each in found:
            print(json.dumps(each, ensure_ascii=False))
    elif found:
        print("\n".join(table([HEADINGS, *(cells(each) for each in found)])))
    else:
        print("no such messages")
    return 0


def query_of(arguments: argparse.Namespace, now: datetime) -> dict[str, str]:
    """The parameters of the list. A span counts back from `now`."""
    asked = {name: value for name in FILTERS if (value := getattr(arguments, name)) is not None}
    if arguments.since is not None:
        since = arguments.since
        moment = now - since if isinstance(since, timedelta) else since
        asked["created_after"] = moment.astimezone(UTC).isoformat()
    return asked


def listed(
    config: Config, key: str, asked: Mapping[str, str], limit: int
) -> Iterator[dict[str, Any]]:
    """Messages, the newest first, page by page until there are `limit` of them."""
    cursor: str | None = None
    while limit > 0:
        query = {**asked, "limit": str(min(limit, PAGE))}
        if cursor is not None:
            query["cursor"] = cursor
        page = get(config, f"{PATH}?{urlencode(query)}", key, known_by="data")
        yield from page["data"]
        limit -= len(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def cells(message: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    moment = str(message["created_at"])[:19]
    names = ("to", "category", "status", "connector", "reason", "error")
    return (message["id"], moment, *(str(message[name] or "-") for name in names))


def _show(config: Config, key: str, arguments: argparse.Namespace) -> int:
    message = get(config, f"{PATH}/{arguments.id}", key, known_by="id")
    events = _events(config, key, arguments.id)
    if arguments.json:
        print(json.dumps({**message, "events": events}, ensure_ascii=False))
        return 0
    for name, value in message.items():
        if value not in (None, [], {}, False):
            print(f"{name:<16}{plain(value) if isinstance(value, str) else json.dumps(value)}")
    for event in events:
        detail = " ".join(f"{name}={value}" for name, value in event["detail"].items())
        print(f"  {event['at']}  {event['kind']}  {plain(detail)}".rstrip())
    return 0


def _events(config: Config, key: str, message_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": str(PAGE)} | ({} if cursor is None else {"cursor": cursor})
        path = f"{PATH}/{message_id}/events?{urlencode(query)}"
        page = get(config, path, key, known_by="data")
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
