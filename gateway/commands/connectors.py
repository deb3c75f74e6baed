"""`smsgate connectors list|probe`: how connectors stand, and one look at a carrier from here.

Owns what is printed, and the question before a further session. Must not know the protocol
(smpp/probing.py). A test message goes through the running gateway, as any other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.commands import CommandFailed
from gateway.commands.asking import KEY_VARIABLE, api_key, get, post
from gateway.commands.setting_up import configuration, one_line
from gateway.commands.tables import plain, table
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings
from gateway.wiring.connectors import bind_settings
from smpp.probing import ProbeStep, probe

HEADINGS = ("NAME", "STATE", "BINDS", "WINDOW", "QUEUED", "PACE", "")
POLL_SECONDS = 0.5


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if a step of a probe fails, or the test message is not delivered in time."""
    config = configuration(arguments)
    if arguments.action == "probe":
        return _probe(config, arguments)
    found = get(config, "/v1/connectors", api_key(arguments.key), known_by="data")["data"]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("\n".join(table([HEADINGS, *(_row(each) for each in found)])))
    return 0


def _row(view: Mapping[str, Any]) -> tuple[str, ...]:
    state = "up" if view["up"] else "DOWN"
    if "binds" not in view:
        return (view["name"], state, "-", "-", "-", "-", "more with the scope connectors:read")
    why = view["reason"] if not view["up"] else ", ".join(view["withheld"])
    return (
        view["name"],
        state,
        f"{view['binds_up']}/{view['binds']}",
        f"{view['in_flight']}/{view['window'] * view['binds']}",
        str(view["queued"]),
        view["rate"] or "no limit",
        "; ".join(filter(None, (why, *view["hints"]))),
    )


def _probe(config: Config, arguments: argparse.Namespace) -> int:
    settings = next((each for each in config.connectors if each.name == arguments.name), None)
    if settings is None:
        names = ", ".join(each.name for each in config.connectors)
        raise CommandFailed(f"there is no connector {arguments.name!r}; there are: {names}")
    if not arguments.yes:
        _ask_where_full(config, arguments, settings)
    with one_line():
        steps = asyncio.run(_steps(settings, quiet=arguments.json))
    ok = all(step.ok for step in steps)
    sent: dict[str, Any] | None = None
    if arguments.to is not None and ok:
        sent = _test_message(config, arguments)
        ok = sent["status"] == "delivered"
    if arguments.json:
        told = {"connector": settings.name, "ok": ok, "steps": steps, "message": sent}
        print(json.dumps(msgspec.to_builtins(told)))
    return 0 if ok else 1


async def _steps(settings: ConnectorSettings, *, quiet: bool) -> list[ProbeStep]:
    steps = []
    async for step in probe(bind_settings(settings)):
        steps.append(step)
        if not quiet:
            verdict = "ok " if step.ok else "BAD"
            took = f"{step.milliseconds:>7.1f} ms"
            print(f"{verdict} {step.name:<12} {took}  {plain(step.said)}", flush=True)
    return steps


def _ask_where_full(
    config: Config, arguments: argparse.Namespace, settings: ConnectorSettings
) -> None:
    """A carrier that allows no more sessions may refuse this one, or end one of the gateway's."""
    up = _binds_up(config, arguments)
    if up is not None and up < settings.binds:
        return
    known = "whether binds are free is not known" if up is None else f"all {up} binds are up"
    question = f"{known}: the carrier may refuse one more, or end one of them"
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question}; --yes goes on all the same")
    print(f"smsgate: {question}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandFailed("nothing was done")


def _binds_up(config: Config, arguments: argparse.Namespace) -> int | None:
    """Of the running gateway; None where nobody tells."""
    key = arguments.key or os.environ.get(KEY_VARIABLE)
    if key is None:
        return None
    try:
        found = get(config, "/v1/connectors", key, known_by="data")["data"]
    except CommandFailed:
        return None
    for each in found:
        if each["name"] == arguments.name and "binds_up" in each:
            return int(each["binds_up"])
    return None


def _test_message(config: Config, arguments: argparse.Namespace) -> dict[str, Any]:
    """One message by this connector, and what became of it. Raises CommandFailed."""
    key = api_key(arguments.key)
    body: dict[str, object] = {
        "to": arguments.to, "text": arguments.text, "category": arguments.category,
    }  # fmt: skip
    if arguments.sender is not None:
        body["from"] = arguments.sender
    (item,) = post(config, "/v1/messages/preview", key, body, known_by="items")["items"]
    if "message" not in item:
        raise CommandFailed(f"this message would be refused: {plain(item['error']['detail'])}")
    route = item["message"]["route"]
    if route["connector"] != arguments.name:
        raise CommandFailed(
            f"this message would go by {route['connector']} ({route['reason']}); nothing was sent"
        )
    sent = post(config, "/v1/messages", key, body, known_by="id")
    began = time.monotonic()
    while True:
        message = get(config, f"/v1/messages/{sent['id']}", key, known_by="id")
        waited = time.monotonic() - began
        if message["final"] or waited > arguments.wait:
            break
        time.sleep(POLL_SECONDS)
    if not arguments.json:
        verdict = "ok " if message["status"] == "delivered" else "BAD"
        why = " ".join(filter(None, (message["reason"], message["error"], message["detail"])))
        line = (
            f"{verdict} message      {1000 * waited:>7.0f} ms  {message['id']} {message['status']}"
        )
        print(plain(f"{line} {why}".rstrip()))
    return message
