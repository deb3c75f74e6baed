"""`smsgate config check|show|reload`: is the configuration right, what is it, and follow it now.

Owns what is printed. Must not print a password.
"""

from __future__ import annotations

import argparse
import json

import msgspec

from gateway.commands.asking import api_key, post
from gateway.commands.setting_up import configuration
from gateway.config import Config, redacted


def run(arguments: argparse.Namespace) -> int:
    """`show` never prints a password."""
    config = configuration(arguments)
    if arguments.action == "reload":
        _reload(config, arguments)
        return 0
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


def _reload(config: Config, arguments: argparse.Namespace) -> None:
    body: dict[str, object] = {"allow_removals": arguments.allow_removals}
    answer = post(
        config, "/v1/admin/reload", api_key(arguments.key), body, known_by="restart_needed"
    )
    if arguments.json:
        print(json.dumps(answer))
        return
    done = msgspec.convert(answer, dict[str, list[str]])
    words = [f"{what}: {', '.join(names)}" for what, names in done.items() if names]
    print("; ".join(words) or "nothing has changed")
