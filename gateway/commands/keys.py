"""`smsgate keys create NAME`: make an API key and print it, once."""

from __future__ import annotations

import argparse
import asyncio
import json

from gateway.commands import CommandFailed
from gateway.commands.setting_up import configuration, migrated_database, one_line
from gateway.config import Config
from gateway.keys import KeyRefused, create_key
from gateway.registry import DEFAULT_ACCOUNT, register


def run(arguments: argparse.Namespace) -> int:
    """Works whether or not the gateway is running; only the key's hash is stored."""
    config = configuration(arguments)
    known = {DEFAULT_ACCOUNT, *(account.name for account in config.accounts)}
    if arguments.account not in known:
        names = ", ".join(sorted(known))
        raise CommandFailed(f"there is no account {arguments.account!r}; there are: {names}")
    try:
        with one_line():
            key = asyncio.run(_create(config, arguments))
    except KeyRefused as error:
        raise CommandFailed(str(error)) from error
    if arguments.json:
        print(json.dumps({"key": key, "account": arguments.account, "name": arguments.name}))
    else:
        print(key)
    return 0


async def _create(config: Config, arguments: argparse.Namespace) -> str:
    async with migrated_database(config, "keys") as connection:
        await register(connection, known_accounts(config), ())
        return await create_key(connection, arguments.account, arguments.name, arguments.scopes)


def known_accounts(config: Config) -> list[str]:
    """The names of the configured accounts."""
    return [account.name for account in config.accounts]
