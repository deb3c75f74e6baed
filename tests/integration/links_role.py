"""A process of the role `links`, and short links stored for it without a gateway that sends."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.processes import Child, started
from shortlinks.code import CodePermutation, link_value
from shortlinks.ranges import LinkSequence, insert_range, plan_range
from shortlinks.service import CODE_KEY_BYTES
from storage.key_rotation import open_vault
from storage.keys import load_keys
from storage.migrate import migrate
from storage.pool import Connection
from tests.fork_server import NO_CHANGES, forked

CONFIG = """\
[database]
url = "{database}"
data_dir = "{folder}/data"
[links]
listen = "{host}:0"
status_listen = "127.0.0.1:0"
click_id_hosts = ["shop.example"]
trusted_proxies = ["127.0.0.0/8"]
brand = "SHOP"
"""
TARGET = "https://shop.example/a"


class LinksRole:
    """A running process, and a client."""

    def __init__(self, child: Child, session: aiohttp.ClientSession) -> None:
        self.child = child
        self.session = session
        words = child.ready.split()  # links http://… status http://…
        self.url, self.status_url = words[1], words[3]

    async def follow(self, code: str, **headers: str) -> tuple[int, str]:
        """The status and the location of one request."""
        async with self.session.get(
            f"{self.url}/{code}", allow_redirects=False, headers=headers
        ) as answer:
            return answer.status, answer.headers.get("Location", "")

    async def metric(self, name: str) -> float:
        """A sample, 0.0 if it is not there."""
        async with self.session.get(f"{self.status_url}/metrics") as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", await answer.text(), re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    async def until(self, name: str, least: float) -> None:
        """Wait until a sample has come so far."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.metric(name) < least:
                await asyncio.sleep(POLL_SECONDS)


def write_config(folder: Path, database: str, *, host: str = "127.0.0.1") -> Path:
    path = folder / "links.toml"
    path.write_text(CONFIG.format(database=database, folder=folder, host=host))
    return path


@contextlib.asynccontextmanager
async def links_role(
    config: Path, constants: Mapping[str, float] = NO_CHANGES
) -> AsyncIterator[LinksRole]:
    child = await started(
        "links",
        ["serve", "--config", str(config), "--role", "links"],
        config.with_suffix(".log"),
        ready="smsgate ready:",
        start=partial(forked, constants=constants),
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield LinksRole(child, session)
    finally:
        await child.stop()


async def store_links(
    connection: Connection, folder: Path, targets: Sequence[str], *, first_message: int = 1
) -> list[str]:
    """One range with a link to each target; their codes."""
    await migrate(connection)
    _, keys = await open_vault(connection, load_keys(folder / "data", {}), None)
    codes = CodePermutation(keys.derive("short-link codes", CODE_KEY_BYTES))
    first = await LinkSequence().reserve(connection, len(targets))
    rows = [(first_message + number, [target]) for number, target in enumerate(targets)]
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    await insert_range(connection, plan_range(first, rows, expires_at))
    return codes.encode_many([link_value(first + number, 0) for number in range(len(targets))])
