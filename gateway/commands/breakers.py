"""`smsgate breakers list|show|open|close`: through a running gateway's API.

Owns what is printed. Must not touch the database.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.commands.asking import api_key, get, post
from gateway.commands.setting_up import configuration
from gateway.config import Config

PATH = "/v1/breakers"


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; CommandFailed in the gateway's own words otherwise."""
    config, key = configuration(arguments), api_key(arguments.key)
    if arguments.action == "list":
        return _list(config, key, arguments)
    path = f"{PATH}/{arguments.scope}/{quote(arguments.subject, safe='')}"
    if arguments.action == "show":
        return _show(config, key, path, arguments)
    asked: dict[str, object] = {"reason": arguments.reason, "seconds": arguments.seconds}
    changed = post(config, f"{path}/{arguments.action}", key, asked, known_by="state")
    print(json.dumps(changed, ensure_ascii=False) if arguments.json else _line(changed))
    return 0


def _list(config: Config, key: str, arguments: argparse.Namespace) -> int:
    found = get(config, PATH, key, known_by="data")["data"]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for each in found:
        print(_line(each))
    return 0


def _show(config: Config, key: str, path: str, arguments: argparse.Namespace) -> int:
    shown = get(config, path, key, known_by="state")
    bundle = None
    if shown["evidence"] is not None:
        bundle = get(config, f"{path}/evidence", key, known_by="samples")
    if arguments.json:
        print(json.dumps({**shown, "bundle": bundle}, ensure_ascii=False))
        return 0
    print(_line(shown))
    if bundle is None:
        return 0
    print(f"sha256 {shown['evidence']['sha256']}")
    for name in ("then", "now"):
        stretch = bundle[name]
        counts = " ".join(f"{status} {count}" for status, count in stretch["statuses"].items())
        print(f"{name}: {stretch['parts']} parts from {stretch['since']}  {counts}".rstrip())
        for code in stretch["codes"]:
            print(f"  {code['parts']} x {code['code'] or '(no code)'}  {code['reason']}")
    for sample in bundle["samples"]:
        code, number = sample["code"] or "(no code)", sample["number"]
        print(f"{sample['submitted_at']}  {sample['message']}  {number}  {code}")
    return 0


def _line(breaker: Mapping[str, Any]) -> str:
    until = f" until {breaker['until']}" if breaker["until"] else ""
    held = f", {breaker['held']} wait" if breaker["held"] else ""
    name = f"{breaker['scope']} {breaker['subject']}"
    return f"{name}  {breaker['state']}{until}{held}  {breaker['actor']}: {breaker['reason']}"
