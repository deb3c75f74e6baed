"""The arguments of `smsgate clicks`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arguments import command
from gateway.commands.moments import moment_or_span

if TYPE_CHECKING:
    from gateway.arguments import Commands


def clicks(commands: Commands) -> None:
    """`smsgate clicks reclassify`."""
    parser = command(commands, "clicks", "Judge anew who opened short links.")
    parser.add_argument("action", choices=("reclassify",))
    parser.add_argument(
        "--since", type=moment_or_span, default="90d", metavar="WHEN",
        help="from this day on: a span back from now such as 7d, or a date; default: 90d",
    )  # fmt: skip
    parser.add_argument("--until", type=moment_or_span, metavar="WHEN", help="before this day")
    parser.add_argument(
        "--again", action="store_true", help="also days that these rules have looked at"
    )
    parser.add_argument(
        "--tell", action="store_true", help="tell webhooks of each click with another class"
    )
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--json", action="store_true")
