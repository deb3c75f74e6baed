"""`smsgate migrate`: bring the schema up to date, and say what was done.

Owns what is printed. Must not know what a migration does (storage/migrate.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json

from gateway.commands.setting_up import configuration, one_line, opened
from gateway.config import Config
from storage.migrate import migrate
from storage.restoring import refuse_unfinished


def run(arguments: argparse.Namespace) -> int:
    """Safe to run at any time, also beside running gateways."""
    with one_line():
        applied = asyncio.run(_migrate(configuration(arguments)))
    if arguments.json:
        print(json.dumps({"applied": applied}))
        return 0
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("the schema is up to date")
    return 0


async def _migrate(config: Config) -> list[str]:
    database = await opened(config, "migrate")
    try:
        connection = await database.dedicated("migrate").connection()
        await refuse_unfinished(connection)
        return await migrate(connection)
    finally:
        await database.close()
