"""`smsgate database …`: which of its actions is meant.

Owns that alone. Must not do anything itself.
"""

from __future__ import annotations

import argparse

from gateway.commands import database_backup, database_restore, database_upgrade

ACTIONS = {
    "backup": database_backup.run,
    "restore": database_restore.run,
    "upgrade": database_upgrade.run,
}


def run(arguments: argparse.Namespace) -> int:
    """Each action says whether gateways may run meanwhile."""
    return ACTIONS[arguments.action](arguments)
