"""`smsgate keys create|list|revoke|rotate`: the life of API keys, whether or not a gateway runs.

Owns what is printed. Must not print anything but a new key on standard output, so that a script can
take it. What is said about it goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from gateway.commands import CommandFailed, number_rotation
from gateway.commands.setting_up import configuration, existing_database, one_line
from gateway.commands.tables import table
from gateway.config import Config
from storage.names import DEFAULT_ACCOUNT, register
from storage.pool import Connection
from web.edge import keys
from web.edge.keys import KeyRefused, ListedKey
from web.edge.scopes import DEFAULT_SCOPES, ROLES

T = TypeVar("T")
_HEADINGS = ("ACCOUNT", "NAME", "STATE", "CREATED", "EXPIRES", "LAST USED", "SCOPES")


def run(arguments: argparse.Namespace) -> int:
    """Only a key's hash is stored."""
    if arguments.action == "number-rotate":
        return number_rotation.run(arguments)
    actions = {"create": _create, "list": _list, "revoke": _revoke, "rotate": _rotate}
    actions[arguments.action](configuration(arguments), arguments)
    return 0


def _create(config: Config, arguments: argparse.Namespace) -> None:
    _must_be_configured(config, arguments.account)

    async def create(connection: Connection) -> str:
        await register(connection, known_accounts(config), ())
        return await keys.create_key(
            connection,
            arguments.account,
            arguments.name,
            _scopes(arguments),
            expires=arguments.expires,
        )

    key = _in_database(config, create)
    named = {"key": key, "account": arguments.account, "name": arguments.name}
    _print_key(named if arguments.json else key, arguments)


def _scopes(arguments: argparse.Namespace) -> list[str]:
    """Of the role, and those named; neither: the usual ones."""
    given = [*ROLES.get(arguments.role, ()), *(arguments.scopes or ())]
    return given or list(DEFAULT_SCOPES)


def _list(config: Config, arguments: argparse.Namespace) -> None:
    found = _in_database(config, lambda connection: keys.list_keys(connection, arguments.account))
    if not arguments.all:
        found = [key for key in found if key.state == "active"]
    if arguments.json:
        _print_json(found)
    elif not found:
        print("no keys" if arguments.all else "no keys that work (--all shows the others)")
    else:
        print("\n".join(table([_HEADINGS, *(_row(key) for key in found)])))


def _revoke(config: Config, arguments: argparse.Namespace) -> None:
    from web.edge.auth import CACHE_SECONDS  # with the whole of aiohttp, for who needs it

    worked = _in_database(
        config, lambda connection: keys.revoke_key(connection, arguments.account, arguments.name)
    )
    if arguments.json:
        _print_json({"account": arguments.account, "name": arguments.name, "worked": worked})
    elif worked:
        print(f"revoked {arguments.name}; no gateway takes it {CACHE_SECONDS:.0f} seconds from now")
    else:
        print(f"{arguments.name} had ended before")


def _rotate(config: Config, arguments: argparse.Namespace) -> None:
    rotated = _in_database(
        config,
        lambda connection: keys.rotate_key(
            connection,
            arguments.account,
            arguments.name,
            arguments.overlap,
            expires=arguments.expires,
        ),
    )
    if arguments.json:
        named = {"account": arguments.account, "name": arguments.name}
        _print_key(named | msgspec.to_builtins(rotated), arguments)
        return
    until = _shown(rotated.replaced_until)
    print(f"smsgate: the old key is now {rotated.replaced}, until {until}", file=sys.stderr)
    _print_key(rotated.key, arguments)


def known_accounts(config: Config) -> list[str]:
    """The names of the configured accounts."""
    return [account.name for account in config.accounts]


def _must_be_configured(config: Config, account: str) -> None:
    known = {DEFAULT_ACCOUNT, *known_accounts(config)}
    if account not in known:
        names = ", ".join(sorted(known))
        raise CommandFailed(f"there is no account {account!r}; there are: {names}")


def _in_database(config: Config, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def working() -> T:
        async with existing_database(config, "keys") as connection:
            return await work(connection)

    try:
        with one_line():
            return asyncio.run(working())
    except KeyRefused as error:
        raise CommandFailed(str(error)) from error


def _shown(moment: datetime | None) -> str:
    return "-" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def _row(key: ListedKey) -> tuple[str, ...]:
    return (
        key.account,
        key.name,
        key.state,
        _shown(key.created_at),
        _shown(key.expires_at),
        _shown(key.last_used_at),
        " ".join(key.scopes),
    )


def _print_key(answer: object, arguments: argparse.Namespace) -> None:
    """Print the key, the only time that it can be read. If nobody can have seen it, say so."""
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed")
        if isinstance(answer, str):
            print(answer, flush=True)
        else:
            _print_json(answer)
            sys.stdout.flush()
    except OSError as error:
        raise CommandFailed(
            f"the key {arguments.name!r} of account {arguments.account} was made and cannot be "
            f"shown: {error}; end it with `smsgate keys revoke`, or make another with "
            "`smsgate keys rotate`"
        ) from error


def _print_json(value: object) -> None:
    print(json.dumps(msgspec.to_builtins(value)))
