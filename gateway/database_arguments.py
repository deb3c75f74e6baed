"""The arguments of `smsgate database`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gateway.arguments import actions, command

if TYPE_CHECKING:
    from gateway.arguments import Commands

KEEP_MAX = 10_000


def database(commands: Commands) -> None:
    """`smsgate database backup|restore|upgrade`."""
    parser = command(commands, "database", "Copies of the database, and its life.", config=False)
    action = actions(parser)
    _backup(action("backup", "Copy everything as of one moment, also while gateways run."))
    _restore(action("restore", "Fill an empty database from a backup."))
    _upgrade(action("upgrade", "Bring an embedded PostgreSQL of an earlier release to ours."))


def _programs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--programs", metavar="DIR", help="of pg_dump and pg_restore; default: the embedded ones"
    )


def _backup(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", metavar="DIR", help="a folder for backups; each is a folder in it")
    what.add_argument(
        "--taken-elsewhere", action="store_true", help="only note that another tool has taken one"
    )
    parser.add_argument(
        "--keep", type=_keep, metavar="N", help="afterwards delete all but the newest N in DIR"
    )
    parser.add_argument(
        "--key-to", metavar="FILE", help="copy the number key, too; keep it apart from backups"
    )
    _programs(parser)


def _restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", metavar="DIR", help="one backup, smsgate-…Z")
    parser.add_argument(
        "--into", metavar="DIR", help="a new data folder; default: the configured database"
    )
    parser.add_argument("--key", metavar="FILE", help="the number key, where it is not there yet")
    parser.add_argument(
        "--outbox", choices=("hold", "resend", "drop"), default="hold",
        help="what becomes of messages that waited; default: hold",
    )  # fmt: skip
    _programs(parser)


def _upgrade(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    for name, help_text in (
        ("check", "only see whether it can be done"),
        ("link", "in seconds: files are shared, and there is no way back"),
        ("finish", "delete the old cluster, which is kept until then"),
    ):
        what.add_argument(f"--{name}", action="store_true", help=help_text)


def _keep(text: str) -> int:
    number = int(text)
    if not 1 <= number <= KEEP_MAX:
        raise argparse.ArgumentTypeError(f"expected 1 to {KEEP_MAX}")
    return number
