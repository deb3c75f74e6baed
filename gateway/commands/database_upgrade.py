"""`smsgate database upgrade`: an embedded PostgreSQL of an earlier release becomes ours.

Owns what is printed, and what is done after the upgrade. Must not know its steps
(storage/cluster_upgrade.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from gateway.commands import CommandFailed
from gateway.commands.setting_up import (
    configuration,
    database_place,
    one_line,
    progress,
)
from gateway.config import Config
from storage.cluster_upgrade import ClusterUpgrade
from storage.data_dir import existing_home
from storage.embedded import EmbeddedServer
from storage.pool import EMBEDDED
from storage.postgres_binaries import MAJOR_VERSION
from storage.postgres_clients import find_clients, run_client


def run(arguments: argparse.Namespace) -> int:
    """No gateway may run on the database."""
    config = configuration(arguments)
    if str(config.database.url) != EMBEDDED:
        raise CommandFailed(f"{database_place(config)} is not ours to upgrade")
    with one_line():
        said = _upgrade(config, arguments)
    print(json.dumps(said) if arguments.json else said["told"])
    return 0


def _upgrade(config: Config, arguments: argparse.Namespace) -> dict[str, object]:
    folder = Path(config.database.data_dir)
    if existing_home(folder) is None:
        raise CommandFailed(f"there is no database {database_place(config)}")
    upgrade = ClusterUpgrade(folder.absolute(), progress)
    before = upgrade.version
    said: dict[str, object] = {"from": before, "to": MAJOR_VERSION}
    if arguments.finish:
        gone = [str(path) for path in upgrade.finish()]
        return said | {"removed": gone, "told": f"removed {', '.join(gone) or 'nothing'}"}
    if before == MAJOR_VERSION and not upgrade.unfinished:
        return said | {"told": f"{database_place(config)} is of PostgreSQL {before} already"}
    upgrade.upgrade(link=arguments.link, check=arguments.check)
    if arguments.check:
        return said | {
            "told": f"PostgreSQL {before} can become {MAJOR_VERSION}: nothing is changed"
        }
    asyncio.run(_analyze(folder))
    kept = [str(path) for path in upgrade.kept]
    return said | {
        "kept": kept,
        "told": f"PostgreSQL {MAJOR_VERSION} it is; {', '.join(kept)} is kept until"
        " `smsgate database upgrade --finish`",
    }


async def _analyze(folder: Path) -> None:
    """The planner knows nothing of what was brought over without statistics."""
    server = EmbeddedServer(folder, on_progress=progress)
    target = await server.start()
    try:
        vacuumdb = str(find_clients(None, progress) / "vacuumdb")
        await run_client(
            [vacuumdb, "--analyze-in-stages", "--missing-stats-only"],
            target.url,
            lambda: progress("analyzing"),
        )
    finally:
        await server.stop()
