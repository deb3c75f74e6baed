"""The arguments of `smsgate load`.

Owns their form and help texts. Must not run the command (gateway/commands/load.py).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gateway.arguments import command, count

if TYPE_CHECKING:
    from gateway.arguments import Commands


def load(commands: Commands) -> None:
    """`smsgate load URL`."""
    parser = command(
        commands,
        "load",
        "Send messages to a gateway at a rate of their own, and report what came of them.",
        config=False,
    )
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("url", metavar="URL", help="such as http://127.0.0.1:8080")
    parser.add_argument("--rate", default="100/s", help="messages: 500/s, 30000/min")
    parser.add_argument("--for", dest="span", default="10s", metavar="SPAN", help="60s, 5min, 2h")
    parser.add_argument("--profile", metavar="FILE", help="mix, batches and thresholds, in TOML")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="hear last statuses there, by webhook"
    )
    parser.add_argument("--wait", default="30s", metavar="SPAN", help="for last statuses")
    parser.add_argument("--connections", type=count, default=100, metavar="N")
    parser.add_argument("--key", help="API key; default: $SMSGATE_API_KEY")
    parser.add_argument("--json", action="store_true")
