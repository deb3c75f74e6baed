"""`smsgate batches show|pause|resume|cancel|rate`: a batch, through a running gateway's API.

Owns what is printed. Must not touch the database.
"""

from __future__ import annotations

import argparse
import json

from gateway.commands.asking import api_key, get, patch, post
from gateway.commands.setting_up import configuration

PATH = "/v1/batches"


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    config, key = configuration(arguments), api_key(arguments.key)
    path = f"{PATH}/{arguments.id}"
    if arguments.action == "show":
        told = get(config, path, key, known_by="id")
    elif arguments.action == "rate":
        rate = None if arguments.rate == "none" else arguments.rate
        told = patch(config, path, key, {"rate": rate}, known_by="id")
    else:
        told = post(config, f"{path}/{arguments.action}", key, None, known_by="id")
    if arguments.json:
        print(json.dumps(told))
        return 0
    rate = told["rate"] or "none of its own"
    print(
        f"{told['id']}  {told['state']}, rate {rate}, {told['in_flight']} can no longer be stopped"
    )
    if told.get("expected_finish_at"):
        print(f"  expected to be submitted by {told['expected_finish_at'][:19]}Z")
    for name, count in told.get("counts", {}).items():
        if count:
            print(f"  {name:<12}{count}")
    return 0
