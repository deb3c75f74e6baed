"""The arguments of `smsgate keys`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

import argparse
from textwrap import fill
from typing import TYPE_CHECKING

from gateway.arguments import Help, actions, command
from gateway.commands.moments import moment_or_span, span
from web.edge.scopes import DEFAULT_SCOPES, ROLES, SCOPES

if TYPE_CHECKING:
    from gateway.arguments import Commands


def keys(commands: Commands) -> None:
    """`smsgate keys create|list|revoke|rotate|number-rotate`."""
    scopes = _scopes_and_roles()
    parser = command(commands, "keys", "Manage API keys.", config=False)
    parser.epilog = scopes
    action = actions(parser)
    create = action(
        "create",
        "Make a key and print it, the only time that it can be read.",
        formatter_class=Help,
        epilog=scopes,
    )
    create.add_argument("name", help="what the key is for; unique in its account")
    create.add_argument(
        "--role", choices=ROLES, metavar="ROLE", help="scopes that go together; see below"
    )
    create.add_argument(
        "--scopes", nargs="+", metavar="SCOPE",
        help=f"see below; beside those of a role; default without one: {' '.join(DEFAULT_SCOPES)}",
    )  # fmt: skip
    listed = action("list", "List the keys that work, and when each was last used.")
    listed.add_argument("--account", help="those of this account; default: of every one")
    listed.add_argument("--all", action="store_true", help="also what has expired or is revoked")
    revoke = action("revoke", "End a key for good; it stops working within seconds.")
    revoke.add_argument("name", help="as `keys list` shows it")
    rotate = action("rotate", "Make a key in place of another, which goes on for a while.")
    rotate.add_argument("name", help="the new key has this name; the old one NAME#id")
    rotate.add_argument(
        "--overlap", type=span, default="24h", metavar="SPAN",
        help="how long the old key goes on, such as 30m or 7d; 0: not at all; default: 24h",
    )  # fmt: skip
    for made, otherwise in ((create, "never"), (rotate, "it lasts as long as the old one")):
        made.add_argument(
            "--expires", type=moment_or_span, metavar="WHEN",
            help=f"a span such as 90d, a date, or a moment of RFC 3339; default: {otherwise}",
        )  # fmt: skip
    _number_rotate(
        action("number-rotate", "Change the number key while gateways run; docs/keys.md says how.")
    )
    for named in (create, revoke, rotate):
        named.add_argument("--account", default="default")


def _number_rotate(number: argparse.ArgumentParser) -> None:
    number.add_argument("step", choices=("start", "status", "finish"))
    number.add_argument(
        "--lose-left", action="store_true",
        help="rows whose number nothing tells are never found again",
    )  # fmt: skip


def _scopes_and_roles() -> str:
    width = max(map(len, SCOPES))
    scopes = (f"  {name:<{width}}  {SCOPES[name]}" for name in SCOPES)
    roles = (
        fill(" ".join(ROLES[name]), 79, initial_indent=f"  {name:<12}", subsequent_indent=" " * 14)
        for name in ROLES
    )
    return "\n".join(["scopes:", *scopes, "", "roles:", *roles])
