"""`smsgate config check|show`: is the configuration right, and what is it, defaults and environment
included.
"""

from __future__ import annotations

import argparse
import json

from gateway.commands.setting_up import configuration
from gateway.config import redacted


def run(arguments: argparse.Namespace) -> int:
    """`show` never prints a password."""
    config = configuration(arguments)
    if arguments.action == "check":
        summary = {
            "ok": True,
            "connectors": len(config.connectors),
            "routes": len(config.routes),
            "accounts": len(config.accounts),
        }
        words = ", ".join(f"{count} {what}" for what, count in summary.items() if what != "ok")
        print(json.dumps(summary) if arguments.json else f"the configuration is right: {words}")
        return 0
    shown = redacted(config)
    print(json.dumps(shown, ensure_ascii=False, indent=None if arguments.json else 2))
    return 0
