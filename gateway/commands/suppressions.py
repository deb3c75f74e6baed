"""`smsgate suppressions import FILE` and `export`: the list as a file, through a running gateway.

Owns what is printed, and the key under which a file that was cut off goes on: its digest. Must not
read a row.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.commands import CommandFailed, files
from gateway.commands.asking import api_key
from gateway.commands.setting_up import configuration
from gateway.config import Config

PATH = "/v1/suppressions"
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
ENDINGS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
OUTPUT = "-"  # stdout


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 unless all of it is done."""
    config, key = configuration(arguments), api_key(arguments.key)
    if arguments.action == "import":
        return _import(config, key, arguments)
    return _export(config, key, arguments)


def _import(config: Config, key: str, arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    form = arguments.format or ENDINGS.get(path.suffix.lower())
    if form is None:
        raise CommandFailed(f"{path}: is it csv or ndjson? say so with --format")
    asked = {
        name: value
        for name in ("category", "reason", "taken_back")
        if (value := getattr(arguments, name)) is not None
    }
    if arguments.dry_run:
        asked["dry_run"] = "true"
    query = urlencode(asked)
    try:
        name = f"file-{files.digest_of(path)}-{query.replace('=', '_').replace('&', '-')}"
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
    if arguments.again or arguments.dry_run:
        name = f"{name}-{secrets.token_hex(4)}"
    headers = {"Content-Type": MEDIA[form], "Idempotency-Key": name}
    answer, replayed = files.upload(config, f"{PATH}/import?{query}", key, path, headers)
    if arguments.json:
        print(json.dumps(answer))
    else:
        print("\n".join(_lines(answer, replayed=replayed)))
    return 0 if answer["state"] == "done" else 1


def _export(config: Config, key: str, arguments: argparse.Namespace) -> int:
    asked = {"format": arguments.format}
    headers = {}
    if arguments.reveal is not None:
        asked["reveal"] = "true"
        headers["X-Reveal-Reason"] = arguments.reveal
    if arguments.hash is not None:
        asked["hash"] = arguments.hash
    target = f"{PATH}/export?{urlencode(asked)}"
    if arguments.file == OUTPUT:
        files.download(config, target, key, sys.stdout.buffer, headers)
        return 0
    path = Path(arguments.file)
    part = path.with_name(f"{path.name}.part")  # a part must not be taken for the whole
    try:
        with part.open("wb") as into:
            octets = files.download(config, target, key, into, headers)
        part.replace(path)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    print(f"{path}: {octets} octets")
    return 0


def _lines(answer: dict[str, Any], *, replayed: bool) -> list[str]:
    would = "would be " if answer["dry_run"] else ""
    lines = [
        f"{answer['id']} {answer['state']}: {answer['rows']} rows, {answer['added']} {would}added, "
        f"{answer['existing']} there already, {answer['refused']} refused"
    ]
    lines += [f"  {count} {code}" for code, count in sorted(answer["refused_by"].items())]
    if answer["columns_ignored"]:
        lines.append(f"not stored: {', '.join(answer['columns_ignored'])}")
    if answer["refused"]:
        lines.append(f"each with its line: GET {PATH}/imports/{answer['id']}/verdicts")
    if replayed:
        lines.append("this file was imported before; --again imports it anew")
    return lines
