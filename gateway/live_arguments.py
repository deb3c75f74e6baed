"""The arguments of commands that look at a running gateway: live, or once.

Owns these parsers. Must not run a command, nor import one: gateway/cli.py does.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gateway.arguments import command, config_option, examples
from gateway.commands.moments import moment_or_span

if TYPE_CHECKING:
    from gateway.arguments import Commands


def looking(commands: Commands) -> None:
    """top, tail, connectors, routes, messages, batches, queue."""
    _top(commands)
    _tail(commands)
    _connectors(commands)
    _plain(
        commands, "routes", "What each route may carry, and how it delivered.", "connectors:read"
    )
    _messages(commands)
    _batches(commands)
    _plain(commands, "queue", "What waits, by connector and category.", "reports:read")


def _asking(parser: argparse.ArgumentParser, scopes: str) -> None:
    parser.add_argument("--key", help=f"API key with the scope {scopes}; default: $SMSGATE_API_KEY")
    parser.add_argument("--json", action="store_true", help="for programs")


def _plain(commands: Commands, name: str, help_text: str, scopes: str) -> None:
    parser = command(commands, name, help_text)
    _asking(parser, scopes)
    examples(parser, f"smsgate {name}", f"smsgate {name} --json")


def _top(commands: Commands) -> None:
    parser = command(
        commands, "top", "One gateway at a glance, redrawn: rates, windows, queues, deliveries."
    )
    parser.add_argument("--once", action="store_true", help="one picture, and end")
    parser.add_argument(
        "--every", type=_seconds, default=1.0, metavar="SECONDS",
        help="between two pictures, and what rates are about; default: 1",
    )  # fmt: skip
    _asking(parser, "reports:read, better connectors:read, too")
    examples(parser, "smsgate top", "smsgate top --once --every 10", "smsgate top --json")


def _tail(commands: Commands) -> None:
    parser = command(commands, "tail", "Each message whose state changes, as it changes.")
    _message_filters(parser, since="10m")
    parser.add_argument("--connector", metavar="NAME", help="of messages that went by this one")
    parser.add_argument(
        "--last", type=_few, default=10, metavar="N", help="begin with; default: 10"
    )
    parser.add_argument("--once", action="store_true", help="only what is there now")
    parser.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="default: 1")
    _asking(parser, "messages:read")
    examples(
        parser,
        "smsgate tail --status undelivered --connector carrier-a",
        "smsgate tail --to +8613812345678 --since 2h",
        "smsgate tail --once --last 100 --json",
    )


def _connectors(commands: Commands) -> None:
    parser = command(commands, "connectors", "Connections to carriers.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = "How they stand in the running gateway."
    listed = actions.add_parser("list", help=shown, description=shown)
    looked = "Look at a carrier from here: name, connection, TLS, bind, enquire_link, each timed."
    probed = actions.add_parser("probe", help=looked, description=looked)
    probed.add_argument("name", help="the connector")
    probed.add_argument("--to", metavar="NUMBER", help="send a test message, and await its receipt")
    probed.add_argument("--text", default="smsgate test", help='default: "smsgate test"')
    probed.add_argument("--from", dest="sender", metavar="SENDER")
    probed.add_argument("--category", default="transactional", help="default: transactional")
    probed.add_argument(
        "--wait",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="for the receipt; default: 60",
    )
    probed.add_argument("--yes", action="store_true", help="also where no bind is free")
    for action in (listed, probed):
        config_option(action)
    _asking(listed, "reports:read, better connectors:read, too")
    _asking(probed, "connectors:read, with --to messages:send and messages:read, too")
    examples(
        parser, "smsgate connectors list", "smsgate connectors probe carrier-a --to +8613812345678"
    )
    examples(
        probed,
        "smsgate connectors probe carrier-a",
        "smsgate connectors probe carrier-a --yes --json",
    )


def _messages(commands: Commands) -> None:
    parser = command(commands, "messages", "Messages, and what became of them.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = "One message with its timeline."
    show = actions.add_parser("show", help=shown, description=shown)
    show.add_argument("id", help="msg_…")
    newest = "The newest first."
    listed = actions.add_parser("list", help=newest, description=newest)
    _message_filters(listed, since=None)
    listed.add_argument("--limit", type=_few, default=50, metavar="N", help="default: 50")
    for action in (show, listed):
        config_option(action)
        _asking(action, "messages:read")
    examples(
        parser,
        "smsgate messages show msg_0akw0xgzm0000",
        "smsgate messages list --status failed --since 1d",
    )
    examples(
        listed,
        "smsgate messages list --to +8613812345678",
        "smsgate messages list --batch-id bat_… --json",
    )


def _message_filters(parser: argparse.ArgumentParser, *, since: str | None) -> None:
    parser.add_argument("--to", metavar="NUMBER", help="E.164, for example +8613812345678")
    parser.add_argument("--status", help="delivered, undelivered, failed, unconfirmed …")
    parser.add_argument("--batch-id", metavar="ID", help="bat_…")
    parser.add_argument("--client-ref", metavar="REF")
    parser.add_argument("--campaign-id", metavar="CAMPAIGN")
    parser.add_argument("--tag")
    parser.add_argument(
        "--since", type=moment_or_span, default=since, metavar="WHEN",
        help="made from then on: a span back from now such as 7d, a date, or RFC 3339; "
        f"default: {since or 'seven days'}",
    )  # fmt: skip


def _batches(commands: Commands) -> None:
    parser = command(
        commands, "batches", "Show a batch, stop it, or change its rate.", config=False
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_text in (
        ("show", "How it stands, and how many of its messages are where."),
        ("pause", "Send nothing more of it until it is resumed."),
        ("resume", "Go on with it."),
        ("cancel", "Take back what waits of it, for good."),
        ("rate", "Give it a rate of its own."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument("id", help="bat_…")
        if name == "rate":
            action.add_argument("rate", help="parts, as 50/s or 3000/m; none: no own")
        config_option(action)
        _asking(action, "messages:read" if name == "show" else "messages:send")
    examples(
        parser,
        "smsgate batches show bat_0akw0xv1g0000",
        "smsgate batches rate bat_0akw0xv1g0000 50/s",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3_600:
        raise argparse.ArgumentTypeError("expected 0.1 to 3600")
    return seconds


def _few(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 100_000:
        raise argparse.ArgumentTypeError("expected 0 to 100000")
    return number
