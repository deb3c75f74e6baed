"""`smsgate top`: one gateway at a glance, redrawn every second.

Owns what is shown, and the form of it. Must not touch the database: it reads /metrics and
/v1/connectors of a running gateway, as Prometheus and operators do.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.commands import CommandFailed
from gateway.commands.asking import api_key, get, text
from gateway.commands.queue import age
from gateway.commands.scrape import Labels, Scrape, per_second
from gateway.commands.setting_up import configuration
from gateway.commands.tables import plain
from gateway.config import Config

OK = "ESME_ROK"


class QueueLine(msgspec.Struct):
    """What is ready to go by one connector, of one category."""

    category: str
    parts: int
    oldest_seconds: float


class ConnectorLine(msgspec.Struct, kw_only=True):
    """A connector. Rates are parts a second. `delivered` is of the messages accepted from 25 hours
    to one ago, with its bounds; None: there were none.
    """

    name: str
    up: bool
    reason: str | None
    binds_up: int
    binds: int
    in_flight: int
    window: int  # of all its binds
    pace: float | None
    submitted: float
    refused: float
    throttled: float
    queues: list[QueueLine]
    sent: int
    delivered: float | None
    delivered_low: float | None
    delivered_high: float | None


class View(msgspec.Struct, kw_only=True):
    """One moment of one gateway. Rates are a second's; `in_doubt` counts since its start."""

    version: str
    node: str
    accepted: float
    submitted: float
    receipts: float
    api_errors: float
    otp_oldest_seconds: float
    in_doubt: int
    waiting_for_commit: int
    webhooks_waiting: int
    loop_lag_seconds: float
    connectors: list[ConnectorLine]


def run(arguments: argparse.Namespace) -> int:
    """Until Ctrl-C; with --once one picture, of the second that was waited."""
    config, key = configuration(arguments), api_key(arguments.key)
    before = _scrape(config, key)
    time.sleep(arguments.every)
    if arguments.once or arguments.json:
        return _print_once(config, key, arguments, before)
    console = Console()
    if not console.is_terminal:
        raise CommandFailed("this is no terminal: --once prints one picture, --json its figures")
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            now = _scrape(config, key)
            lines = lines_of(view_of(before, now, _connectors(config, key)))
            live.update(Text("\n".join(lines)), refresh=True)
            before = now
            time.sleep(arguments.every)


def _print_once(config: Config, key: str, arguments: argparse.Namespace, before: Scrape) -> int:
    view = view_of(before, _scrape(config, key), _connectors(config, key))
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(view)))
    else:
        print("\n".join(lines_of(view)))
    return 0


def _scrape(config: Config, key: str) -> Scrape:
    try:
        return Scrape(text(config, "/metrics", key), time.monotonic())
    except ValueError as error:
        raise CommandFailed(
            f"what answers at {config.http.listen} is no gateway: {error}"
        ) from error


def _connectors(config: Config, key: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = get(config, "/v1/connectors", key, known_by="data")["data"]
    return found


def view_of(before: Scrape, now: Scrape, connectors: list[Mapping[str, Any]]) -> View:
    """What two readings say, and the answer of /v1/connectors; those that are down first. Pure."""
    about = now.labels("sms_build_info", "version"), now.labels("sms_build_info", "node")
    version, node = (each[0] if each else "?" for each in about)
    ordered = sorted(connectors, key=lambda each: bool(each["up"]))
    return View(
        version=version,
        node=node,
        accepted=per_second(before, now, "sms_messages_accepted_total"),
        submitted=per_second(before, now, "sms_submits_total"),
        receipts=per_second(before, now, "sms_receipts_total"),
        api_errors=per_second(before, now, "sms_http_requests_total", _server_error),
        otp_oldest_seconds=now.most("sms_queue_oldest_seconds", _otp),
        in_doubt=int(now.total("sms_messages_in_doubt_total")),
        waiting_for_commit=int(now.total("sms_accept_waiting") + now.total("sms_receipts_waiting")),
        webhooks_waiting=int(now.total("sms_webhook_pending")),
        loop_lag_seconds=now.total("sms_loop_lag_seconds"),
        connectors=[_line(before, now, each) for each in ordered],
    )


def _line(before: Scrape, now: Scrape, told: Mapping[str, Any]) -> ConnectorLine:
    name: str = told["name"]

    def mine(labels: Labels) -> bool:
        return labels.get("connector") == name

    def refused(labels: Labels) -> bool:
        return mine(labels) and labels["status"] != OK

    binds = told.get("binds", int(now.of("sms_binds_up", connector=name) or 0))
    sent = now.of("sms_cohort_sent", connector=name) or 0
    return ConnectorLine(
        name=name,
        up=told["up"],
        reason=told.get("reason") or (", ".join(told.get("withheld", ())) or None),
        binds_up=int(now.of("sms_binds_up", connector=name) or 0),
        binds=binds,
        in_flight=int(now.of("sms_window_in_flight", connector=name) or 0),
        window=told.get("window", 0) * binds,
        pace=now.of("sms_pace_parts_per_second", connector=name),
        submitted=per_second(before, now, "sms_submits_total", mine),
        refused=per_second(before, now, "sms_submit_responses_total", refused),
        throttled=per_second(before, now, "sms_throttled_total", mine),
        queues=_queues(now, name),
        sent=int(sent),
        delivered=now.of("sms_cohort_delivery_rate", connector=name),
        delivered_low=now.of("sms_cohort_delivery_rate_low", connector=name),
        delivered_high=now.of("sms_cohort_delivery_rate_high", connector=name),
    )


def _queues(now: Scrape, name: str) -> list[QueueLine]:
    found = []
    for category in now.labels("sms_queue_depth", "category"):
        parts = now.of("sms_queue_depth", connector=name, category=category) or 0
        oldest = now.of("sms_queue_oldest_seconds", connector=name, category=category) or 0.0
        if parts or oldest:
            found.append(QueueLine(category, int(parts), oldest))
    return found


def _otp(labels: Labels) -> bool:
    return labels["category"] == "otp"


def _server_error(labels: Labels) -> bool:
    return labels["status"].startswith("5")


def lines_of(view: View) -> list[str]:
    """The picture, in at most 80 columns but for long names and reasons."""
    lines = [
        f"smsgate {view.version}, node {view.node}   accepted {_rate(view.accepted)}   "
        f"submitted {_rate(view.submitted)}   receipts {_rate(view.receipts)}",
        f"otp oldest {age(view.otp_oldest_seconds)}   in doubt {view.in_doubt}   "
        f"API errors {_rate(view.api_errors)}   loop lag {1000 * view.loop_lag_seconds:.0f} ms",
        f"wait for a commit: {view.waiting_for_commit}   webhooks to tell: {view.webhooks_waiting}",
    ]
    for each in view.connectors:
        lines += ["", *_connector_lines(each)]
    return lines


def _connector_lines(line: ConnectorLine) -> list[str]:
    state = "up" if line.up else "DOWN"
    pace = "no limit" if line.pace is None else f"{line.pace:g}/s"
    window = (
        f"window {line.in_flight}/{line.window}" if line.window else f"{line.in_flight} in flight"
    )
    queues = ", ".join(
        f"{each.category} {each.parts} (oldest {age(each.oldest_seconds)})" for each in line.queues
    )
    shown = [
        f"{line.name}  {state} {line.binds_up}/{line.binds}   {window}   pace {pace}",
        f"  submitted {_rate(line.submitted)}   refused {_rate(line.refused)}   "
        f"throttled {_rate(line.throttled)}",
        f"  ready: {queues or 'nothing'}",
    ]
    if line.reason:
        shown.insert(1, f"  {plain(line.reason)}")
    if line.delivered is not None:
        low, high = line.delivered_low or 0.0, line.delivered_high or 0.0
        shown.append(f"  delivered {line.delivered:.1%} ({low:.1%} to {high:.1%} of {line.sent})")
    return shown


def _rate(per_second: float) -> str:
    return f"{per_second:.0f}/s" if per_second >= 10 or per_second == 0 else f"{per_second:.1f}/s"
