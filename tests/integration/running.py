"""Gateways and simulators of the rehearsal kit, forked from a process that has imported them, for
the tests in this folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from gateway.rehearsal import running
from gateway.rehearsal import simulator as simulators
from gateway.rehearsal.configuration import Configuration, Connector, Route
from gateway.rehearsal.processes import Child
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator
from tests.fork_server import NO_CHANGES, forked
from web.edge.scopes import DEFAULT_SCOPES

SMOOTH = "answer_latency_ms = 1\nreceipt_delay_ms = [0, 20]\n"
SCOPES = (*DEFAULT_SCOPES, "connectors:read", "operations:read", "operations:write")
QUICK = """\
code_table = "map"
reconnect_seconds_min = 0.1
reconnect_seconds_max = 1.0
"""


def simulator(
    folder: Path,
    profile: str = SMOOTH,
    *,
    port: int = 0,
    name: str = "simulator",
    more: Sequence[str] = (),
) -> contextlib.AbstractAsyncContextManager[Simulator]:
    return simulators.simulator(folder, profile, port=port, name=name, more=more, start=forked)


def write_config(
    folder: Path,
    database: str,
    smpp_port: int,
    *,
    connector: str = "",
    others: Sequence[Connector] = (),
    routes: Sequence[Route] = (),
    data_dir: Path | None = None,
    links: str = "",
    rest: str = "",
) -> Path:
    """A configuration with a connector `sim`, of which `connector` is more, and `others` after it;
    `links` are more lines of that section, `rest` more sections.
    """
    wanted = Configuration(
        data_dir=data_dir or folder / "data",
        connectors=[Connector("sim", smpp_port, QUICK + connector), *others],
        routes=routes,
        database=database,
        links=links,
        more=rest,
    )
    return wanted.write(folder / "smsgate.toml")


@contextlib.asynccontextmanager
async def gateway(
    config: Path, constants: Mapping[str, float] = NO_CHANGES
) -> AsyncIterator[Running]:
    """A gateway and a key of its account `default`, the same in each of its lives. `constants`: see
    tests/fork_server.py.
    """
    kept = config.with_suffix(".key")
    key = kept.read_text() if kept.exists() else ""
    start = partial(forked, constants=constants)
    async with running.gateway(config, key=key, scopes=SCOPES, start=start) as found:
        kept.write_text(found.key)
        yield found


async def start_gateway(config: Path, constants: Mapping[str, float] = NO_CHANGES) -> Child:
    return await running.serve(config, start=partial(forked, constants=constants))


async def create_key(config: Path, name: str, *arguments: str) -> str:
    return await running.create_key(config, name, *arguments, start=forked)


def message(number: int, **fields: object) -> dict[str, object]:
    """A message to a number of its own; the last four digits are not in the simulator's script."""
    return {"to": f"+86138{number:04d}1000", "from": "SHOP", "text": f"Hello {number}", **fields}
