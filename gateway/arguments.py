"""What the arguments of commands have in common, and those of files of suppressions.

Owns the form of a command's parser. Must not run a command, nor import one: gateway/cli.py does.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def command(
    commands: Commands, name: str, help_text: str, *, config: bool = True
) -> argparse.ArgumentParser:
    """The parser of the command `name`, with --config unless its actions have it."""
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(command=name)
    if config:
        config_option(parser)
    return parser


def config_option(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="default: $SMSGATE_CONFIG, else ./smsgate.toml if it is there",
    )


def suppressions(commands: Commands) -> None:
    """`smsgate suppressions import|export`."""
    parser = command(commands, "suppressions", "The suppression list as a file.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    taken = "Suppress the numbers of a file; one that was cut off goes on where it was."
    taking = actions.add_parser("import", help=taken, description=taken)
    taking.add_argument("file", help="CSV with a header, or a JSON object a line")
    taking.add_argument("--dry-run", action="store_true", help="verdicts, and nothing suppressed")
    taking.add_argument("--again", action="store_true", help="a file that was imported before")
    taking.add_argument("--format", choices=("csv", "ndjson"), help="default: by the file's name")
    taking.add_argument("--category", help="of rows that name none; default: marketing")
    taking.add_argument("--reason", help="of rows that name none; default: opted_out")
    taking.add_argument(
        "--taken-back", choices=("refuse", "add"),
        help="what was taken back since; default: refuse",
    )  # fmt: skip
    taking.add_argument("--json", action="store_true")
    given = "Write the whole list, numbers masked."
    giving = actions.add_parser("export", help=given, description=given)
    giving.add_argument("file", nargs="?", default="-", help="default: stdout")
    giving.add_argument("--format", choices=("csv", "ndjson"), default="csv")
    giving.add_argument("--reveal", metavar="REASON", help="numbers in clear, and why; audited")
    giving.add_argument("--hash", metavar="PARTNER", help="hashes under this partner's key")
    for action in (taking, giving):
        config_option(action)
        action.add_argument("--key", help="API key; default: $SMSGATE_API_KEY")
