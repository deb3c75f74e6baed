"""The arguments of `smsgate webhooks` and `smsgate breakers`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arguments import command, config_option, count
from gateway.commands.moments import moment_or_span

if TYPE_CHECKING:
    import argparse

    from gateway.arguments import Commands


def webhooks(commands: Commands) -> None:
    """`smsgate webhooks list|test|replay`."""
    parser = command(commands, "webhooks", "An account's webhook endpoints.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_text in (
        ("list", "List the endpoints and how they stand."),
        ("test", "Send a webhook.test; exit code 1 unless it is taken."),
        ("replay", "Tell events once more, each under the id that it had."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        config_option(action)
        action.add_argument("--key", help="API key with scope webhooks:write or, to list, :read")
        action.add_argument("--json", action="store_true")
        if name != "list":
            action.add_argument("id", help="the endpoint, whe_…")
        if name == "replay":
            _replay_options(action)


def _replay_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", type=moment_or_span, required=True, metavar="WHEN",
        help="attempted from then on: a span back from now such as 7d, a date, or RFC 3339",
    )  # fmt: skip
    parser.add_argument("--until", type=moment_or_span, metavar="WHEN", help="attempted before")
    parser.add_argument("--types", nargs="+", default=[], metavar="TYPE", help="default: all")
    parser.add_argument(
        "--states", nargs="+", default=["exhausted", "skipped"], metavar="STATE",
        choices=("delivered", "exhausted", "skipped"),
        help="how the attempts ended; default: exhausted skipped",
    )  # fmt: skip


def breakers(commands: Commands) -> None:
    """`smsgate breakers list|show|open|close`."""
    parser = command(commands, "breakers", "What is held back where too much fails.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_text in (
        ("list", "List the breakers: those that hold messages back first."),
        ("show", "Show one, and the bundle for the carrier."),
        ("open", "Hold back what it covers."),
        ("close", "Let everything go."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        config_option(action)
        action.add_argument("--key", help="API key with scope operations:read, to change :write")
        action.add_argument("--json", action="store_true")
        if name != "list":
            action.add_argument(
                "scope", choices=("connector", "operator", "batch", "campaign", "sender")
            )
            action.add_argument(
                "subject",
                help="a connector, a batch's id, connector:operator, or account:name",
            )
        if name in ("open", "close"):
            action.add_argument("--reason", required=True, help="for the audit log")
            action.add_argument(
                "--seconds", type=count, default=3_600, help="until it ends; default: 3600"
            )
