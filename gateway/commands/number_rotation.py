"""`smsgate keys number-rotate start|status|finish`: another number key while gateways run.

Owns what is printed, and the files of the keys. Must not seal a row: gateways do that
(storage/key_rotation.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.commands import CommandFailed
from gateway.commands.noting import note
from gateway.commands.setting_up import configuration, existing_database, existing_keys, one_line
from gateway.config import Config
from storage.key_rotation import (
    Phase,
    RotationRefused,
    finish,
    open_vault,
    standing,
    start,
    waits_for,
)
from storage.keys import (
    FILE_NAME,
    NEXT_FILE_NAME,
    NEXT_VARIABLE,
    VARIABLE,
    NumberKeys,
    load_next,
    make_next,
)
from storage.number_rewrite import Progress, progress

ACTION = "key.rotate"


def run(arguments: argparse.Namespace) -> int:
    """Whether or not a gateway runs; without one nothing goes on."""
    config = configuration(arguments)
    steps = {"start": _start, "status": _status, "finish": _finish}
    with one_line():
        try:
            said, lines = asyncio.run(steps[arguments.step](config, arguments))
        except RotationRefused as error:
            raise CommandFailed(str(error)) from error
    print(json.dumps(said) if arguments.json else "\n".join(lines))
    return 0


async def _start(
    config: Config, arguments: argparse.Namespace
) -> tuple[Mapping[str, object], Sequence[str]]:
    keys, following = existing_keys(config), _next_key(config)
    async with existing_database(config, "keys") as connection:
        _, keys = await open_vault(connection, keys, following)
        async with connection.transaction():
            await start(connection, keys, following)
            await note(connection, ACTION, {"to": "start"})
    said = {"phase": "announced", "from": keys.fingerprint, "to": following.fingerprint}
    return said, [
        f"announced: from number key {keys.fingerprint} to {following.fingerprint}",
        "every gateway needs both; `smsgate keys number-rotate status` says how far they are",
    ]


async def _status(
    config: Config, arguments: argparse.Namespace
) -> tuple[Mapping[str, object], Sequence[str]]:
    async with existing_database(config, "keys") as connection:
        found = await standing(connection)
        if found is None or found.phase is Phase.NONE:
            return {"phase": "none"}, ["no rotation runs"]
        tables = await progress(connection)
        waits = await waits_for(connection, found.phase)
    phase = found.phase.name.lower()
    said: dict[str, object] = {
        "phase": phase,
        "from": found.from_fingerprint,
        "to": found.to_fingerprint,
        "pass": found.rewrite_pass,
        "waits_for": [f"{row['host']} {row['pid']}" for row in waits],
        "tables": {
            each.name: {"moved": each.rows_moved, "left": each.rows_left, "done": each.done}
            for each in tables
        },
    }
    lines = [f"{phase}: from number key {found.from_fingerprint} to {found.to_fingerprint}"]
    lines += [f"waits for process {row['pid']} on {row['host']}" for row in waits]
    lines += [_line(each, found.rewrite_pass) for each in tables]
    return said, lines


async def _finish(
    config: Config, arguments: argparse.Namespace
) -> tuple[Mapping[str, object], Sequence[str]]:
    async with existing_database(config, "keys") as connection, connection.transaction():
        tables = await finish(connection, lose_left=arguments.lose_left)
        await note(connection, ACTION, {"to": "finish"})
    moved = sum(each.rows_moved for each in tables)
    where = _promote(config)
    left = sum(each.rows_left for each in tables)
    said = {"phase": "none", "moved": moved, "left": left}
    return said, [f"finished: {moved} rows sealed anew, {left} left", where]


def _line(each: Progress, number: int) -> str:
    state = "done" if each.done else "at work"
    left = f", {each.rows_left} left" if each.rows_left else ""
    return f"  {each.name}: {each.rows_moved} moved{left}, pass {number} {state}"


def _next_key(config: Config) -> NumberKeys:
    """The key to go to; made where the present one is a file, too. Raises CommandFailed."""
    folder = Path(config.database.data_dir)
    if NEXT_VARIABLE not in os.environ:
        if VARIABLE in os.environ:
            raise CommandFailed(f"the key is in ${VARIABLE}: put the next one in ${NEXT_VARIABLE}")
        make_next(folder)
    following = load_next(folder, os.environ)
    assert following is not None
    return following


def _promote(config: Config) -> str:
    """The next key takes the place of the first, where both are files."""
    folder = Path(config.database.data_dir)
    following = folder / NEXT_FILE_NAME
    if VARIABLE in os.environ or not following.exists():
        return f"put the key of ${NEXT_VARIABLE} in ${VARIABLE}, and destroy the old one"
    os.replace(following, folder / FILE_NAME)
    return f"{folder / FILE_NAME} is the new key; the old one is gone from this folder"
