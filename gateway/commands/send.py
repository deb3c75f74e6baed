"""`smsgate send TO TEXT`: one message through a running gateway's API.

Owns the request. Must not check the message: the gateway does.
"""

from __future__ import annotations

import argparse
import json

from gateway.commands.asking import api_key, post
from gateway.commands.setting_up import configuration


def run(arguments: argparse.Namespace) -> int:
    """Prints the message's id, or the gateway's answer with --json."""
    key = api_key(arguments.key)
    body = {
        name: value
        for name, value in (
            ("to", arguments.to),
            ("text", arguments.text),
            ("from", arguments.sender),
            ("category", arguments.category),
        )
        if value is not None
    }
    answer = post(configuration(arguments), "/v1/messages", key, body, known_by="id")
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else answer["id"])
    return 0
