"""The gateway and the simulator as processes of their own, as users run them, for the tests
in this folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from gateway.rehearsal import processes
from gateway.rehearsal.processes import Child
from smpp.simulator.ledger import LedgerLine, read_ledger
from tests.fork_server import NO_CHANGES, forked
from web.edge.scopes import DEFAULT_SCOPES

PATIENCE_SECONDS = 40.0
POLL_SECONDS = 0.05

SMOOTH = "answer_latency_ms = 1\nreceipt_delay_ms = [0, 20]\n"


@dataclass
class Simulator:
    """A running simulator; `path` is its ledger."""

    child: Child
    path: Path
    port: int

    def ledger(self) -> list[LedgerLine]:
        return list(read_ledger(self.path)) if self.path.exists() else []

    def accepted(self) -> list[LedgerLine]:
        return [line for line in self.ledger() if line.status == 0]


@dataclass
class Running:
    """A running gateway and a client of one account."""

    child: Child
    config: Path
    api: str
    session: aiohttp.ClientSession
    keys: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.session.request(method, self.api + path, json=body) as response:
            return response.status, await response.json(content_type=None)

    async def send(self, bodies: Sequence[dict[str, object]]) -> list[dict[str, Any]]:
        """POST a batch that must be taken; returns its items."""
        status, answer = await self.call("POST", "/v1/messages/batch", {"messages": list(bodies)})
        assert status == 202, answer
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def counts(self) -> dict[str, int]:
        status, answer = await self.call("GET", "/v1/reports/delivery")
        assert status == 200, answer
        counts: dict[str, int] = answer["total"]["counts"]
        return counts

    async def message(self, message_id: str) -> dict[str, Any]:
        status, answer = await self.call("GET", f"/v1/messages/{message_id}")
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    async def kinds(self, message_id: str) -> list[str]:
        """The kinds of events on a message's timeline, in order."""
        status, answer = await self.call("GET", f"/v1/messages/{message_id}/events")
        assert status == 200, answer
        return [event["kind"] for event in answer["data"]]

    async def until(self, **wanted: int) -> dict[str, int]:
        """Wait until the report counts at least so many; returns it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                counts = await self.counts()
                if all(counts[name] >= number for name, number in wanted.items()):
                    return counts
                await asyncio.sleep(POLL_SECONDS)

    def kill(self) -> None:
        self.child.process.kill()


@contextlib.asynccontextmanager
async def simulator(
    folder: Path,
    profile: str = SMOOTH,
    *,
    port: int = 0,
    name: str = "simulator",
    more: Sequence[str] = (),
) -> AsyncIterator[Simulator]:
    profile_path, ledger = folder / f"{name}.toml", folder / f"{name}.jsonl"
    profile_path.write_text(profile)
    log = folder / f"{name}.log"
    arguments = ["simulate", "--port", str(port), "--profile", str(profile_path)]
    process = await forked([*arguments, "--ledger", str(ledger), *more], log)
    child = await processes.until_ready(name, process, log, ready="simulator ready:")
    try:
        yield Simulator(child, ledger, int(child.ready.rpartition(":")[2]))
    finally:
        await processes.stop(child)


def write_config(
    folder: Path, database: str, smpp_port: int, *, connector: str = "", rest: str = ""
) -> Path:
    """A configuration with one connector `sim`; `connector` and `rest` are more lines of TOML."""
    links_port = processes.free_port()
    path = folder / "smsgate.toml"
    path.write_text(
        f"""
[database]
url = {json.dumps(database)}
data_dir = {json.dumps(str(folder / "data"))}
[http]
listen = "127.0.0.1:0"
[links]
listen = "127.0.0.1:{links_port}"
base_url = "http://127.0.0.1:{links_port}"
[[connectors]]
name = "sim"
host = "127.0.0.1"
port = {smpp_port}
system_id = "test"
password = "secret"
code_table = "map"
reconnect_seconds_min = 0.1
reconnect_seconds_max = 1.0
{connector}
[[routes]]
via = ["sim"]
{rest}
"""
    )
    return path


@contextlib.asynccontextmanager
async def gateway(
    config: Path, constants: Mapping[str, float] = NO_CHANGES
) -> AsyncIterator[Running]:
    """A gateway and a key of its account `default`, the same in each of its lives; drained and
    checked at the end. `constants`: see tests/fork_server.py.
    """
    child = await start_gateway(config, constants)
    try:
        kept = config.with_suffix(".key")
        if not kept.exists():
            name = f"k{child.process.pid}"
            scopes = (*DEFAULT_SCOPES, "connectors:read")
            kept.write_text(await create_key(config, name, "--scopes", *scopes))
        key = kept.read_text()
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Running(child, config, child.ready.split()[1], session)
    finally:
        code = await processes.stop(child)
        assert code in (0, -signal.SIGKILL), (code, child.log.read_text()[-2000:])


async def start_gateway(config: Path, constants: Mapping[str, float] = NO_CHANGES) -> Child:
    arguments, log = ["serve", "--config", str(config)], config.parent / "gateway.log"
    process = await forked(arguments, log, constants)
    return await processes.until_ready("gateway", process, log, ready="smsgate ready:")


async def create_key(config: Path, name: str, *arguments: str) -> str:
    """What `smsgate keys create NAME` prints; the gateway may be running."""
    log = config.with_suffix(".keys.log")
    process = await forked(["keys", "create", name, "--config", str(config), *arguments], log)
    assert process.stdout is not None
    key = (await process.stdout.read()).decode().strip()
    assert await process.wait() == 0, log.read_text()
    return key


def message(number: int, **fields: object) -> dict[str, object]:
    """A message to a number of its own; the last four digits are not in the simulator's script."""
    return {"to": f"+86138{number:04d}1000", "from": "SHOP", "text": f"Hello {number}", **fields}
