"""What the arguments of commands have in common, and those of files of suppressions.

Owns the form of a command's parser. Must not run a command, nor import one: gateway/cli.py does.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


_ENTRY = re.compile(r"\s*\S+\s{2,}|\s*")


class Help(argparse.HelpFormatter):
    """Help whose lines stay lines. One that is too long goes on under the beginning of its text."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for line in text.splitlines():
            entry = _ENTRY.match(line)
            behind = " " * (0 if entry is None else entry.end())
            lines += textwrap.wrap(line, width, subsequent_indent=behind) or [""]
        return "\n".join(indent + line for line in lines)


def command(
    commands: Commands, name: str, help_text: str, *, config: bool = True
) -> argparse.ArgumentParser:
    """The parser of the command `name`, with --config unless its actions have it."""
    parser = commands.add_parser(name, help=help_text, description=help_text, formatter_class=Help)
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


def actions(parser: argparse.ArgumentParser) -> Callable[..., argparse.ArgumentParser]:
    """What adds an action to a command: its name, its help, and what argparse takes besides. Each
    has --config and --json.
    """
    found = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, help_text: str, **more: Any) -> argparse.ArgumentParser:
        added = found.add_parser(name, help=help_text, description=help_text, **more)
        config_option(added)
        added.add_argument("--json", action="store_true")
        return added

    return action


def count(text: str) -> int:
    """A number of things, 1 to 10 million."""
    number = int(text)
    if not 1 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError("expected 1 to 10000000")
    return number


def examples(parser: argparse.ArgumentParser, *lines: str) -> None:
    """Show these below the options."""
    parser.formatter_class = Help
    parser.epilog = "examples:\n" + "\n".join(f"  {line}" for line in lines)


def completion(commands: Commands) -> None:
    """`smsgate completion bash|zsh|fish`."""
    what = "Print what completes `smsgate` at a Tab."
    parser = command(commands, "completion", what, config=False)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    examples(
        parser,
        'eval "$(smsgate completion bash)"',
        "smsgate completion zsh > ~/.zfunc/_smsgate",
        "smsgate completion fish > ~/.config/fish/completions/smsgate.fish",
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
