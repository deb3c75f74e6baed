"""`smsgate tail`: each message whose state changes, as it changes, one line each.

Owns which changes are told, and the bound on what is remembered. Must not touch the database: it
asks for the list of messages again and again. Numbers come masked.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.commands.asking import api_key
from gateway.commands.messages import listed, query_of
from gateway.commands.setting_up import configuration
from gateway.commands.tables import plain

MESSAGES_MAX = 5_000  # of the newest that fit are looked at, each time
REMEMBERED_MAX = 20_000


class Changes:
    """Which messages are not as they were when they were last told."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, tuple[object, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._told)

    def of(self, messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that changed, in the order in which they did."""
        found = []
        for message in messages:
            state = (message["status"], message["reason"], message["error"], message["updated_at"])
            if self._told.get(message["id"]) != state:
                found.append(message)
            self._told[message["id"]] = state
            self._told.move_to_end(message["id"])
        while len(self._told) > REMEMBERED_MAX:
            self._told.popitem(last=False)
        return sorted(found, key=lambda each: (str(each["updated_at"]), str(each["id"])))


def run(arguments: argparse.Namespace) -> int:
    """Until Ctrl-C; with --once what is there now."""
    config, key = configuration(arguments), api_key(arguments.key)
    changes, first = Changes(), True
    while True:
        asked = query_of(arguments, datetime.now(UTC))
        found = list(listed(config, key, asked, MESSAGES_MAX))
        if len(found) >= MESSAGES_MAX:
            words = (
                f"smsgate: of the newest {MESSAGES_MAX} only; ask for less, or a shorter --since"
            )
            print(words, file=sys.stderr)
        changed = [
            each for each in changes.of(found) if arguments.connector in (None, each["connector"])
        ]
        begin = max(0, len(changed) - arguments.last) if first else 0
        for each in changed[begin:]:
            print(json.dumps(each, ensure_ascii=False) if arguments.json else line(each))
        sys.stdout.flush()
        first = False
        if arguments.once:
            return 0
        time.sleep(arguments.every)


def line(message: Mapping[str, Any]) -> str:
    """One change: when, what, whose, why."""
    words = (message[name] for name in ("connector", "reason", "error"))
    known = " ".join(str(word) for word in words if word)
    moment = str(message["updated_at"])[11:19]
    to = message["to"] or "-"
    told = f"{moment} {message['id']} {to} {message['category']} {message['status']} {known}"
    return plain(told.rstrip())
