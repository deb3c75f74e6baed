"""The arguments of `smsgate numbers`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gateway.arguments import command, config_option

if TYPE_CHECKING:
    from gateway.arguments import Commands


def numbers(commands: Commands) -> None:
    """`smsgate numbers show|prune|proofs`."""
    parser = command(commands, "numbers", "Numbers that are given up, and why.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = "How a number fares: its messages, what carriers said, what suppresses it."
    show = actions.add_parser("show", help=shown, description=shown)
    show.add_argument("number", help="E.164, for example +8613812345678")
    config_option(show)
    show.add_argument(
        "--key", help="API key with the scope numbers:read; default: $SMSGATE_API_KEY"
    )
    show.add_argument("--json", action="store_true")
    for name, help_text in (
        ("prune", "List the numbers that evidence speaks against, and suppress them."),
        ("proofs", "List the proofs that wait for a person, and decide about them."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        config_option(action)
        action.add_argument("--json", action="store_true")
        if name == "prune":
            action.add_argument("--dry-run", action="store_true", help="list, and change nothing")
            action.add_argument(
                "--below", type=_share, default=0.35, metavar="VALIDITY",
                help="numbers of a lower validity, 0 to 0.75; default: 0.35",
            )  # fmt: skip
        else:
            action.add_argument("--connector", metavar="NAME", help="whose proofs")
            decision = action.add_mutually_exclusive_group()
            for value, meaning in (
                ("release", "believe them: the numbers are suppressed"),
                ("discard", "disbelieve them: they count no more"),
            ):
                decision.add_argument(
                    f"--{value}", dest="decision", action="store_const", const=value, help=meaning
                )


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 0.75:
        raise argparse.ArgumentTypeError("expected 0 to 0.75")
    return share
